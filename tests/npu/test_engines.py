"""Engines of a tensor unit: cycles by hand, and what the hardware does not do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.npu import engines
from pimlab.npu.sequencer import Sequencer


def test_the_sub_context_reads_8_bytes_at_a_time():
    stream = Sequencer(loops=((16, 32), (32, 1)), packet=32)
    assert engines.fetch_cycles(stream) == 16
    assert engines.fetch_cycles(stream, "sub") == 64


def test_a_packet_of_24_bytes_takes_three_accesses():
    assert engines.fetch_cycles(Sequencer(loops=((5, 24), (24, 1)), packet=24)) == 15


def test_half_a_byte_cannot_be_read():
    with pytest.raises(ValueError, match="1 elements of 4 bits in a row are no whole bytes"):
        engines.fetch_cycles(Sequencer(loops=((3, 2), (1, 1)), packet=1, bits=4))


@pytest.mark.parametrize(("valid", "sub"), [(8, 1), (16, 2), (24, 3), (32, 4)])
def test_a_commit_takes_a_cycle_a_packet_in_the_main_context(valid, sub):
    assert engines.commit_cycles(10, valid) == 10
    assert engines.commit_cycles(10, valid, "sub") == 10 * sub


def test_what_the_engines_do_not_do_is_refused():
    with pytest.raises(ValueError, match="valid_bytes=12 is not one of 8, 16, 24, 32"):
        engines.commit_cycles(1, 12)
    with pytest.raises(ValueError, match="ring=3 does not divide the 256 slices"):
        engines.switch_cycles(3, 1, 32)
    with pytest.raises(ValueError, match="in_cols=12"):
        engines.transpose_cycles(4, 12, 12, 1)
    with pytest.raises(ValueError, match="lanes=9 is outside 1..8"):
        engines.slots("sequential", 9, 1)
    with pytest.raises(ValueError, match="columns=33 is outside 1..32"):
        engines.slots("interleaved", 1, 33)
    with pytest.raises(ValueError, match="packet_bytes=0"):
        engines.flits(0)


@given(st.integers(1, 8), st.integers(1, 32), st.integers(1, 9))
def test_sums_never_leave_faster_than_the_bus_of_8_values(lanes, columns, sums):
    for mode in ("interleaved", "sequential"):
        cycles = engines.leave_cycles(mode, sums, lanes, columns)
        assert 8 * cycles >= sums * lanes * columns


def test_slots_share_the_1024_cells():
    assert [engines.slots("interleaved", 8, columns) for columns in (1, 8, 32)] == [128, 16, 4]
    assert [engines.slots("sequential", lanes, 1) for lanes in (1, 2, 8)] == [32, 16, 4]


def test_two_buffers_overlap_up_to_16_columns():
    alone, two = (engines.transpose_cycles(8, 16, 16, turns) for turns in (1, 2))
    assert (alone, two) == (32, 48)
    assert engines.transpose_cycles(8, 32, 32, 2) == 2 * engines.transpose_cycles(8, 32, 32, 1)
