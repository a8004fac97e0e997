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


def _operations_a_second(name, op):
    """Of one core, without the transfers between bank and scratchpad, as PrIM's microbenchmark times them."""
    n = 2560 << 14
    cycles = int(pim.elementwise(name, op, n).phase_cycles.sel(phase="in-bank MAC"))
    return (1 << 14) / cycles * 350e6


def test_integers_are_added_as_fast_as_measured():
    # PrIM's repository: 1048576 additions of INT32 in 6.28186e6 cycles, 58.4 million a second
    assert _operations_a_second("upmem-int32", "add") == pytest.approx(
        1048576 / 6.28186e6 * 350e6, rel=0.01
    )


def test_multiplying_costs_more_than_adding_where_it_is_software():
    assert _operations_a_second("upmem-int32", "mul") < 0.2 * _operations_a_second(
        "upmem-int32", "add"
    )


@pytest.mark.parametrize("op", ["reduce", "scan", "histogram"])
def test_sums_prefix_sums_and_histograms_are_counted(op):
    answer, add = (pim.elementwise("upmem", o, 2560 << 12) for o in (op, "add"))
    vectors = {"reduce": 1, "scan": 4, "histogram": 1}[op]
    bits = [int(ds.events.sel(event="bank bit")) for ds in (answer, add)]
    assert bits[0] * 3 == pytest.approx(bits[1] * vectors, rel=0.01)
    results = {"reduce": 1, "scan": 1, "histogram": 256}[op]
    assert int(answer.events.sel(event="I/O bit")) == 2560 * 4 * results * 8


def test_tasklets_join_what_each_found():
    core = pim.TARGETS["upmem"]().organisation
    spans = {
        op: core.elementwise(None, op, 2560 << 12, True, None).phases()
        for op in ("add", "reduce", "scan", "histogram")
    }
    assert "waiting for other tasklets" not in spans["add"]
    assert spans["reduce"]["waiting for other tasklets"] == 15 * core.reduce_instructions * 11
    # 4,096 bytes a core are one round of sixteen blocks of 2,048
    assert spans["scan"]["waiting for other tasklets"] == 16 * core.add_instructions * 11
    counted = 4096 * core.histogram_instructions + 2 * 256 * 16 * core.reduce_instructions
    assert spans["histogram"]["in-bank MAC"] == counted


def test_wrapping_sums_are_counted():
    x = np.array([[2.0**20, 1.0]], np.float32)
    w = np.array([[2.0**11, 2.0**10], [0.0, 1.0]], np.float32)  # 2**31 wraps, 2**30 + 1 does not
    y, events = WIDE.program(w).counted(x)
    assert events == {"sums overflowed": 1}
    np.testing.assert_array_equal(y, np.array([[-(2.0**31), 2.0**30]], np.float32))
