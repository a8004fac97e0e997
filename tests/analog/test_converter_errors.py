"""Converters with DNL and INL: tables by hand, end points, spreads, and what they do to a product."""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Wires
from pimlab.analog.converter_errors import converter_errors, driver_errors
from pimlab.keys import Key

KEY = Key(seed=4)


def test_ideal_converters_have_no_tables():
    assert driver_errors(None, KEY, 3) is None
    assert driver_errors(DAC(bits=8), KEY, 3) is None
    assert driver_errors(DAC(bits=8, encoding="bit serial", inl=1, dnl=0.5), KEY, 3) is None
    assert converter_errors(ADC(bits=8), KEY, 3) is None
    assert driver_errors(DAC(bits=4, gain_error=0.1), KEY, 3).levels is None


@pytest.mark.parametrize("codes", ["symmetric", "unsigned", "offset binary"])
def test_levels_keep_their_ends_and_have_the_stated_spread(codes):
    dac = DAC(bits=6, codes=codes, dnl=0.2)
    errors = driver_errors(dac, KEY, 4000)
    low = -dac.top if codes == "offset binary" else 0
    assert np.allclose(errors.levels[:, [0, -1]], [low, dac.top], atol=1e-4)
    steps = np.diff(errors.levels, axis=1)
    assert (steps >= 0).all()
    assert steps.std() / errors.step == pytest.approx(0.2, rel=0.03)
    curved = driver_errors(dac.but(dnl=0.0, inl=0.7), KEY, 4000).levels
    middle = curved[:, curved.shape[1] // 2] - (
        curved[0, 0]
        + (curved[0, -1] - curved[0, 0]) * (curved.shape[1] // 2) / (curved.shape[1] - 1)
    )
    assert middle.std() / errors.step == pytest.approx(0.7, rel=0.04)
    assert (
        np.diff(curved, 2, axis=1).max(axis=1) * np.diff(curved, 2, axis=1).min(axis=1) > -1e-4
    ).all()


def test_drivers_by_hand():
    errors = driver_errors(DAC(bits=3, gain_error=0.1, offset_error=0.2, dnl=0.1), KEY, 2)
    codes = np.array([[3, -2], [0, 1]], np.float32)
    level = np.array([[errors.levels[0, 3], -errors.levels[1, 2]], [0, errors.levels[1, 1]]])
    assert np.allclose(errors.driven(codes), level * errors.gain + errors.shift)
    binary = driver_errors(DAC(bits=2, codes="offset binary", dnl=0.3), KEY, 2)
    assert np.allclose(
        binary.driven(np.array([[-3, 1]], np.float32)), [[binary.levels[0, 0], binary.levels[1, 2]]]
    )


def test_inl_moves_code_edges_and_leaves_the_ends():
    adc = ADC(bits=8, inl=2.0)
    edges = converter_errors(adc, KEY, 3000).thresholds
    ideal = np.arange(adc.low, adc.high) + 0.5
    assert np.allclose(edges[:, [0, -1]], ideal[[0, -1]])
    assert (edges[:, 127] - ideal[127]).std() == pytest.approx(2.0, rel=0.04)
    assert (np.diff(edges, axis=1) >= 0).all()


@pytest.mark.parametrize(
    "dac",
    [
        DAC(bits=6, inl=0.5),
        DAC(bits=6, encoding="pulse width", dnl=0.2),
        DAC(bits=6, encoding="bit serial", slice_bits=5, inl=0.5),
    ],
)
def test_driver_errors_change_a_product_and_repeat(dac):
    rng = np.random.default_rng(0)
    w, x = (
        rng.standard_normal((40, 6)).astype(np.float32),
        rng.uniform(-1, 1, (50, 40)).astype(np.float32),
    )
    even = Crossbar(dac=dac.but(inl=0.0, dnl=0.0)).program(w).matmul(x)
    first, again, other = (Crossbar(dac=dac).program(w, key).matmul(x) for key in (1, 1, 2))
    assert np.array_equal(first, again)
    assert 1e-3 < np.linalg.norm(first - even) / np.linalg.norm(even) < 0.05
    assert not np.array_equal(first, other)


def test_switches_have_no_levels():
    w, x = np.ones((6, 2), np.float32), np.array([[3, 1, 2, 0, 3, 1]], np.float32)
    even, poor = (DAC(bits=3, encoding="bit serial", gain_error=error) for error in (0.0, 0.3))
    machines = [
        Crossbar(dac=dac, wires=Wires(r_in=1, r_out=1, topology="B")) for dac in (even, poor)
    ]
    assert np.array_equal(*(machine.program(w).matmul(x) for machine in machines))
    assert not machines[1].varies


def test_bounds_teach():
    with pytest.raises(ValueError, match="allowed: up to 65536"):
        ADC(bits=18, dnl=0.1)
    with pytest.raises(ValueError, match="outside 0..1"):
        DAC(bits=8, dnl=1.5)
    with pytest.raises(TypeError, match="did you mean 'inl'"):
        DAC(bits=8, inll=0.5)
