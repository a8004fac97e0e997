"""Which of our macros do CrossSim's parameters describe?

CrossSim's JSON or YAML (`CrossSimParameters`, version 3.2: simulator/parameters/*.py) has a core
(how a weight stands in cells), an `xbar` (device, array, converters) and a `simulation`. What
CrossSim computes is taken over; how it computes (GPU, iterations) has no meaning here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pimlab.analog.circuit.wires import Wires
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.crossbar import Crossbar
from pimlab.analog.devices import Device, GaussianReadNoise, ProgrammingError, device
from pimlab.analog.devices.curves import Polynomial
from pimlab.analog.mapping import Slices
from pimlab.arguments import typed
from pimlab.interchange.settings import Imported, Settings, read

_RANGE: dict[str, Any] = {"clipping": False, "min": None, "max": None, "percentile": None}
_WEIGHTS: dict[str, Any] = {
    **_RANGE, "clipping": True, "percentile": 1.0, "row_partition_priority": [],
    "col_partition_priority": [], "row_partition_strategy": 2, "col_partition_strategy": 2,
}  # fmt: skip
_CORE: dict[str, Any] = {
    "style": 1, "rows_max": 0, "cols_max": 0, "weight_bits": 0, "complex_matrix": False,
    "complex_input": False, "output_dtype": 1,
    "balanced": {"style": 1, "interleaved_posneg": False, "subtract_current_in_xbar": True},
    "bit_sliced": {"style": 1, "num_slices": 2},
    "offset": {"style": 1},
    "mapping": {"weights": _WEIGHTS, "inputs": {"_match": True, "mvm": _RANGE, "vmm": _RANGE}},
}  # fmt: skip
_ERROR: dict[str, Any] = {"enable": False, "model": "IdealDevice", "magnitude": 0}
_ADC: dict[str, Any] = {
    "model": "IdealADC", "bits": 0, "signed": True, "stochastic_rounding": False,
    "adc_per_ibit": False, "calibrated_range": [], "adc_range_option": 1, "gain_db": 100,
    "sigma_capacitor": 0.0, "sigma_comparator": 0.0, "symmetric_cdac": True, "split_cdac": True,
    "group_size": 8, "sigma_C1": 0.0, "sigma_C2": 0.0, "sigma_Cpar": 0.0,
}  # fmt: skip
_DAC: dict[str, Any] = {
    "model": "IdealDAC", "bits": 0, "input_bitslicing": False, "signed": True, "slice_size": 1,
}  # fmt: skip
_XBAR: dict[str, Any] = {
    "device": {
        "cell_bits": 0, "Rmin": 1000, "Rmax": 10000, "Vread": 0.1, "time": 0,
        "infinite_on_off_ratio": False, "clip_conductance": False, "read_noise": _ERROR,
        "programming_error": _ERROR, "drift_error": _ERROR, "nonlinear_IV": _ERROR,
    },
    "array": {
        "Icol_max": 0,
        "parasitics": {
            "enable": False, "Rp_row": 0, "Rp_col": 0, "Rp_row_terminal": 0, "Rp_col_terminal": 0,
            "current_from_input": True, "selected_rows": "top",
        },
    },
    "adc": {"_match": True, "mvm": _ADC, "vmm": _ADC},
    "dac": {"_match": True, "mvm": _DAC, "vmm": _DAC},
}  # fmt: skip
PARAMETERS: dict[str, Any] = {"core": _CORE, "simulation": None, "xbar": _XBAR}
"""Every field of CrossSim's parameters and its default."""
_MEASURED = {"PCMJoshi": "pcm-joshi2020-crosssim", "RRAMMilo": "reram-milo2021",
             "SONOS": "sonos-agrawal2022", "RRAMWan": "reram-wan2022"}  # fmt: skip
"""Device model of CrossSim -> the cell of our catalogue from the same measurements."""
_STYLES = {1: "BALANCED", 2: "BITSLICED", 3: "OFFSET"}
_IN_SLICES = {1: "BALANCED", 3: "OFFSET"}
_BALANCED = {1: "ONE_SIDED", 2: "TWO_SIDED"}
_OFFSETS = {1: "DIGITAL_OFFSET", 2: "UNIT_COLUMN_SUBTRACTION"}
_OPTIONS = {1: "CALIBRATED", 2: "MAX", 3: "GRANULAR"}
"""Members of CrossSim's enumerations: `CoreStyle`, `BitSlicedCoreStyle`, `BalancedCoreStyle`,
`OffsetCoreStyle`, `ADCRangeLimits`.
"""
_RANGES = {"CALIBRATED": "fixed", "MAX": "worst case", "GRANULAR": "lossless"}
_KINDS = ("Ideal", "Quantizer", "SignMagnitude")
_ADCS = {f"{kind}ADC": f"{kind}ADC" for kind in (*_KINDS, "Ramp", "Sar", "Pipeline", "Cyclic")}
_DACS = {f"{kind}DAC": f"{kind}DAC" for kind in _KINDS}
"""Models of converters, which have names and no numbers."""


@typed
def from_crosssim(parameters: Any, name: str = "crosssim") -> Imported:
    """The macro that CrossSim's parameters describe, and what of them has no counterpart.

    parameters : JSON or YAML (text, or a path ending in .json, .yaml or .yml), a mapping, or
    CrossSim's own object. What is not given has CrossSim's default.
    ValueError for a field that CrossSim does not have (it names the nearest), or a value of another
    kind; TypeError for what are no parameters.

    >>> given = {"core": {"rows_max": 64}, "xbar": {"device": {"Rmin": 1e4, "Rmax": 1e6}}}
    >>> found = pim.interchange.from_crosssim(given)
    >>> found.machine.rows, found.machine.cell.g_max, found.unmatched
    (64, 0.0001, {})
    """
    own = getattr(parameters, "as_dict", None)
    given = own() if callable(own) else read(parameters, name)
    if not isinstance(given, Mapping):
        raise TypeError(f"from_crosssim parameters={parameters!r:.60} are no parameters")
    settings = Settings(given, PARAMETERS, name)
    settings.taken.add("simulation")  # how CrossSim computes
    core, xbar = settings.part("core"), settings.part("xbar")
    about = xbar.part("device")
    machine = _coded(core, about.whole("cell_bits"), name).but(cell=_cell(about))
    machine = _converted(core, xbar, machine)
    return Imported(_wired(xbar.part("array"), machine), settings.unmatched())


def _cell(about: Settings) -> Device:
    """Conductances between 1 / Rmax and 1 / Rmin, with the errors that are enabled."""
    high, low = 1 / about.number("Rmin"), 1 / about.number("Rmax")
    about.taken.add("Vread")
    if about["infinite_on_off_ratio"]:
        low = 0.0
    bits = about.whole("cell_bits")
    cell = Device(name="crosssim", g_min=low, g_max=high, levels=2**bits if bits else None)
    if about["clip_conductance"]:
        cell = cell.but(bounded=True)
    if about["time"]:
        about.note("time", "the time after programming is `at` of pim.run here, in seconds")
    for field, part in (("programming_error", "programming"), ("read_noise", "read_noise"),
                        ("drift_error", "drift")):  # fmt: skip
        error = about.part(field)
        if error["enable"]:
            cell = _with_error(cell, part, error)
    if about.part("nonlinear_IV")["enable"]:
        about.parts["nonlinear_IV"].note("model", "see Device(current=...)")
    return cell


def _with_error(cell: Device, part: str, error: Settings) -> Device:
    """The cell with one non-ideality: measured, or normal with a standard deviation that is a share
    of the largest conductance (independent) or of its own (proportional).
    """
    model, size = str(error["model"]), error.number("magnitude")
    if model in _MEASURED:
        measured = getattr(device(_MEASURED[model]), part)
        if measured is None:
            error.note("model", f"{_MEASURED[model]} has no {part} here")
        return cell.but(**{part: measured})
    if model in ("IdealDevice", "NormalIdealDevice") or part == "drift":
        if model != "IdealDevice":
            error.note("model", f"no {part} of this kind here")
        return cell
    independent = model == "NormalIndependentDevice"
    if not independent and model != "NormalProportionalDevice":
        error.note("model", f"no {part} of this kind here")
        return cell
    if part == "read_noise":
        noise = {"absolute": size * cell.g_max} if independent else {"relative": size}
        return cell.but(read_noise=GaussianReadNoise(**noise))
    spread = (size * cell.g_max,) if independent else (0.0, size * cell.g_max)
    sigma = Polynomial(coefficients=spread)
    return cell.but(programming=ProgrammingError(sigma=sigma, g_reference=cell.g_max))


def _coded(core: Settings, cell_bits: int, name: str) -> Crossbar:
    """How a weight stands in cells, and how many an array has."""
    limits = {"rows": core.whole("rows_max"), "cols": core.whole("cols_max")}
    machine = Crossbar(name=name).but(**{side: size for side, size in limits.items() if size})
    style, bits = core.member("style", _STYLES), core.whole("weight_bits")
    balanced, sliced, offset = (core.part(n) for n in ("balanced", "bit_sliced", "offset"))
    in_slices, of_slices = style == "BITSLICED", sliced.member("style", _IN_SLICES)
    pairs = (of_slices if in_slices else style) == "BALANCED"
    if pairs:
        analog = bool(balanced["subtract_current_in_xbar"])
        machine = machine.but(coding="differential", subtract="analog" if analog else "digital")
        if balanced.member("style", _BALANCED) != "ONE_SIDED":
            balanced.note("style", "one cell of a pair stands at its lowest conductance here")
    else:
        column = offset.member("style", _OFFSETS) == "UNIT_COLUMN_SUBTRACTION"
        machine = machine.but(coding="offset column" if column else "offset")
    bits = bits or (cell_bits + pairs if cell_bits else 0)
    count = sliced.whole("num_slices") if in_slices else 1
    if bits:
        per_cell = -(-(bits - pairs) // count)
        machine = machine.but(slices=Slices(bits=bits, per_cell=per_cell))
    mapped = core.part("mapping").part("weights")
    if mapped["percentile"] not in (None, 1.0):
        machine = machine.but(coverage=mapped.number("percentile"))
    mapped.taken |= {"row_partition_strategy", "col_partition_strategy"}
    return machine


def _converted(core: Settings, xbar: Settings, machine: Crossbar) -> Crossbar:
    """The converters of products x W (`mvm`); those of the transpose train, and are not here."""
    dac, adc = xbar.part("dac").part("mvm"), xbar.part("adc").part("mvm")
    inputs = core.part("mapping").part("inputs")
    for pair in (xbar.part("dac"), xbar.part("adc"), inputs):
        pair.taken |= {"_match", "vmm"}
    if not inputs.part("mvm")["clipping"]:
        inputs.part("mvm").taken |= set(_RANGE)  # without effect
    return machine.but(dac=_dac(dac), adc=_adc(adc))


def _dac(dac: Settings) -> DAC | None:
    model, bits = dac.member("model", _DACS), dac.whole("bits")
    sliced, size = bool(dac["input_bitslicing"]), dac.whole("slice_size")
    if model == "IdealDAC" or not bits:
        return None
    codes = "symmetric" if dac["signed"] else "unsigned"
    if model not in ("SignMagnitudeDAC", "QuantizerDAC"):
        dac.note("model", "an ideal quantiser here")
    if not sliced:
        return DAC(bits=bits, codes=codes)
    return DAC(bits=bits, codes=codes, encoding="bit serial", slice_bits=size)


def _adc(adc: Settings) -> ADC | None:
    model, bits = adc.member("model", _ADCS), adc.whole("bits")
    kind = _RANGES[adc.member("adc_range_option", _OPTIONS)]
    adc.taken |= {"calibrated_range", "adc_per_ibit", "symmetric_cdac", "split_cdac", "group_size"}
    if model == "IdealADC" or not bits:
        return None
    if kind == "fixed" and adc.given.get("calibrated_range"):
        adc.note("calibrated_range", "full scales follow from calibration data here")
    kind = "max" if kind == "fixed" else kind
    codes = "symmetric" if adc["signed"] else "unsigned"
    circuit = model.removesuffix("ADC").lower()
    circuit = circuit if circuit in ("ramp", "pipeline", "cyclic") else "sar"
    found = ADC(bits=bits, range=kind, codes=codes, kind=circuit)
    if model not in ("QuantizerADC", "SignMagnitudeADC"):
        adc.note("model", "an ideal quantiser here; for its spread see ADC(dnl=, inl=)")
    return found


def _wired(array: Settings, machine: Crossbar) -> Crossbar:
    """Wire resistances, where they are enabled."""
    if array["Icol_max"]:
        array.note("Icol_max", "a column's current is not limited before the ADC here")
    wires = array.part("parasitics")
    if not wires["enable"]:
        wires.taken |= set(wires.usual)
        return machine
    topology = "A" if wires["current_from_input"] else "B"
    ends = {"rs_in": "Rp_row_terminal", "rs_out": "Rp_col_terminal"}
    wires.taken |= {"selected_rows"} if topology == "A" else set()
    ohms = {"r_in": "Rp_row", "r_out": "Rp_col", **ends}
    given: dict[str, Any] = {name: wires.number(field) for name, field in ohms.items()}
    return machine.but(wires=Wires(topology=topology, **given))
