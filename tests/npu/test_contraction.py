"""Slices of dot products: utilisations that the furiosa-opt book states, and cycles by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab import npu
from pimlab.machine.protocol import MacOp
from pimlab.npu.arrays import Product

RNGD = npu.chip("rngd").array
SLICE = RNGD.but(slices=1)


def test_peaks_follow_from_slices_lanes_and_packets():
    """512 slices x 8 lanes x 64 B: 524 TOPS of INT8, half of BF16, twice of INT4."""
    for format, tera in (("int8", 524.288), ("bf16", 262.144), ("int4", 1048.576)):
        assert npu.chip("rngd", format).peak() == pytest.approx(tera * 1e12)
    assert npu.chip("warboy").peak() == pytest.approx(65.536e12)


def test_one_slice_by_hand():
    """64 rows of 128 BF16 inputs on 32 outputs: 4 packets of 32 and 4 sets of 8 lanes, 64 x 4 x 4 cycles."""
    work = SLICE.counted(Product(m=64, k=128, n=32, x_bits=16, w_bits=16))
    assert work.total_cycles == 64 * 4 * 4
    assert work.utilisation == 1.0
    assert (work.sram_ofmap_writes, work.sram_ofmap_reads) == (64 * 32 * 4, 64 * 32 * 3)


def test_a_packet_that_meets_one_set_of_lanes_waits_for_the_stream():
    """The stream brings 32 B a cycle and a packet is 64 B: with 8 outputs half of the time is lost."""
    work = SLICE.counted(Product(m=64, k=128, n=8))
    assert (work.total_cycles, work.utilisation) == (64 * 4, 0.5)
    assert SLICE.counted(Product(m=64, k=128, n=16)).utilisation == 1.0


def test_a_packet_of_one_element_uses_one_of_its_multipliers():
    """The book's "K in Time": one of 32 multipliers does useful work for BF16."""
    work = SLICE.counted(Product(m=512, k=1, n=16, x_bits=16, w_bits=16))
    assert work.utilisation == pytest.approx(1 / 32)


def test_parts_of_k_on_slices_are_added():
    two = SLICE.but(slices=2)
    work = two.counted(Product(m=1, k=4096, n=8))
    assert work.total_cycles == 4096 // 2 * 8 // 32 + 1
    assert work.arrays == 2


SIZES = st.integers(1, 3000)


@settings(deadline=None)
@given(SIZES, SIZES, SIZES, st.integers(1, 40), st.sampled_from([4.0, 8.0, 16.0]))
def test_no_slice_does_more_than_its_multipliers_can(m, n, k, groups, bits):
    product = Product(m=m, n=n, k=k, groups=groups, x_bits=bits, w_bits=bits)
    work = RNGD.counted(product)
    assert 0 < work.utilisation <= 1
    assert work.sram_ifmap_reads >= groups * m * k
    assert work.sram_filter_reads >= groups * n * k
    assert 1 <= work.arrays <= RNGD.slices
    assert work.total_cycles <= SLICE.counted(product).total_cycles


def test_depthwise_convolutions_go_over_slices():
    """32 channels of 150 x 150: four slices a channel, one packet a pixel (systolic arrays: 45 times as long)."""
    op = MacOp(name="depthwise", m=150 * 150, k=9, n=1, groups=32)
    machine = npu.chip("warboy").but(lanes=1, efficiency=None)
    assert machine.cycles(op).total_cycles == 150 * 150 // 4
