"""Fetches of a product that does not fit: against every block, and against the bound."""

from __future__ import annotations

import math

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pimlab import npu
from pimlab.machine.protocol import MacOp
from pimlab.npu.tiling import Operands, fetches

BITS = Operands(x=8.0, w=8.0, sum=32.0, slab=4)


def tried(m, n, k, capacity):
    """The least bits fetched over every block of sums that fits with its slabs."""
    costs = [
        8 * k * (m * math.ceil(n / columns) + n * math.ceil(m / rows))
        for rows in range(1, m + 1)
        for columns in range(1, n + 1)
        if rows * columns * 32 + 2 * 4 * (rows + columns) * 8 <= capacity
    ]
    return min(costs, default=None)


@settings(deadline=None)
@given(st.integers(1, 24), st.integers(1, 16), st.integers(4, 60), st.integers(200, 20_000))
def test_the_best_of_every_block_is_found(m, n, k, capacity):
    least = tried(m, n, k, capacity)
    assume(least is not None)
    x_fetches, w_fetches = fetches(m, n, k, BITS, capacity)
    assert 8 * k * (m * x_fetches + n * w_fetches) == least


def test_what_fits_is_fetched_once_and_the_rest_near_the_bound():
    assert fetches(100, 100, 1000, BITS, 1e6) == (1, 1)
    m = n = k = 8192
    x_fetches, w_fetches = fetches(m, n, k, Operands(x=8.0, w=8.0, sum=32.0, slab=32), 32e6)
    side = math.sqrt(32e6 / 32)
    assert m / side <= (x_fetches + w_fetches) / 2 <= 1.05 * m / side


def test_large_products_keep_the_arrays_busy():
    """Every machine's ridge lies below what blocking in its SRAM reaches."""
    op = MacOp(name="gemm", m=8192, k=8192, n=8192)
    for name in npu.chips():
        assert npu.chip(name).but(efficiency=None).utilisation(op) > 0.8, name
