"""What operators keep busy: phases in turn, what hides under them, and the same answer as latency."""

import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.machine.work import DRAM, OWNERS, Work, in_turn

OPS = (
    MacOp(name="gemv", m=1, k=700, n=900),
    MacOp(name="conv", m=196, k=576, n=64, distinct=15000),
    MacOp(name="scores", m=2, k=64, n=512, groups=4, kind="activations", cached=True),
    VectorOp(name="act", kind="relu", elements=5000),
)
MACHINES = ("warboy", "rngd", "a100", "hbm-pim", "gddr6-aim", "upmem", "pcm-hermes")


def critical(work):
    """When the last piece of work ends, if nothing else is there."""
    ends = []
    for one in work:
        ends.append(max((ends[i] for i in one.after), default=0.0) + one.seconds)
    return max(ends, default=0.0)


def test_phases_in_turn_are_joined_where_they_share_a_resource():
    found = in_turn(
        {"in": 1.0, "load": 2.0, "none": 0.0, "go": 4.0, "out": 8.0},
        {"in": "bus", "load": "bus", "none": "vector", "go": "arrays", "out": "bus"},
    )
    assert found == (Work("bus", 3.0), Work("arrays", 4.0, (0,)), Work("bus", 8.0, (1,)))
    assert in_turn({}, {}) == ()


@pytest.mark.parametrize("name", MACHINES)
def test_alone_an_operator_takes_its_latency(name):
    machine = pim.target(name)
    for op in OPS:
        if machine.serves(op):
            assert set(machine.resources(op)) == set(machine.latency(op))
            alone = sum(machine.latency(op).values())
            assert critical(machine.work(op)) == pytest.approx(alone, rel=1e-12)


def test_the_dram_channel_of_an_npu_works_unseen_while_the_arrays_compute():
    npu = pim.target("warboy")
    npu = npu.but(memory=npu.memory.but(weights_in="dram", activations_in="dram"))
    op = MacOp(name="conv", m=3000, k=576, n=64)
    busy = sum(one.seconds for one in npu.work(op) if one.resource == DRAM)
    bits = sum(count for event, count in npu.events(op).items() if event.startswith("dram."))
    assert busy == pytest.approx(bits / npu.memory.bandwidth)
    seen = sum(s for phase, s in npu.latency(op).items() if npu.resources(op)[phase] == DRAM)
    assert busy > seen > 0


def test_static_power_has_owners():
    for name in pim.targets():
        machine = pim.target(name)
        assert set(machine.static_owners) == set(machine.static)
        assert set(machine.static_owners.values()) <= set(OWNERS)


def test_arrays_of_a_crossbar_are_counted_by_hand():
    pcm = pim.target("pcm-hermes").but(capacity=64)
    op = MacOp(name="a", m=3, k=300, n=600, groups=2)
    assert (pcm.arrays_of(op), pcm.array_count) == (2 * 2 * 3, 64)
    assert pcm.occupancy(op) == 12 / 64
    assert pcm.arrays_of(OPS[2]) == 0, "products of two activations stand nowhere"
