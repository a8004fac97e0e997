"""What does a host pay at the pins of a memory that computes?"""

import pytest

from pimlab.dram_pim import TARGETS
from pimlab.dram_pim import prices as event
from pimlab.dram_pim.pins import LONGEST, timed
from pimlab.kernels.dram_timing import READ, WRITE

TARGET = TARGETS["hbm-pim"]()
ORG, TIMING = TARGET.organisation, TARGET.timing


def test_bits_that_are_read_cross_the_pins():
    done = ORG.host(TIMING, 64, READ, False, None)
    assert done.events[event.ARRAY_BIT] == 64 * ORG.channels * ORG.access_bits
    assert done.events[event.IO_BIT] == done.events[event.ARRAY_BIT]
    assert done.events[event.ARRAY_WRITE_BIT] == done.events[event.MAC] == 0


def test_bits_that_are_written_are_counted_apart():
    done = ORG.host(TIMING, 64, WRITE, False, None)
    assert done.events[event.ARRAY_WRITE_BIT] == done.events[event.IO_BIT] > 0
    assert done.events[event.ARRAY_BIT] == 0


def test_a_long_sequence_is_stretched_and_close_to_proportional():
    one = ORG.host_summary(TIMING, LONGEST, READ, True, None)
    three = ORG.host_summary(TIMING, 3 * LONGEST, READ, True, None)
    assert three.cycles == pytest.approx(3 * one.cycles, rel=1e-3)
    assert three.events[event.IO_BIT] == 3 * one.events[event.IO_BIT]


def test_refreshes_a_second():
    """One each tREFI, channel and rank."""
    assert ORG.refreshes_a_second(TIMING) == pytest.approx(
        ORG.channels * ORG.ranks / (TIMING.tREFI * ORG.cycle(TIMING))
    )


def test_a_memory_without_a_timing_table_is_refused():
    with pytest.raises(ValueError, match=r"BankPim needs a timing table, such as timing\('hbm2'\)"):
        timed(None, "BankPim")
    with pytest.raises(ValueError, match="needs a timing table"):
        ORG.check_timing(None)
