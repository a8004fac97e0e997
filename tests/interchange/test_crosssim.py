"""Do CrossSim's parameters become the macro they describe, and is the rest named?"""

import json

import pytest

import pimlab as pim
from pimlab.interchange import from_crosssim

SLICED = {
    "core": {
        "style": 2, "rows_max": 128, "cols_max": 128, "weight_bits": 16,
        "bit_sliced": {"style": 3, "num_slices": 8}, "offset": {"style": 2},
    },
    "simulation": {"useGPU": False},
    "xbar": {
        "device": {"cell_bits": 2, "Rmin": 2000.0, "Rmax": 2000000.0},
        "adc": {"mvm": {"model": "SignMagnitudeADC", "bits": 9, "adc_per_ibit": True,
                        "adc_range_option": 3}},
        "dac": {"mvm": {"model": "SignMagnitudeDAC", "bits": 16, "input_bitslicing": True}},
    },
}  # fmt: skip


def test_sliced_weights_with_a_reference_column():
    machine, unmatched = from_crosssim(json.dumps(SLICED))
    assert unmatched == {}
    assert (machine.rows, machine.cols, machine.coding) == (128, 128, "offset column")
    assert machine.slices == pim.analog.Slices(bits=16, per_cell=2)
    assert machine.cell.levels == 4
    assert (machine.cell.g_min, machine.cell.g_max) == (5e-7, 5e-4)
    assert machine.dac == pim.DAC(bits=16, encoding="bit serial")
    assert machine.adc == pim.ADC(bits=9, range="lossless")


def test_pairs_with_errors_and_wires():
    given = {
        "core": {"weight_bits": 8, "mapping": {"weights": {"percentile": 0.99}}},
        "xbar": {
            "device": {
                "Rmin": 1e4, "infinite_on_off_ratio": True,
                "programming_error": {"enable": True, "model": "NormalProportionalDevice",
                                      "magnitude": 0.05},
                "read_noise": {"enable": True, "model": "NormalIndependentDevice",
                               "magnitude": 0.01},
                "drift_error": {"enable": True, "model": "SONOS"},
            },
            "array": {"parasitics": {"enable": True, "Rp_row": 0.5, "Rp_col": 1.0,
                                     "Rp_col_terminal": 3.0}},
        },
    }  # fmt: skip
    machine, unmatched = from_crosssim(given)
    assert unmatched == {}
    assert machine.coding == "differential"
    assert machine.slices == pim.analog.Slices(bits=8, per_cell=7)
    assert machine.coverage == 0.99
    assert machine.cell.g_min == 0
    assert machine.cell.read_noise.absolute == pytest.approx(1e-6)
    assert machine.cell.programming.sigma.coefficients == pytest.approx((0.0, 5e-6))
    assert machine.cell.drift == pim.device("sonos-agrawal2022").drift
    assert machine.wires == pim.analog.Wires(r_in=0.5, r_out=1.0, rs_out=3.0)


def test_it_runs():
    given = {
        "core": {"rows_max": 64},
        "xbar": {"adc": {"mvm": {"model": "QuantizerADC", "bits": 8, "adc_range_option": 2}}},
    }
    data = pim.load_data("digits", limit=50)
    machine = from_crosssim(given).machine
    assert float(pim.run(pim.load_model("digits-mlp"), machine, data).accuracy) > 0.8


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"xbar": {"device": {"time": 60}}}, "xbar.device.time"),
        ({"xbar": {"array": {"Icol_max": 3}}}, "xbar.array.Icol_max"),
        ({"core": {"complex_matrix": True}}, "core.complex_matrix"),
        ({"core": {"balanced": {"style": 2}}}, "core.balanced.style"),
        ({"xbar": {"adc": {"mvm": {"model": "SarADC", "bits": 8}}}}, "xbar.adc.mvm.model"),
        (
            {"xbar": {"device": {"read_noise": {"enable": True, "model": "UniformIndependentDevice"}}}},
            "xbar.device.read_noise.model",
        ),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named(given, field):
    assert f"crosssim.{field}" in from_crosssim(given).unmatched


@pytest.mark.parametrize("kind", ["sar", "ramp", "pipeline", "cyclic"])
def test_the_circuit_of_an_adc_is_kept(kind):
    given = {"xbar": {"adc": {"mvm": {"model": f"{kind.title()}ADC", "bits": 8}}}}
    found = from_crosssim(given)
    assert found.machine.adc.kind == kind
    assert "ideal quantiser" in found.unmatched["crosssim.xbar.adc.mvm.model"]


def test_an_object_is_asked_for_its_table():
    class Parameters:
        def as_dict(self):
            return SLICED

    assert from_crosssim(Parameters()) == from_crosssim(SLICED)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"xbar": {"device": {"Rmim": 1}}}, ValueError, "did you mean 'Rmin'"),
        ({"xbar": {"adc": {"mvm": {"bits": "x"}}}}, ValueError, "bits='x' is no number"),
        ({"xbar": {"adc": {"mvm": {"model": "SarADC", "bits": 8, "adc_range_option": 7}}}},
         ValueError, r"adc_range_option '7' is not known \(known: CALIBRATED, GRANULAR, MAX\)"),
        ({"core": {"style": "BALANCD"}}, ValueError, "core.style 'BALANCD'.*mean 'BALANCED'"),
        ({"core": {"bit_sliced": {"style": 2}}}, ValueError, "bit_sliced.style '2' is not known"),
        ({"core": {"style": 3, "offset": {"style": "UNIT_COLUMN"}}}, ValueError, "offset.style"),
        ({"xbar": {"adc": {"mvm": {"model": "QuantizerAD"}}}}, ValueError, "mean 'QuantizerADC'"),
        ({"xbar": {"adc": {"mvm": {"model": 1}}}}, ValueError, "model '1' is not known"),
        ({"core": {"style": True}}, ValueError, "core.style 'True' is not known"),
        ({"xbar": {"dac": {"mvm": {"model": "QuantiserDAC"}}}}, ValueError, "mean 'QuantizerDAC'"),
        ({"core": {"rows_max": 64.5}}, ValueError, "rows_max=64.5 is no whole number"),
        ([1], TypeError, "are no parameters"),
    ],
)  # fmt: skip
def test_wrong_parameters_teach(given, error, told):
    with pytest.raises(error, match=told):
        from_crosssim(given)
