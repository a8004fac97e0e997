"""Do scalar cores give exact integers, 8 bits by a multiply instruction and 32 by software, wrapping as registers do?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab.dram_pim as pim

WIDE = pim.TARGETS["upmem-int32"]().but(arithmetic=pim.FixedPoint())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 300),
    n=st.integers(1, 9),
    batch=st.integers(1, 4),
)
def test_eight_bit_products_are_those_of_integers(seed, k, n, batch):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-127, 128, (batch, k)), rng.integers(-127, 128, (k, n))
    x[:, 0], w[0] = 127, 127  # the scale of every row and column is then 1
    np.testing.assert_array_equal(pim.matmul(x, w, "upmem"), (x @ w).astype(np.float32))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 200),
    reach=st.sampled_from([100, 40_000, 2**24]),
)
def test_wide_products_wrap_at_32_bits(seed, k, reach):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-reach, reach + 1, (2, k)), rng.integers(-reach, reach + 1, (k, 3))
    accumulator = np.zeros((2, 3), np.uint32)
    for step in range(k):  # each product and each sum cut to 32 bits
        accumulator += x[:, step, None].astype(np.uint32) * w[step].astype(np.uint32)
    np.testing.assert_array_equal(
        pim.matmul(x, w, WIDE), accumulator.view(np.int32).astype(np.float32)
    )


def test_binary_places_scale_back():
    x, w = np.array([[0.5, -1.25]], np.float32), np.array([[3.0], [0.75]], np.float32)
    target = WIDE.but(arithmetic=pim.FixedPoint(fraction=8))
    assert pim.matmul(x, w, target)[0, 0] == 0.5625
    for machine in (target, pim.TARGETS["upmem"]()):
        np.testing.assert_array_equal(pim.matmul(x, w, machine.with_causes(())), x @ w)
    with pytest.raises(ValueError, match="beyond 32 bits"):
        pim.matmul(x, w, WIDE.but(arithmetic=pim.FixedPoint(fraction=30)))


def test_multiplying_in_software_costs_its_instructions():
    narrow, wide = (pim.gemv(name, 4096, 4096) for name in ("upmem", "upmem-int32"))
    ratio = (
        WIDE.organisation.mac_instructions / pim.TARGETS["upmem"]().organisation.mac_instructions
    )
    spent = [int(ds.phase_cycles.sel(phase="in-bank MAC")) for ds in (narrow, wide)]
    assert spent[1] / spent[0] == pytest.approx(ratio)
    assert int(wide.events.sel(event="bank bit")) == 4 * int(narrow.events.sel(event="bank bit"))
