"""Is the fuller stage counted, and does a memory without a stated size hold everything?"""

import pytest
from cluster_examples import SMALL, Clock, cluster

import pimlab as pim
from pimlab.cluster import Degrees, Work
from pimlab.cluster.capacity import fits, fullest
from pimlab.cluster.memory import Held, held

WORK = Work(batch=4, context=64)


def test_the_last_stage_with_the_head_is_the_fuller_one():
    rack, cut = cluster(2, machine=Clock(held=100_000)), Degrees(pipeline=2)
    first, last = (
        held(SMALL, rack, WORK, 1, 3, first=side, last=not side)[0].share for side in (True, False)
    )
    assert fullest(SMALL, rack, WORK, cut, 3)[0].share == pytest.approx(max(first, last))
    assert last > first


def test_a_memory_is_full_at_one_and_unknown_ones_hold_everything():
    assert fits((Held("a", share=1.0), Held("b")))
    assert not fits((Held("a", share=1.01),))


def test_one_chip_without_a_link_says_how_many_would_hold_the_model():
    alone = pim.Cluster(chip=pim.target("rngd"), memory="40 kB")
    with pytest.raises(ValueError, match=r"on a chip of 40 kB, .* too much; \d chips would hold"):
        pim.parallelise(SMALL, alone, context=64)


def test_a_memory_that_computes_is_filled_so_many_times():
    """Its bytes and the memory beside it are not what is too small: 100 TB do not help."""
    rack = cluster(2, machine=Clock(held=100), memory="100 TB")
    with pytest.raises(ValueError) as caught:
        pim.parallelise(SMALL, rack, context=64)
    text = str(caught.value)
    assert "times the memory of clock, which computes with what it holds" in text
    assert "TB" not in text
    assert "no cut by 8 heads and 6 layers (48 chips) makes the parts small enough" in text
