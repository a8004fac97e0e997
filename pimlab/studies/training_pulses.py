"""How does a network learn in cells that move by pulses? Weights sample after sample, biases in
float, and a count of every pulse.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from pimlab.analog.learning import Learner, ReadPass, UpdateRule
from pimlab.keys import Key
from pimlab.machine.protocol import MacOp
from pimlab.studies.training_steps import Steps
from pimlab.workload.training import Graph


def by_pulses(steps: Steps, rule: UpdateRule, rate: float, key: Key) -> xr.Dataset:
    """Weights in cells, moved sample by sample; biases in float by plain gradient descent."""
    graph = steps.graph
    learners = {
        name: [rule.learner(w[g], key.child(name, g)) for g in range(len(w))]
        for name, w in graph.weights.items()
    }
    used: list[np.ndarray] = []
    reads = _Reads(graph, rule, key.child("passes"))
    graph.back = None if rule.backward is None else reads.back
    learners, used, biases = steps.restored((learners, used, graph.biases))
    for name, bias in biases.items():
        graph.biases[name][:] = bias
    for step, (epoch, chosen) in enumerate(steps, steps.done):
        for name, parts in learners.items():
            graph.weights[name][:] = np.stack(
                [part.read(key.child(name, g, "read", step)) for g, part in enumerate(parts)]
            )
        reads.step = step
        seen, _ = steps.operands(epoch, chosen, reads.forward)
        for name, one in seen.items():
            for part, x, d in zip(learners[name], one.x, one.d, strict=True):
                part.update(x, d, rate)
            if name in graph.biases:
                graph.biases[name] -= np.float32(rate) * one.biases
        if (step + 1) % steps.an_epoch == 0:
            used.append(_used(learners))
        steps.keep(step, (learners, used, graph.biases))
    for name, parts in learners.items():
        graph.weights[name][:] = np.stack([part.weights for part in parts])
    return _counted(rule, used, list(learners)).merge(steps.history())


class _Reads:
    """Products with the weights as cells give them, in step `step`."""

    def __init__(self, graph: Graph, rule: UpdateRule, key: Key):
        self.graph, self.rule, self.key, self.step = graph, rule, key, 0

    def forward(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """As `Graph.exact`, weights read by the forward pass of the rule. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        if w is not None or self.rule.forward is None:
            return self.graph.exact(op, x, w, first)
        y = self._read(self.rule.forward, "forward", op.name, x, self.graph.weights[op.name], first)
        bias = self.graph.biases.get(op.name)
        return y if bias is None else y + bias.reshape(op.groups, 1, op.n)

    def back(self, name: str, d: np.ndarray, w: np.ndarray) -> np.ndarray:
        """d float32, shape (groups, rows, n) through the backward pass: shape (groups, rows, k)."""
        return self._read(self.rule.backward, "backward", name, d, np.swapaxes(w, 1, 2), 0)

    def _read(
        self,
        reader: ReadPass | None,
        way: str,
        name: str,
        x: np.ndarray,
        w: np.ndarray,
        first: int,
    ) -> np.ndarray:
        key = self.key.child(way, name, self.step)
        each = enumerate(zip(x, w, strict=True))
        return np.stack(
            [reader.product(a, b, key.child(g).rows(first)) for g, (a, b) in each]  # type: ignore
        )


def _used(learners: Mapping[str, list[Learner]]) -> np.ndarray:
    """(layers, 3): pulses so far, most pulses of one cell, share of updates that were cut."""
    return np.array(
        [
            (
                sum(p.pulses for p in parts),
                max(p.most for p in parts),
                np.mean([p.cut for p in parts]),
            )
            for parts in learners.values()
        ]
    )


def _counted(rule: UpdateRule, used: list[np.ndarray], layers: list[str]) -> xr.Dataset:
    """Pulses by epoch and layer, what they cost where a price is published, and the share of
    endurance they used.
    """
    table = np.array(used)
    found = xr.Dataset(
        {
            "pulses": (
                ("epoch", "layer"),
                table[..., 0],
                {"units": "1", "long_name": "update pulses so far"},
            ),
            "most_pulses": (
                ("epoch", "layer"),
                table[..., 1],
                {"units": "1", "long_name": "update pulses of the busiest cell so far"},
            ),
            "cut": (
                ("epoch", "layer"),
                table[..., 2],
                {"units": "1", "long_name": "share of updates cut to the longest pulse train"},
            ),
        },
        coords={"epoch": np.arange(1, len(used) + 1), "layer": layers},
    )
    facts = dict(rule.device.facts)
    if "write_energy" in facts:
        price = facts["write_energy"]
        for suffix, amount in (("", price.value), ("_low", price.low), ("_high", price.high)):
            found[f"energy{suffix}"] = (found.pulses * amount).assign_attrs(
                units="J", long_name=f"energy of update pulses so far{suffix}"
            )
    if "endurance" in facts:
        share = found.most_pulses / facts["endurance"].value
        found["endurance_used"] = share.assign_attrs(
            units="1", long_name="share of the busiest cell's endurance that is used"
        )
    return found.assign_attrs(sources=",".join(rule.sources))
