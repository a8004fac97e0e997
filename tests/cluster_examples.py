"""Small models, chips and clusters that the tests of the room `cluster` share."""

from typing import ClassVar

import pimlab as pim
from pimlab.constants import assumed
from pimlab.cost import Price, Prices
from pimlab.machine.protocol import MacOp, Target
from pimlab.values import integer, number
from pimlab.workload.language.experts import ExpertShape
from pimlab.workload.language.shape import DecoderShape

SMALL = DecoderShape(
    vocabulary=96, width=64, layers=6, heads=8, kv_heads=4, head_width=8, hidden=96, context=128
)

EXPERTS = ExpertShape(
    vocabulary=96, width=64, layers=6, heads=8, kv_heads=4, head_width=8, hidden=96, context=128,
    experts=8, active=2,
)  # fmt: skip


class Clock(Target):
    """A machine that takes `each` seconds a multiply-accumulate, one joule a thousand, one watt."""

    stage: ClassVar[int] = 1
    name: str = "clock"
    each: float = number(above=0, default=1e-9)
    held: int = integer(1, default=10**9, doc="weights and cached values that fit")

    def serves(self, op):
        return True

    def program(self, w, key=0, *, bias=None, calibration=None):
        raise NotImplementedError

    def occupancy(self, op):
        return op.groups * op.k * op.n / self.held if isinstance(op, MacOp) else 0.0

    def events(self, op):
        return {"mac": op.macs if isinstance(op, MacOp) else 0}

    def latency(self, op):
        return {"compute": self.each * op.macs if isinstance(op, MacOp) else 0.0}

    @property
    def prices(self):
        one = assumed("mac", 1e-3, "J", "an example")
        second = assumed("static", 1.0, "W", "an example")
        return Prices(
            {
                "mac": Price(constant=one, component="MAC"),
                "static": Price(constant=second, component="static"),
            }
        )

    @property
    def static(self):
        return {"static": 1.0}


LINK = pim.link("ethernet-100g").but(delay="2 us")


def cluster(chips=4, **other):
    """So many clocks on one switch."""
    machine = other.pop("machine", Clock())
    return pim.Cluster(chip=machine, chips=chips, link=LINK, **other)
