"""Do banks round where they say they do?"""

import numpy as np
import pytest

from pimlab.dram_pim import TARGETS
from pimlab.dram_pim.arithmetic import _HALVES, AnyFormat, Bf16Tree, FixedPoint, HalfLanes
from pimlab.formats import FloatAccumulator
from pimlab.machine.protocol import Calibration, Range
from pimlab.machine.stored import Affine, StoredProduct, StoredWeights

ORG = TARGETS["hbm-pim"]().organisation


def multiply(unit, x, w):
    x, w = np.atleast_2d(np.float32(x)), np.float32(w).reshape(-1, 1)
    return unit.multiply(x, unit.lay(w, ORG, None))


def test_half_lanes_round_product_and_sum():
    """2048 + 1 is 2048 in binary16, so a lane that has 2048 keeps it; exact sums keep both."""
    ones = np.ones(32, np.float32)
    x = np.zeros(32, np.float32)
    x[0], x[16] = 2048.0, 1.0
    assert multiply(HalfLanes(), x, ones) == 2048
    assert multiply(HalfLanes(accumulation="float32"), x, ones) == 2049


def test_a_sum_beyond_binary16_is_infinite_and_counted():
    unit, x, w = HalfLanes(), np.full((1, 2), 60000, np.float32), np.full((2, 1), 1, np.float32)
    laid = unit.lay(w, ORG, None)
    y = unit.multiply(x, laid)
    assert np.isinf(y).all()
    assert unit.overflowed(x, laid, y) == 1
    with pytest.raises(ValueError, match="1 weights are beyond binary16"):
        unit.lay(np.full((1, 1), 7e4, np.float32), ORG, None)


def test_lanes_add_up_to_the_product():
    unit, rng = HalfLanes(), np.random.default_rng(1)
    x, w = rng.integers(-3, 4, (2, 40)), rng.integers(-3, 4, (40, 3))
    x, w = x.astype(np.float32), w.astype(np.float32)
    laid = unit.lay(w, ORG, None)
    assert unit.lanes(x, laid).sum(axis=-1) == pytest.approx(x @ w)
    with pytest.raises(ValueError, match="has no lanes"):
        HalfLanes(accumulation="float32").lanes(
            x, HalfLanes(accumulation="float32").lay(w, ORG, None)
        )


def test_a_tree_of_halves_pairs_what_lies_eight_apart():
    pairs = _HALVES.reshape(8, 2)
    assert (pairs[:, 1] - pairs[:, 0] == 8).all()
    assert sorted(_HALVES) == list(range(16))


def test_bf16_operands_lose_their_last_bits():
    """257 has nine significant bits and bfloat16 keeps eight: 256."""
    assert multiply(Bf16Tree(), [257.0], [1.0]) == 256
    exact = Bf16Tree().with_causes(())
    assert multiply(exact, [257.0], [1.0]) == 257
    assert exact.causes == ()


def test_fixed_point_wraps_at_32_bits_and_says_how_often():
    unit = FixedPoint(fraction=0)
    x, w = np.float32([[2**16, 1]]), np.float32([[2**15], [1]])
    laid = unit.lay(w, ORG, None)
    y = unit.multiply(x, laid)
    assert y[0, 0] == -(2**31) + 1 or y[0, 0] == np.float32(-(2**31) + 1)
    assert unit.overflowed(x, laid, y) == 1
    assert multiply(FixedPoint(fraction=4), [0.25], [1.5]) == 0.375
    with pytest.raises(ValueError, match="1 values times 2\\*\\*30 are beyond 32 bits"):
        multiply(FixedPoint(fraction=30), [2.0], [1.0])


def test_any_format_has_a_scale_a_row_and_an_output():
    x, w = np.float32([[127, 1], [1e-3, 0]]), np.float32([[1.0, 1e-4], [0.0, 0.0]])
    unit = AnyFormat()
    assert unit.multiply(x, unit.lay(w, ORG, None)) == pytest.approx(x @ w, rel=1e-6)
    with pytest.raises(ValueError, match="integers multiply integers, floats floats"):
        AnyFormat(weights="int8", inputs="fp16")
    with pytest.raises(ValueError, match="integers are summed exactly"):
        AnyFormat(accumulator=FloatAccumulator(format="fp16"))


@pytest.mark.parametrize("unit", [FixedPoint(), AnyFormat()])
def test_without_its_format_a_unit_is_exact(unit):
    assert unit.with_causes(unit.causes) == unit
    assert multiply(unit.with_causes(()), [0.1], [0.3]) == np.float32(
        np.float32(0.1) * np.float64(np.float32(0.3))
    )


def test_only_lanes_have_lanes():
    with pytest.raises(ValueError, match="only HalfLanes has lanes"):
        FixedPoint().lanes(np.zeros((1, 1)), None)


def in_codes(k=6, n=3, bits=8):
    """Calibration of a product that a file holds in codes, its weights and integer codes."""
    rng = np.random.default_rng(k)
    top = 2 ** (bits - 1) - 1
    codes, scale = rng.integers(-top, top + 1, (1, k, n)), np.float32([[[0.5, 0.25, 0.7]]])
    w = codes[0].astype(np.float32) * scale[0]
    x = Affine(bits=8, signed=True, scale=0.3, zero_point=2)
    known = Calibration(
        x=Range(low=-30, high=30),
        y=Range(low=-9, high=9),
        sample=np.zeros((1, k), np.float32),
        rule="minmax",
        stored=StoredProduct(codes, scale, x),
        held=StoredWeights(codes, scale, np.zeros(k, int), bits),
    )
    steps = rng.integers(-128 - 2, 128 - 2, (4, k))
    return known, w, (steps * np.float32(0.3)).astype(np.float32), steps @ codes[0] * 0.3 * scale[0]


@pytest.mark.parametrize("unit", [AnyFormat(), FixedPoint(fraction=4)], ids=["int8", "fixed"])
def test_banks_with_integers_multiply_the_codes_of_the_file(unit):
    known, w, x, y = in_codes()
    laid = unit.lay(w, ORG, known)
    assert laid.weights_as == "the model's codes"
    np.testing.assert_allclose(unit.multiply(x, laid), y, rtol=1e-6, atol=1e-4)
    other = unit.lay(w * np.float32(1.01), ORG, known)
    assert other.weights_as != "the model's codes"
    assert np.abs(unit.multiply(x, other) / np.float32(1.01) - y).max() > 0.01


def test_fixed_point_multiplies_codes_by_inputs_of_its_own():
    known, w, x, _ = in_codes()
    alone = Calibration(x=known.x, y=known.y, sample=known.sample, rule="", held=known.held)
    unit = FixedPoint(fraction=8)
    laid = unit.lay(w, ORG, alone)
    np.testing.assert_allclose(unit.multiply(x, laid), np.rint(x * 256) / 256 @ w, rtol=1e-5)
    assert unit.overflowed(x, laid, x) == 0
    assert unit.overflowed(np.full_like(x, 8e6), laid, x) > 0


def test_banks_with_floats_say_in_which_format_they_hold_values():
    known, w, _, _ = in_codes()
    for unit, said in ((HalfLanes(), "fp16"), (Bf16Tree(), "bf16"), (AnyFormat(inputs="fp16", weights="fp16"), "fp16")):  # fmt: skip
        assert unit.lay(w, ORG, known).weights_as == f"values in {said}"
