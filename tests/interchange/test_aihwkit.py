"""Does an aihwkit configuration become the macro it describes, and is the rest named?"""

import dataclasses
import enum
import math

import pytest

import pimlab as pim
from pimlab.interchange import from_aihwkit

QUIET = {"bound_management": "NONE", "out_noise": 0.0}
MAPPED = {"weight_scaling_omega": 1.0}
PRINTED = """InferenceRPUConfig(
    forward=IOParameters(
        inp_res=0.003937007874015748,
        out_noise=0.0,
        w_noise=0.0175,
        w_noise_type=WeightNoiseType.ADDITIVE_CONSTANT,
        bound_management=BoundManagementType.NONE
    ),
    noise_model=PCMLikeNoiseModel(g_max=20.0, read_noise_scale=0.0),
    drift_compensation=GlobalDriftCompensation(),
    mapping=MappingParameter(max_input_size=256, weight_scaling_omega=1.0),
    tile_class=InferenceTile
)"""


def test_a_printed_configuration_becomes_its_macro():
    machine, unmatched = from_aihwkit(PRINTED)
    assert unmatched == {}
    assert (machine.rows, machine.cols, machine.scaling) == (256, 512, "tile")
    assert machine.dac == pim.DAC(bits=8)
    assert machine.adc == pim.ADC(bits=9, range="fixed", margin=12.0)
    assert machine.cell.g_max == 20e-6
    assert machine.cell.drift == pim.device("pcm-joshi2020").drift
    assert machine.cell.read_noise.absolute == pytest.approx(0.0175 * 20e-6 / math.sqrt(2))
    assert machine.compensation is not None


def test_it_runs():
    machine = from_aihwkit(PRINTED).machine
    data = pim.load_data("digits", limit=50)
    assert float(pim.run(pim.load_model("digits-mlp"), machine, data).accuracy) > 0.8


def test_an_object_is_read_as_what_it_prints():
    class Kind(enum.Enum):
        NONE = "None"

    @dataclasses.dataclass
    class Forward:
        is_perfect: bool = True
        bound_management: Kind = Kind.NONE

    @dataclasses.dataclass
    class Config:
        forward: Forward = dataclasses.field(default_factory=Forward)
        drift_compensation: object = None
        tile_class: type = Forward

    machine, unmatched = from_aihwkit(Config())
    assert machine.dac is machine.adc is machine.compensation is None
    assert list(unmatched) == ["aihwkit.mapping.weight_scaling_omega"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"forward": {"out_noise": 0.04}}, "forward.out_noise"),
        ({"forward": {"inp_res": 100}}, "forward.inp_res"),
        ({"forward": {"v_offset_std": 0.1}}, "forward.v_offset_std"),
        ({"forward": {"ir_drop": 1.0}}, "forward.ir_drop"),
        ({"forward": {"w_noise": 0.1, "w_noise_type": "PCM_READ"}}, "forward.w_noise"),
        ({"forward": {"mv_type": "SPLIT_MODE"}}, "forward.mv_type"),
        ({"noise_model": {"class": "PCMLikeNoiseModel", "drift_scale": 2.0}}, "noise_model.drift_scale"),
        ({"noise_model": {"class": "MyNoiseModel"}}, "noise_model"),
        ({"modifier": {"type": "ADD_NORMAL", "std_dev": 0.06}}, "modifier.std_dev"),
        ({"mapping": {"learn_out_scaling": True}}, "mapping.learn_out_scaling"),
        ({"drift_compensation": {"class": "PerColumnDriftCompensation"}}, "drift_compensation"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named(given, field):
    given = {**given, "forward": {**QUIET, **given.get("forward", {})}}
    given["mapping"] = {**MAPPED, **given.get("mapping", {})}
    assert f"aihwkit.{field}" in from_aihwkit(given).unmatched


def test_endless_steps_and_bounds_are_no_converters_and_no_clipping():
    machine, _ = from_aihwkit({"forward": {"inp_res": -1, "out_res": 0}})
    assert machine.dac is machine.adc is None
    machine, _ = from_aihwkit({"forward": {"out_bound": -1.0}})
    assert machine.adc.range == "worst case"


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"forward": {"inp_rs": 1}}, ValueError, "did you mean 'inp_res'"),
        ({"foward": {}}, ValueError, "did you mean 'forward'"),
        ({"noise_model": {"gmax": 1.0}}, ValueError, "did you mean 'g_max'"),
        ({"modifier": {"std": 1.0}}, ValueError, "did you mean 'std_dev'"),
        ({"forward": {"out_bound": "12"}}, ValueError, "out_bound='12' is no number"),
        (5, TypeError, "is no InferenceRPUConfig"),
    ],
)
def test_wrong_configurations_teach(given, error, told):
    with pytest.raises(error, match=told):
        from_aihwkit(given)
