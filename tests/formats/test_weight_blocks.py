"""Do blocks of 32 hold the codes and scales that the rules by their names say, number by number?"""

import numpy as np
import pytest

from pimlab.formats.weight_blocks import RULES

RNG = np.random.default_rng(7)
BLOCKS = (RNG.normal(size=(40, 32)) * np.logspace(-3, 3, 40)[:, None]).astype(np.float32)


@pytest.mark.parametrize(("rule", "steps"), [("q4_0", 8), ("q8_0", 127)])
def test_symmetric_rules_are_within_half_a_step(rule, steps):
    codes, scale, offset = RULES[rule](BLOCKS)
    assert (offset == 0).all()
    largest = np.abs(BLOCKS).max(axis=1)
    np.testing.assert_allclose(np.abs(scale), largest / steps, rtol=1e-3, atol=3e-8)
    error = np.abs(codes * scale[:, None] - BLOCKS)
    step = np.abs(scale)[:, None]
    # of 16 signed codes the positive end has one less
    assert (error <= (1.01 if rule == "q4_0" else 0.51) * step + 2e-3 * largest[:, None]).all()


def test_the_largest_value_of_q4_0_takes_the_lowest_code():
    codes, scale, _ = RULES["q4_0"](BLOCKS)
    at = np.abs(BLOCKS).argmax(axis=1)
    assert (codes[np.arange(40), at] == -8).all()
    np.testing.assert_array_equal(np.sign(scale), -np.sign(BLOCKS[np.arange(40), at]))


def test_q4_1_spans_from_the_least_to_the_largest():
    codes, scale, offset = RULES["q4_1"](BLOCKS)
    assert codes.min() == 0
    assert codes.max() == 15
    np.testing.assert_allclose(offset, BLOCKS.min(axis=1), rtol=1e-3)
    np.testing.assert_allclose(offset + 15 * scale, BLOCKS.max(axis=1), rtol=5e-3, atol=1e-6)


@pytest.mark.parametrize("rule", list(RULES))
def test_scales_are_binary16_and_zeros_stay(rule):
    codes, scale, offset = RULES[rule](np.zeros((2, 32), np.float32))
    assert (codes * scale[:, None] + offset[:, None] == 0).all()
    with pytest.raises(ValueError, match=f"{rule}.*binary16"):
        RULES[rule](np.full((1, 32), 3e38, np.float32) * np.linspace(-1, 1, 32, dtype=np.float32))
