"""Do narrow accumulators wrap and saturate as integers of that width do, and is every overflow counted?"""

import numpy as np
import pytest

from pimlab.npu.accumulators import Accumulator, integer_product

RNG = np.random.default_rng(0)
X = RNG.integers(-128, 128, (5, 70)).astype(np.int8)
W = RNG.integers(-128, 128, (70, 9)).astype(np.int8)
START = RNG.integers(-999, 999, 9)
EXACT = X.astype(np.int64) @ W.astype(np.int64) + START


def one_by_one(bits, chunk):
    """Sums of Python's integers, clipped after every `chunk` products."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    held = np.empty(EXACT.shape, np.int64)
    for i, j in np.ndindex(held.shape):
        total = min(max(int(START[j]), low), high)
        for first in range(0, 70, chunk):
            part = slice(first, first + chunk)
            total += sum(int(a) * int(b) for a, b in zip(X[i, part], W[part, j], strict=True))
            total = min(max(total, low), high)
        held[i, j] = total
    return held


@pytest.mark.parametrize("bits", [2, 16, 17, 32, 64])
def test_the_ends_are_those_of_twos_complement(bits):
    unit = Accumulator(bits=bits)
    assert (unit.lowest, unit.highest) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def test_sums_that_fit_are_exact_and_none_overflows():
    y, changed = integer_product(X, W, START, Accumulator())
    assert changed == 0
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, EXACT)


def test_unsigned_bytes_are_no_negative_ones():
    x = (X.astype(int) + 128).astype(np.uint8)
    y, _ = integer_product(x, W, START, Accumulator())
    np.testing.assert_array_equal(y, x.astype(np.int64) @ W.astype(np.int64) + START)


@pytest.mark.parametrize("chunk", [None, 1, 7])
def test_wrapping_keeps_the_low_bits_whatever_the_chunk(chunk):
    y, changed = integer_product(X, W, START, Accumulator(bits=16, chunk=chunk))
    np.testing.assert_array_equal(y, ((EXACT + 2**15) % 2**16) - 2**15)
    assert changed == np.count_nonzero(abs(EXACT + 0.5) > 2**15) > 0


@pytest.mark.parametrize("chunk", [1, 7, 70])
def test_saturation_clips_after_every_chunk(chunk):
    unit = Accumulator(bits=16, overflow="saturate", chunk=chunk)
    y, changed = integer_product(X, W, START, unit)
    wanted = one_by_one(16, chunk)
    np.testing.assert_array_equal(y, wanted)
    assert changed == np.count_nonzero(wanted != EXACT) > 0


def test_a_chunk_of_all_clips_once():
    unit = Accumulator(bits=16, overflow="saturate")
    y, _ = integer_product(X, W, START, unit)
    np.testing.assert_array_equal(y, np.clip(EXACT, -(2**15), 2**15 - 1))


def test_wide_sums_are_wide():
    wide = RNG.integers(-(2**16), 2**16, (2, 70)).astype(np.int32)
    other = RNG.integers(-(2**16), 2**16, (70, 3)).astype(np.int32)
    y, changed = integer_product(wide, other, np.zeros(3, np.int64), Accumulator(bits=64))
    assert (y.dtype, changed) == (np.int64, 0)
    np.testing.assert_array_equal(y, wide.astype(np.int64) @ other.astype(np.int64))


@pytest.mark.parametrize("wrong", [{"bits": 1}, {"bits": 65}, {"overflow": "trap"}, {"chunk": 0}])
def test_accumulators_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Accumulator(**wrong)
