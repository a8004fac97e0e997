"""Sequencers: the book's configurations, addresses by hand, and loops that are none."""

import numpy as np
import pytest

from pimlab.npu.sequencer import Sequencer


def test_the_books_configuration_of_contiguous_loops():
    """[4 : 192, 3 : 64, 8 : 8, 8 : 1] : 8 runs over 768 elements, 8 of them an access."""
    one = Sequencer(loops=((4, 192), (3, 64), (8, 8), (8, 1)), packet=8)
    assert (one.contiguous_run(), one.max_access(), one.packets) == (768, 8, 96)
    assert one.merged() == ((768, 1),)


def test_a_gap_between_rows_ends_the_run():
    """Rows of 8 padded to 16: a packet of 32 is four accesses of 8."""
    one = Sequencer(loops=((4, 16), (8, 1)), packet=32)
    assert (one.contiguous_run(), one.max_access()) == (8, 8)
    with pytest.raises(ValueError, match=r"packet=32 is not one run of elements \(the run is 8\)"):
        one.addresses()


def test_the_book_merges_nine_loops_into_six():
    loops = ((2, 16), (2, 32), (4, 64), (4, 512), (2, 256), (4, 4096), (2, 2048), (2, 8), (8, 1))
    merged = Sequencer(loops=loops, packet=8).merged()
    assert merged == ((2, 16), (2, 32), (4, 64), (8, 256), (8, 2048), (16, 1))


def test_addresses_of_packets_in_order():
    one = Sequencer(loops=((2, 100), (2, 10), (4, 1)), packet=2, base=7)
    assert one.addresses().tolist() == [7, 9, 17, 19, 107, 109, 117, 119]


def test_a_packet_may_span_loops_that_follow_each_other():
    one = Sequencer(loops=((3, 64), (4, 8), (8, 1)), packet=16)
    assert one.addresses().tolist() == [0, 16, 64, 80, 128, 144]


def test_a_loop_of_stride_0_reads_again():
    one = Sequencer(loops=((3, 0), (4, 1)), packet=4)
    assert np.array_equal(one.addresses(), [0, 0, 0])


@pytest.mark.parametrize(
    ("loops", "error", "message"),
    [
        ((), ValueError, "has no loop"),
        (((2, 1), 3), TypeError, r"loop 3 is not \(size, stride\)"),
        (((0, 1),), ValueError, r"loop \(0, 1\) has a size outside 1..65536"),
        (((70000, 1),), ValueError, "outside 1..65536"),
        ("loops", TypeError, "is not a list"),
        (tuple((2, 3**n) for n in range(9)), ValueError, "has 9 loops, and the hardware runs 8"),
    ],
)
def test_loops_that_are_none_are_named(loops, error, message):
    with pytest.raises(error, match=message):
        Sequencer(loops=loops, packet=1)


def test_a_packet_divides_the_stream():
    with pytest.raises(ValueError, match="packet=3 does not divide its 4 elements"):
        Sequencer(loops=((4, 1),), packet=3)
