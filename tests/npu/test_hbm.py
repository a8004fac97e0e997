"""Stacked DRAM by address: a bijection, its bandwidth, and rows that are switched."""

import numpy as np
import pytest

from pimlab.npu.dma import tensor_dma

HBM = tensor_dma("rngd").hbm
KIB = 1024


def test_a_channels_rate_is_that_of_the_book():
    assert HBM.bandwidth == pytest.approx(1.536e12)  # 32 x 48 GB/s, printed as 1.5 TB/s


def test_the_book_says_which_bits_choose_the_first_bit_of_the_channel():
    flips = [1 << bit for bit in (9, 13, 17, 21, 25)]
    channels = HBM.place(np.array([0, *flips])).channel
    assert channels.tolist() == [0, 1, 1, 1, 1, 1]
    assert HBM.place(np.array([1 << 29, 1 << 33])).channel.tolist() == [0, 0]
    assert HBM.place(np.array([256])).channel.tolist() == [16]


@pytest.mark.parametrize(
    "start", [0, 2**20, 5 * 2**30, 2**34 - 2**22, 2**34, 2**35, 3 * 2**34 - 2**23]
)
def test_no_two_requests_have_one_place(start):
    address = start + 256 * np.arange(2**14)
    place = HBM.place(address)
    column = (address >> 14) & 7
    keys = set(zip(*(part.tolist() for part in place), column.tolist(), strict=True))
    assert len(keys) == len(address)
    assert place.row.max() < 2**14
    assert place.bank.max() < 48
    assert np.bincount(place.channel).tolist() == [len(address) // 32] * 32


def test_the_third_slice_begins_at_32_gb():
    assert HBM.place(np.array([2**34, 2**34 + 2**20])).group.tolist() == [8, 8]
    assert HBM.place(np.array([2**34, 2**34 + 2**20])).row.tolist() == [0, 8192]
    assert HBM.place(np.array([2**35])).row.tolist() == [8192]


def test_a_long_read_runs_at_full_rate():
    address = 256 * np.arange(2**16)
    assert HBM.nanoseconds(address) == pytest.approx(256 * 2**16 / HBM.bandwidth * 1e9)


def test_rows_of_one_bank_in_turn_cost_a_switch_each():
    rows = 2**29 * np.arange(32)  # of one bank of channel 0
    assert HBM.nanoseconds(rows) == 32 * 40


def test_a_queue_takes_requests_of_one_row_together():
    """Two rows in turn, 64 requests: two switches, less than the transfers of one bank group."""
    in_turn = np.tile([0, 2**29], 32)
    assert HBM.nanoseconds(in_turn) == pytest.approx(64 * 4 * 4 / 1.5)


def test_one_row_after_another_is_opened_beside_transfers():
    rows = np.repeat(2**29 * np.arange(4), 64)
    assert HBM.nanoseconds(rows) == pytest.approx(256 * 4 * 4 / 1.5)


def test_nothing_takes_no_time_and_boundaries_count_twice():
    assert HBM.nanoseconds(np.zeros(0, dtype=np.int64)) == 0.0
    address = 256 * np.arange(1024)
    assert HBM.nanoseconds(address, 2.0) == 2 * HBM.nanoseconds(address)
