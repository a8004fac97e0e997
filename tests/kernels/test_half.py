"""Is every binary16 number, infinities, NaN and subnormals included, added, multiplied and chained as NumPy's float16 does?"""

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.dram_pim import layout

EVERY = np.arange(2**16, dtype=np.uint16).view(np.float16)
SMALL = np.arange(2**11, dtype=np.uint16).view(np.float16)


def _same(ours, reference):
    """Equal bit for bit; a NaN meets any NaN."""
    halves, nan = ours.astype(np.float16), np.isnan(reference)
    np.testing.assert_array_equal(np.isnan(ours), nan)
    np.testing.assert_array_equal(halves.view(np.uint16)[~nan], reference.view(np.uint16)[~nan])


def _partners(seed):
    """Every number against a permutation of them, of the subnormals, and of numbers near the largest."""
    rng = np.random.default_rng(seed)
    return (
        rng.permutation(EVERY),
        np.resize(rng.permutation(SMALL), EVERY.size),
        rng.uniform(3e4, 65504, EVERY.size).astype(np.float16),
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_number_meets_numpys_arithmetic(seed):
    c = np.random.default_rng(seed + 9).permutation(EVERY)
    with np.errstate(all="ignore"):
        for b in _partners(seed):
            _same(pim.combine("add", EVERY, b), EVERY + b)
            _same(pim.combine("mul", EVERY, b), EVERY * b)
            _same(pim.combine("mad", EVERY, b, c), EVERY * b + c)


@pytest.mark.parametrize("reach", [1.0, 100.0, 3e-4])
def test_chains_meet_numpys_where_sums_overflow_or_vanish(reach):
    rng = np.random.default_rng(int(reach))
    x = (reach * rng.standard_normal((5, 2, 40))).astype(np.float16)
    w = (reach * rng.standard_normal((2, 40, 70))).astype(np.float16)
    total = np.zeros((5, 70), np.float16)
    with np.errstate(all="ignore"):
        for lane in range(2):
            accumulator = np.zeros((5, 70), np.float16)
            for step in range(40):
                accumulator = x[:, lane, step, None] * w[lane, step] + accumulator
            total = total + accumulator
    assert np.isinf(total).any() == (reach == 100.0)
    _same(layout.product(x.astype(np.float32), w.astype(np.float32)), total)


def test_casts_meet_numpys_for_floats_of_every_size():
    floats = np.random.default_rng(4).integers(0, 2**32, 2**16, dtype=np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        _same(layout.to_half(floats), floats.astype(np.float16))
