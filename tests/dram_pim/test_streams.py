"""Does each stream ask for every column that it must, once, in the order that it says?"""

from collections import Counter

import numpy as np
import pytest

from pimlab.dram_pim import streams
from pimlab.dram_pim.geometry import BankPairs
from pimlab.kernels.dram_timing import READ, WRITE

ORG = BankPairs(
    channels=2, ranks=1, banks=8, bank_groups=4, rows=256, columns=32, access_bits=256,
    units=4, lanes=16, registers=8,
)  # fmt: skip
KIND, BANK, ROW, SCOPE, BARRIER, HOLD = range(6)


def phase(stream, name):
    return stream.phase == streams.PHASES.index(name)


def test_a_host_visits_every_place_once_and_groups_first():
    count = 8 * 32 * 3
    asked = streams.host(ORG, count)
    places = list(zip(asked.requests[:, BANK], asked.requests[:, ROW], asked.column, strict=True))
    assert len(set(places)) == count
    assert Counter(asked.requests[:, ROW].tolist()) == {0: 256, 1: 256, 2: 256}
    groups = asked.requests[:8, BANK] // 2
    assert (np.diff(groups) != 0).all(), "neighbours lie in other groups"
    later = streams.host(ORG, 5, WRITE, first=100)
    np.testing.assert_array_equal(later.column, asked.column[100:105])
    assert set(later.requests[:, KIND]) == {WRITE}


def test_a_product_reads_each_weight_once_a_vector():
    batch, (out, even, odd) = 2, ORG.tiles(100, 300)
    asked = streams.gemv(ORG, 100, 300, batch)
    reads = asked.requests[phase(asked, streams.MAC)]
    assert len(reads) == batch * out * (even + odd) * ORG.reads_per_tile
    assert Counter(reads[:, BANK].tolist()) == {
        0: batch * out * even * ORG.reads_per_tile,
        1: batch * out * odd * ORG.reads_per_tile,
    }
    where = Counter(
        zip(reads[:, BANK], reads[:, ROW], asked.column[phase(asked, streams.MAC)], strict=True)
    )
    assert set(where.values()) == {batch}
    results = asked.requests[phase(asked, streams.RESULT)]
    assert len(results) == batch * out * ORG.registers
    assert set(results[:, KIND]) == {WRITE}


@pytest.mark.parametrize("op", list(streams.OPERATORS))
def test_an_elementwise_operator_reads_its_operands_and_writes_its_result(op):
    elements = 3 * ORG.elements_per_step - 1
    asked = streams.elementwise(ORG, op, elements)
    wanted = Counter(streams.OPERATORS[op])
    reads, writes = (phase(asked, name).sum() for name in (streams.MAC, streams.RESULT))
    assert (reads, writes) == (3 * 2 * 8 * wanted[READ], 3 * 2 * 8 * wanted[WRITE])


def test_what_does_not_fit_is_refused():
    room = 256 * 32 * 8
    assert len(streams.host(ORG, room)) == room
    with pytest.raises(ValueError, match=f"has {room}"):
        streams.host(ORG, room + 1)
    with pytest.raises(ValueError, match="split the vectors"):
        streams.elementwise(ORG, "add", 100 * ORG.elements_per_step)


def test_joined_streams_follow_each_other():
    one, two = streams.host(ORG, 3), streams.host(ORG, 2, WRITE)
    both = streams.join(one, two)
    assert len(both) == 5
    assert both.requests[:, KIND].tolist() == [READ] * 3 + [WRITE] * 2
