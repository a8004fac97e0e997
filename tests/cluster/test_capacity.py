"""Is the fuller stage counted, and does a memory without a stated size hold everything?"""

import pytest
from cluster_examples import SMALL, Clock, cluster

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
