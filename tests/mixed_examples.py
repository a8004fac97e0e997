"""Racks of different clocks that the tests of mixed plans share."""

from cluster_examples import LINK, Clock, cluster

import pimlab as pim
from pimlab.cluster import Work
from pimlab.machine.protocol import MacOp

WORK = Work(batch=4, context=64)


class Looker(Clock):
    """A clock that is fast on the cache and slow on weights, as memory that computes is."""

    quick: float = 1e-11

    def latency(self, op):
        cached = isinstance(op, MacOp) and op.cached
        return {"compute": (self.quick if cached else self.each) * getattr(op, "macs", 0)}


def racks(first=2, second=2, *, price=2.0, other=None, **clock):
    """So many clocks, and beside them so many of another machine at half their speed."""
    slow = other or Clock(name="slow", each=2e-9)
    beside = pim.Cluster(chip=slow, chips=second, link=LINK, price=1.0)
    machine = Clock(**clock)
    return cluster(first, machine=machine, price=price, beside=[beside], between=LINK)
