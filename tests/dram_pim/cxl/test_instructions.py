"""pimlab.dram_pim.cxl.instructions: cycles of short programs by hand."""

import pytest

import pimlab as pim
from pimlab.dram_pim.cxl.instructions import CODES, QUEUE, Program, Transfer, gaps

AIM = pim.dram_pim.timing("gddr6-aim")


@pytest.fixture
def program():
    return Program(AIM)


def test_a_product_is_what_the_banks_alone_take(program):
    program.buffers("WRGB", 16, 1)
    program.buffers("WRMAC16", 1, 1)
    program.all_banks("MAC16", 16, "w", 1)
    program.buffers("RDMAC16", 1, 1)
    program.end()
    banks = pim.target("gddr6-aim").organisation.but(channels=16)
    alone = banks.gemv(AIM, 256, 256, 1, False, "aim_simulator")
    assert abs(program.cycles - alone.cycles) <= AIM.tREG
    for name in ("WRGB", "WRMAC16", "MAC16", "RDMAC16", "TMOD", "ACT16"):
        assert program.counts[name] == alone.counts()[name]


def test_an_open_row_is_not_opened_again(program):
    for _ in range(3):
        program.all_banks("MAC16", 4, "same", 2)
    program.all_banks("MAC16", 4, "other", 2)
    program.end()
    assert program.counts["ACT16"] == 2 * 2
    assert program.counts["PREA"] == 2
    assert program.counts["MAC16"] == 2 * 16


def test_a_written_column_closes_all_banks(program):
    program.all_banks("WRA16", 1, "v", 1)
    program.all_banks("WRA16", 1, "v", 1)
    program.end()
    assert program.counts["ACT16"] == 2
    assert program.counts["PREA"] == 0
    gap = AIM.WL + AIM.burst + AIM.tWR + AIM.tRP
    assert gaps(AIM)[CODES["WRA16"], CODES["ACT16"]] == gap
    assert program.cycles == 1 + AIM.tRCDWR + gap + AIM.tRCDWR + AIM.burst
    assert program.open_cycles == program.cycles - gap


def test_long_transfers_go_out_one_a_cycle(program):
    program.transfer([Transfer(True, 4096, 8, (0, 4, 8, 12), "x")])
    assert program.cycles == 4096 + 1
    assert program.counts["WR"] == 4096
    # 512 accesses a round reach 128 channels' worth of four banks, each opened once
    assert program.counts["ACT"] == 512


def test_short_transfers_wait_for_the_last_channel_s_rows(program):
    program.transfer([Transfer(True, 128, 1, (0, 4, 8, 12), "x")])
    assert program.cycles == 128 + 3 * AIM.tRRDL + AIM.tRCDWR + 1 + 1
    program.transfer([Transfer(True, 128, 1, (0, 4, 8, 12), "y")])
    assert program.cycles == 2 * (128 + AIM.tRCDWR + 2) + 3 * AIM.tRRDL + 4 * AIM.tRP
    assert program.counts["PRE"] == 128


def test_one_row_stalls_when_the_queue_is_full(program):
    program.one_row(64, 2)
    assert program.cycles == 2 * (2 * AIM.tRP + AIM.tRCDWR + AIM.tCCDL * (64 - QUEUE))
    assert program.counts["ACT"] == 2


def test_copies_leave_the_rows_of_other_banks_open(program):
    program.all_banks("EWMUL16", 2, "a", 1)
    program.one_bank("RDCP", 2, 2, "a", 1)
    program.one_bank("WRCP", 2, 1, "b", 1)
    program.one_bank("RDCP", 2, 6, "a", 1)
    program.end()
    assert (program.counts["PRE"], program.counts["ACT"], program.counts["PREA"]) == (1, 1, 0)
