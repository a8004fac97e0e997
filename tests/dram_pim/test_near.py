"""Does an accelerator beside a memory take the longer of reading and multiplying, and reuse what it read?"""

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.dram_pim import prices as event
from pimlab.kernels.dram_timing import READ, WRITE

ORG = pim.NearMemory(
    clock="1 GHz",
    lanes=64,
    bandwidth="32 GB/s",
    host_bandwidth="8 GB/s",
    capacity=1 << 20,
    vectors=4,
)


def test_one_vector_waits_for_the_memory():
    done = ORG.gemv(None, 256, 100, 1, True, None)  # 51,200 bytes at 32 a cycle, 25,600 MACs by 64
    assert done.phases() == {"MAC": 400, "memory": 1200}
    assert done.cycles == 1600
    assert done.events == {
        event.MAC: 25_600,
        event.ARRAY_BIT: 409_600,
        event.IO_BIT: 409_600,
        event.REGISTER_BIT: 1600,
    }


def test_vectors_that_are_held_share_a_pass():
    four, five = (ORG.gemv(None, 256, 100, batch, True, None) for batch in (4, 5))
    assert four.phases() == {"MAC": 1600}
    assert four.counts() == {"pass": 1, "byte": 51_200}
    assert five.phases() == {"MAC": 2000, "memory": 1200}
    assert ORG.gemv_summary(None, 256, 100, 5, True, None).cycles == five.cycles == 3200


def test_two_accelerators_take_half_of_the_outputs_each():
    one, two = ORG, ORG.but(channels=2)
    assert two.gemv(None, 256, 100, 1, True, None).cycles == 800
    assert two.gemv(None, 255, 100, 1, True, None).cycles == 800
    assert two.occupancy(256, 100) == one.occupancy(128, 100)
    counted = (o.gemv(None, 256, 100, 1, True, None).events for o in (one, two))
    single, double = counted
    assert double == single | {event.REGISTER_BIT: 2 * single[event.REGISTER_BIT]}


def test_a_host_reads_at_its_own_rate():
    read, written = (ORG.host_summary(None, 8000, kind, True, None) for kind in (READ, WRITE))
    assert read.cycles == written.cycles == 1000
    assert read.events == {event.ARRAY_BIT: 64_000, event.IO_BIT: 64_000}
    assert written.events[event.ARRAY_WRITE_BIT] == 64_000


def test_what_it_has_not_is_refused():
    with pytest.raises(ValueError, match="needs 2000000 bytes a memory; there are 1048576"):
        ORG.macs_done(1000, 1000, 1)
    with pytest.raises(ValueError, match="operator"):
        ORG.elementwise(None, "add", 10, True, None)
    with pytest.raises(ValueError, match="operator"):
        ORG.elements_done(10, "add")
    with pytest.raises(ValueError, match="compat='pimsimulator'"):
        ORG.gemv(None, 4, 4, 1, True, "pimsimulator")
    with pytest.raises(ValueError, match="needs timing=None"):
        ORG.check_timing(pim.timing("hbm2"))
    with pytest.raises(ValueError, match="issue no DRAM commands"):
        pim.trace("cxl-pnm", "gemv", m=4, k=4)


def test_values_are_products_of_halves_summed_in_float32():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((3, 40), (40, 5)))
    halves = (a.astype(np.float16).astype(np.float64) for a in (x, w))
    expected = np.matmul(*halves).astype(np.float32)
    np.testing.assert_array_equal(pim.matmul(x, w, "cxl-pnm"), expected)
