"""pimlab.dram_pim.cxl.units: cycles of the near-memory units by hand."""

import pytest

import pimlab as pim

UNITS = pim.dram_pim.cxl_devices("cent", devices=1).units


def test_the_units_of_a_block_are_the_artefact_s():
    # LLaMA-2 7B at 128 tokens in CENT's table of results: 0.00233 ms
    assert UNITS.block(4096, 4096, 32, 128, 32) == pytest.approx(0.00233e-3, rel=1e-6)


def test_softmax_by_hand():
    # 16 vectors of 16 over two channels: 14 + 6 cycles a pass, one head of 18.25
    assert UNITS.softmax(256, 1, 2) == pytest.approx((8 * (14 + 6) + 18.25) * 0.5e-9)


def test_rotary_and_events_scale():
    assert UNITS.rotary(2048, 0) == 2 * UNITS.rotary(1024, 0)
    events = UNITS.events(1024, 1024, 8, 256)
    assert events["exponential"] == 128
    assert events["reduction"] == 10
