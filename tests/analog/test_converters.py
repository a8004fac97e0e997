"""Do DAC and ADC have the codes, steps and times that they state?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, lossless_bits


@pytest.mark.parametrize(
    ("codes", "top"), [("symmetric", 7), ("unsigned", 15), ("offset binary", 15)]
)
def test_code_of_a_full_input(codes, top):
    assert DAC(bits=4, codes=codes).top == top


@pytest.mark.parametrize("codes", ["symmetric", "complement"])
@pytest.mark.parametrize("slice_bits", [1, 2, 3])
def test_steps_add_up_to_the_code(codes, slice_bits):
    dac = DAC(bits=5, encoding="bit serial", codes=codes, slice_bits=slice_bits)
    wanted = np.arange(-15, 16, dtype=np.float32)[None]
    steps = dac.phases(wanted)
    assert len(steps) == dac.steps == len(dac.step_bits)
    np.testing.assert_array_equal(sum(weight * part for weight, part in steps), wanted)
    assert max(np.abs(part).max() for _, part in steps) <= dac.drive


def test_a_pulse_width_takes_a_slot_a_level():
    """HERMES: 8-bit pulses fill the integration time; 4-bit ones take 7 of its 127 slots."""
    assert DAC(bits=8, encoding="pulse width").pulse(127e-9) == pytest.approx(127e-9)
    assert DAC(bits=4, encoding="pulse width").pulse(127e-9) == pytest.approx(7e-9)
    assert DAC(bits=4, encoding="pulse width", slot="2 ns").pulse(127e-9) == pytest.approx(14e-9)
    assert DAC(bits=4).pulse(127e-9) == 127e-9


def test_pulses_added_up_in_the_analog_domain_take_one_a_bit():
    dac = DAC(bits=6, encoding="bit serial", slice_bits=5, accumulate="analog")
    assert (dac.unit_times, dac.steps) == (5, 1)


@pytest.mark.parametrize(("kind", "cycles"), [("sar", 6), ("flash", 1), ("ramp", 64)])
def test_cycles_of_a_conversion(kind, cycles):
    adc = ADC(bits=6, kind=kind, clock="1 GHz", columns=4)
    assert adc.conversion_time == pytest.approx(4 * cycles * 1e-9)


def test_noise_leaves_the_effective_bits():
    """A converter of 8 bits with noise of variance (4^2 - 1) / 12 LSB^2 resolves 6."""
    adc = ADC(bits=8, enob=6)
    assert adc.noise**2 == pytest.approx(15 / 12)
    assert adc.bits - np.log2(1 + 12 * adc.noise**2) / 2 == pytest.approx(6)


def test_full_scale_by_rule():
    seen = [np.array([[1.0, -3.0], [2.0, 1.0]])]
    worst = [np.array([8.0, 9.0])]

    def step(**settings):
        return ADC(bits=3, **settings).step(seen, worst, None)[0] * 3

    assert step(range="max", share="column") == pytest.approx([2, 3])
    assert step(range="max", share="tile") == pytest.approx([3, 3])
    assert step(range="worst case", share="column") == pytest.approx([8, 9])
    assert step(range="fixed", margin=4) == pytest.approx([4, 4])
    sigma = step(range="sigma", margin=2, share="column")
    assert sigma == pytest.approx([1.5 + 2 * 0.5, 1 + 2 * 2.0])


def test_a_lossless_range_needs_integers():
    with pytest.raises(ValueError, match="needs integer inputs and weights"):
        ADC(bits=8, range="lossless").step([np.zeros((1, 1))], [np.ones(1)], None)


def test_lossless_bits_by_hand():
    """128 rows of 2-bit cells and 1-bit inputs: sums 0..384, 9 bits; ISAAC, Shafiee et al. 2016."""
    assert lossless_bits(128, 2, 1) == 9
    assert lossless_bits(128, 2, 1, signed=True) == 10
    assert lossless_bits(1, 1, 1) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bits": 1}, "has no code but 0"),
        ({"bits": 4, "codes": "complement"}, "needs encoding='bit serial'"),
        ({"bits": 4, "accumulate": "analog"}, "needs encoding='bit serial'"),
        ({"bits": 4, "slot": "1 ns"}, "is of encoding='pulse width'"),
    ],
)
def test_drivers_that_cannot_be(wrong, message):
    with pytest.raises(ValueError, match=message):
        DAC(**wrong)


def test_more_effective_bits_than_bits_are_refused():
    with pytest.raises(ValueError, match="is more than bits=8"):
        ADC(bits=8, enob=9)
