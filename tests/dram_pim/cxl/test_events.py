"""pimlab.dram_pim.cxl.events: prices and counts by hand."""

import pytest

import pimlab as pim
from pimlab.dram_pim.cxl.events import added, counted, prices, times
from pimlab.dram_pim.cxl.instructions import Program

TABLE = pim.catalogue.entry("systems", "cent")


def test_prices_are_power_times_time():
    found = prices(TABLE)
    assert found["row activation"].constant.value == pytest.approx(66.3e-3 * 44.5e-9)
    assert found["all-bank MAC"].constant.value == pytest.approx(3 * 438.15e-3 * 1e-9)
    assert found["open standby second"].constant.value == pytest.approx(0.26375)
    assert all(price.constant.sources == ("cent",) for price in found.values())


def test_counts_of_a_short_program():
    target = pim.target("gddr6-aim")
    program = Program(target.timing)
    program.buffers("WRGB", 4, 32)
    program.all_banks("MAC16", 4, "w", 32)
    program.end()
    events = counted(program, target.organisation, target.timing, 32)
    assert events["row activation"] == 16 * 32
    assert events["all-bank MAC"] == 4 * 32
    assert events["I/O bit"] == 4 * 32 * 256
    assert events["controller request"] == 8 * 32
    assert events["controller command"] == (8 + 1 + 2) * 32
    seconds = program.cycles * target.timing.tCK
    assert events["device second"] == seconds
    total = events["open standby second"] + events["closed standby second"]
    assert total == pytest.approx(32 * seconds)


def test_sums():
    assert added({"a": 1.0}, {"a": 2.0, "b": 1.0}) == {"a": 3.0, "b": 1.0}
    assert times({"a": 2.0}, 3) == {"a": 6.0}
