"""Which machine holds which layers so that most tokens flow? The problem of mixed clusters.

Every machine holds one run of layers; the more it holds, the fewer tokens a second it takes. Tokens
flow from the source through machines whose runs follow each other to the sink, over links of finite
capacity: the throughput of a placement is the maximum flow. This is the problem of Helix (Mei et
al., ASPLOS 2025).

1. Y. Mei, Y. Zhuang, X. Miao, J. Yang, Z. Jia, R. Vinayak, Helix: serving large language models
   over heterogeneous GPUs and network via max-flow, ASPLOS 2025, section 4 (arXiv 2406.01566).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pimlab.values import Value, integer, truth

Run = tuple[int, int]
"""First layer of a machine, and how many it holds."""


class LayerPlacement(Value):
    """The problem: `layers` of a model on machines that are joined by links.

    rates : machine -> {layers held: tokens a second}.  links : (from, to) -> tokens a second.
    source, sink : machine -> tokens a second that it may take from, or hand to, the coordinator.
    partial : whether tokens may enter a run at any of its layers (Helix's partial inference), or
    only where it begins.
    Raises ValueError for machines without any run, rates and capacities that are no positive
    numbers, links of machines that are not there, and where no machine may begin or end.
    """

    layers: int = integer(1)
    rates: Mapping[str, Mapping[int, float]]
    links: Mapping[tuple[str, str], float]
    source: Mapping[str, float]
    sink: Mapping[str, float]
    partial: bool = False

    def check(self) -> None:
        """Rates, capacities and names are usable."""
        truth("LayerPlacement: partial", self.partial)
        if not self.rates:
            raise ValueError("LayerPlacement rates={} names no machine; allowed: one or more")
        for name, held in self.rates.items():
            if not held:
                raise ValueError(f"LayerPlacement: machine {name!r} holds no number of layers")
            for count, rate in held.items():
                if not count >= 1 or not _positive(rate):
                    raise ValueError(
                        f"LayerPlacement: machine {name!r} with {count!r} layers at {rate!r} "
                        "tokens/s; allowed: 1 layer or more, a finite rate above 0"
                    )
        for what in ("source", "sink"):
            if not getattr(self, what):
                raise ValueError(f"LayerPlacement {what}={{}}: no machine is joined to it")
        ends: list[tuple[str, tuple[str, ...], float]]
        ends = [(f"link {a} to {b}", (a, b), rate) for (a, b), rate in self.links.items()]
        ends += [("source", (name,), rate) for name, rate in self.source.items()]
        ends += [("sink", (name,), rate) for name, rate in self.sink.items()]
        for what, names, rate in ends:
            if missing := [name for name in names if name not in self.rates]:
                raise ValueError(f"LayerPlacement {what}: machine {missing[0]!r} is not there")
            if not _positive(rate):
                raise ValueError(
                    f"LayerPlacement {what} has capacity {rate!r}; allowed: a finite number above 0"
                )

    def follows(self, run: Run, other: Run) -> bool:
        """Whether tokens that leave `run` may enter `other`."""
        end = sum(run)
        return other[0] <= end < sum(other) if self.partial else other[0] == end

    @property
    def kinds(self) -> dict[tuple[tuple[int, float], ...], tuple[str, ...]]:
        """Machines that are interchangeable but for their links: (layers, rate) pairs -> names."""
        found: dict[tuple[tuple[int, float], ...], list[str]] = {}
        for name, held in self.rates.items():
            found.setdefault(tuple(sorted(held.items())), []).append(name)
        return {kind: tuple(names) for kind, names in found.items()}


def _positive(value: float) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


class Placed(NamedTuple):
    """An answer: the run of every machine that is used, its flow, and how good it can get.

    value, bound : tokens a second of the placement, and a proved upper end of every placement.
    runs : machine -> (first layer, layers).  flow : (from, to) -> tokens a second, "source" and
    "sink" among the ends.  seconds : time that the search took.
    """

    value: float
    bound: float
    runs: dict[str, Run]
    flow: dict[tuple[str, str], float]
    seconds: float

    @property
    def gap(self) -> float:
        """How far the bound lies above the value, relative to the value (unit 1)."""
        return self.bound / self.value - 1 if self.value else math.inf
