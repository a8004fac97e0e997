"""Which of our macros is an aihwkit `InferenceRPUConfig`?

aihwkit's unit is the weight and the input at full range. There a DAC has 1 / inp_res steps between
-inp_bound and inp_bound; an ADC has 1 / out_res steps, and its full scale is out_bound cells at
full input (`ADC(range="fixed", margin=out_bound)`). Defaults are those of aihwkit 1.1
(simulator/parameters/io.py, inference.py, mapping.py, pre_post.py, inference/noise/*.py).
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from typing import Any

from pimlab.analog.circuit.wires import Wires
from pimlab.analog.compensation import DriftCompensation
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.crossbar import Crossbar
from pimlab.analog.devices import Device, GaussianReadNoise, device
from pimlab.arguments import typed
from pimlab.interchange.settings import CLASS, Imported, Settings, read

MANAGED, ITERATIVE = "ABS_MAX", "ITERATIVE"
FORWARD: dict[str, Any] = {
    "is_perfect": False, "mv_type": "ONE_PASS", "inp_bound": 1.0, "inp_noise": 0.0,
    "inp_res": 1 / (2**7 - 2), "inp_sto_round": False, "inp_asymmetry": 0.0, "out_bound": 12.0,
    "out_noise": 0.06, "out_noise_std": 0.0, "out_res": 1 / (2**9 - 2), "out_sto_round": False,
    "out_scale": 1.0, "out_asymmetry": 0.0, "bound_management": ITERATIVE,
    "noise_management": MANAGED, "w_noise": 0.0, "w_noise_type": "NONE", "ir_drop": 0.0,
    "ir_drop_g_ratio": 1.0 / 0.35 / 5e-6, "out_nonlinearity": 0.0, "out_nonlinearity_std": 0.0,
    "slope_calibration": 0.0, "v_offset_std": 0.0, "v_offset_w_min": -1.0, "r_series": 0.0,
    "w_read_asymmetry_dtod": 0.0, "max_bm_factor": 1000, "max_bm_res": 0.25,
    "bm_test_negative_bound": True, "nm_thres": 0.0,
}  # fmt: skip
"""Fields of `IOParameters` and their defaults."""
_SCALES: dict[str, Any] = {
    "prog_noise_scale": 1.0, "read_noise_scale": 1.0, "drift_scale": 1.0, "g_max": None,
}  # fmt: skip
_PCM: dict[str, Any] = {
    **_SCALES, "prog_coeff": None, "g_converter": None, "t_read": 250.0e-9, "t_0": 20.0,
    "prog_coeff_g_max_reference": None,
}  # fmt: skip
NOISE: dict[str, tuple[str, dict[str, Any]]] = {
    "PCMLikeNoiseModel": ("pcm-joshi2020", _PCM),
    "HermesNoiseModel": (
        "pcm-hermes", {**_PCM, "num_devices": 2, "t_read": 512.0e-9, "t_0": None},
    ),
    "ReRamWan2022NoiseModel": (
        "reram-wan2022",
        {"coeff_dic": None, "g_converter": None, "g_max": None, "noise_scale": 1.0,
         "coeff_g_max_reference": None},
    ),
    "ReRamCMONoiseModel": (
        "reram-cmo",
        {**_SCALES, "coeff_dict": None, "g_min": None, "decay_dict": None, "read_dict": None,
         "acceptance_range": 0.02},
    ),
}  # fmt: skip
"""Noise model of aihwkit -> the cell of our catalogue with the same measurements, and the model's
arguments with their defaults.
"""
MAPPING: dict[str, Any] = {
    "digital_bias": True, "weight_scaling_omega": 0.0, "weight_scaling_columnwise": False,
    "weight_scaling_lr_compensation": False, "learn_out_scaling": False,
    "out_scaling_columnwise": False, "max_input_size": 512, "max_output_size": 512,
}  # fmt: skip
TRAINING: dict[str, dict[str, Any]] = {
    "modifier": {
        "std_dev": 0.0, "per_batch_sample": False, "res": 0.0, "sto_round": False,
        "dorefa_clip": 0.6, "pdrop": 0.0, "enable_during_test": False, "rel_to_actual_wmax": True,
        "assumed_wmax": 1.0, "copy_last_column": False, "coeffs": [0.0105392, 0.0768, -0.046925],
        "type": "NONE", "g_max": 25.0, "pcm_zero_thres": 0.0, "pcm_t_inference": 0.0,
        "pcm_prob_at_reset": 0.0, "pcm_prob_at_gmax": 0.0, "pcm_prob_at_random": 0.0,
        "pcm_t0": 20.0,
    },
    "clip": {"fixed_value": -1.0, "sigma": 2.5, "type": "NONE"},
    "remap": {"remapped_wmax": 1.0, "max_scale_range": 0.0, "max_scale_ref": 0.0, "type": "NONE"},
    "pre_post": {
        "input_range": {
            "enable": False, "learn_input_range": True, "init_value": 3.0, "init_from_data": 100,
            "init_std_alpha": 3.0, "decay": 0.001, "input_min_percentage": 0.95,
            "manage_output_clipping": False, "output_min_percentage": 0.95, "gradient_scale": 1.0,
            "gradient_relative": True, "calibration_info": None,
        }
    },
}  # fmt: skip
"""What aihwkit's training does to weights and ranges."""
_LATER = "it belongs to training: see pim.Recipe and pim.train"
CONFIG: dict[str, Any] = {
    "forward": FORWARD, "backward": FORWARD, "update": None, "noise_model": None,
    "drift_compensation": "GlobalDriftCompensation", "mapping": MAPPING, **TRAINING,
    "tile_class": None, "tile_array_class": None, "simulator_tile_class": None, "device": None,
    "runtime": None,
}  # fmt: skip
"""Fields of `InferenceRPUConfig`."""


@typed
def from_aihwkit(config: Any, name: str = "aihwkit") -> Imported:
    """The macro that an aihwkit `InferenceRPUConfig` describes, and what of it has no counterpart.

    config : the object itself, the text it prints, a mapping, or JSON (text, or a path ending in
    .json): nested fields by aihwkit's names, "class" naming a noise model. What is not given has
    aihwkit's default.
    ValueError for a field that aihwkit does not have (it names the nearest), or a value of another
    kind; TypeError for what is no configuration.

    >>> found = pim.interchange.from_aihwkit({"forward": {"out_noise": 0.0, "w_noise": 0.02}})
    >>> found.machine.rows, found.machine.adc.range, found.machine.adc.margin
    (512, 'fixed', 12.0)
    >>> found.unmatched["aihwkit.forward.w_noise"]
    "0.02: without effect while w_noise_type is 'NONE'"
    """
    given = _plain(read(config, name))
    if not isinstance(given, Mapping):
        raise TypeError(f"from_aihwkit config={config!r:.60} is no InferenceRPUConfig")
    settings = Settings(given, CONFIG, name)
    cell = _cell(settings)
    machine = _peripheral(settings, Crossbar(name=name, cell=cell))
    machine = _mapped(settings.part("mapping"), machine)
    for field in TRAINING:
        if settings.given.get(field):
            _trained(settings.part(field))
    for field in ("tile_class", "tile_array_class", "simulator_tile_class", "device", "runtime"):
        settings.taken.add(field)  # how aihwkit computes, not what
    compensated = settings["drift_compensation"]
    kind = compensated.get(CLASS) if isinstance(compensated, Mapping) else compensated
    if kind not in (None, "GlobalDriftCompensation"):
        settings.note("drift_compensation", "pimlab scales an array by one factor")
    if kind is not None:
        machine = machine.but(compensation=DriftCompensation())
    return Imported(machine, settings.unmatched())


def _plain(value: Any) -> Any:
    """Tables, lists and numbers of an aihwkit object; enumerations by their member's name."""
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value)]
        return {CLASS: type(value).__name__, **{f: _plain(getattr(value, f)) for f in fields}}
    if type(value).__module__.startswith("aihwkit.inference"):
        inside = {k: _plain(part) for k, part in vars(value).items() if not k.startswith("_")}
        return {CLASS: type(value).__name__, **inside}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value.__name__ if isinstance(value, type) else value


def _cell(settings: Settings) -> Device | None:
    """The cell of the noise model: its measurements from the catalogue, scaled as asked."""
    given = settings["noise_model"]
    given = {CLASS: given} if isinstance(given, str) else given or {CLASS: "PCMLikeNoiseModel"}
    kind = given.get(CLASS, "PCMLikeNoiseModel")
    if kind not in NOISE:
        settings.note("noise_model", f"not among {', '.join(NOISE)}; the cell is ideal")
        return None
    name, usual = NOISE[kind]
    noise = settings.parts["noise_model"] = Settings(given, usual, f"{settings.where}.noise_model")
    cell = device(name)
    if noise["g_max"] is not None:
        cell = cell.but(g_max=f"{noise.number('g_max')!r} uS")
    parts = {"prog_noise_scale": "programming", "read_noise_scale": "read_noise"}
    for field, part in {**parts, "drift_scale": "drift"}.items():
        if field in noise.given and noise.number(field) == 0:
            cell = cell.but(**{part: None})
        elif noise.given.get(field, 1) != 1:
            noise.note(field, "pimlab has the effect as measured, or (0) none of it")
    return cell


def _bits(settings: Settings, field: str) -> int | None:
    """Bits of a converter with 2^bits - 2 steps; None where there are endlessly many."""
    value = settings.number(field)
    steps = 0.0 if value <= 0 else value if value > 1 else 1 / value
    if not steps:
        return None
    bits = math.log2(steps + 2)
    if abs(bits - round(bits)) > 1e-6:
        settings.note(field, f"{steps:g} steps are no whole number of bits; {math.ceil(bits)} bits")
    return min(16, math.ceil(bits - 1e-6))


def _peripheral(settings: Settings, machine: Crossbar) -> Crossbar:
    """Converters, read noise and wires of the forward pass."""
    forward = settings.part("forward")
    if forward["is_perfect"]:
        forward.taken |= set(FORWARD)  # without effect, aihwkit says
        return machine
    inputs, outputs = _bits(forward, "inp_res"), _bits(forward, "out_res")
    bound = forward.number("out_bound")
    dac = None if inputs is None else DAC(bits=inputs)
    adc = None
    if outputs is not None:
        endless = not 0 < bound < math.inf
        full = {"range": "worst case"} if endless else {"range": "fixed", "margin": bound}
        adc = ADC(bits=outputs, **full)  # type: ignore[arg-type]
    _noted(forward)
    return _wired(forward, _read_noise(forward, machine.but(dac=dac, adc=adc)))


def _noted(forward: Settings) -> None:
    """What of the converters' surroundings is not as here."""
    if forward["noise_management"] != MANAGED or forward.number("inp_bound") != 1:
        forward.note("noise_management", "pimlab scales inputs by calibration, or by each row")
    if forward["bound_management"] != "NONE":
        forward.note("bound_management", "a read that saturates is not repeated here")
    if forward.number("out_noise"):
        forward.note("out_noise", "noise of an output; see ADC(enob=...) and read noise of cells")
    if forward["mv_type"] != "ONE_PASS":
        forward.note("mv_type", "inputs of both signs are read at once here; see DAC(encoding=...)")


def _read_noise(forward: Settings, machine: Crossbar) -> Crossbar:
    """Noise that the weights have anew at each read: of the difference of two cells."""
    strength, kind = forward.number("w_noise"), forward["w_noise_type"]
    if not strength:
        return machine
    if kind == "NONE":
        forward.note("w_noise", "without effect while w_noise_type is 'NONE'")
        return machine
    if kind != "ADDITIVE_CONSTANT" or machine.cell is None:
        forward.note("w_noise", f"no counterpart of w_noise_type={kind!r}")
        return machine
    of_cell = strength * (machine.cell.g_max - machine.cell.g_min) / math.sqrt(2)
    return machine.but(cell=machine.cell.but(read_noise=GaussianReadNoise(absolute=of_cell)))


def _wired(forward: Settings, machine: Crossbar) -> Crossbar:
    scale, ratio = forward.number("ir_drop"), forward.number("ir_drop_g_ratio")
    if not scale or machine.cell is None:
        return machine
    ohms = scale / (ratio * machine.cell.g_max)
    forward.note("ir_drop", f"wires of {ohms:.3g} ohm a cell are solved here, not approximated")
    return machine.but(wires=Wires(r_in=ohms, r_out=0.0))


def _mapped(mapping: Settings, machine: Crossbar) -> Crossbar:
    """Rows and columns of an array; 0 means one array of any size."""
    sizes = {"rows": mapping.whole("max_input_size"), "cols": mapping.whole("max_output_size")}
    limits = {name: size for name, size in sizes.items() if size}
    if len(limits) < 2:
        mapping.note("max_input_size", "arrays of any size do not exist here; allowed: up to 65536")
    if not mapping["digital_bias"]:
        limits["bias_rows"] = 1
    if mapping["weight_scaling_omega"] != 1:
        mapping.note("weight_scaling_omega", "the largest weight has the largest conductance here")
    columns = bool(mapping["weight_scaling_columnwise"])
    return machine.but(**limits, scaling="column" if columns else "tile")


def _trained(part: Settings) -> None:
    """Name what is not at its default, with where training stands here."""
    for name, value in part.given.items():
        if name != CLASS and value != part.usual[name]:
            part.taken.add(name)
            part.note(name, _LATER)
