"""How does a model run on a machine and its host? Each operator on the machine that serves it,
weights programmed once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Programmed, Target, VectorOp

SAMPLED = 32
"""Samples whose operand values give the value-dependent energy: fixed, so that chunking does not
change it.
"""


def owner(target: Target, op: MacOp | VectorOp) -> Target:
    """The machine along `target`, `target.host`, ... that executes `op`; ValueError when none
    does.
    """
    machine: Target | None = target
    while machine is not None:
        if machine.serves(op):
            return machine
        machine = machine.host
    raise ValueError(
        f"{target.name} and its hosts do not execute {op.name!r} ({op}); give the target a host "
        "that does"
    )


def machines(target: Target) -> Iterator[Target]:
    """`target` and the machines it names as hosts."""
    machine: Target | None = target
    while machine is not None:
        yield machine
        machine = machine.host


def placed(target: Target, model: Any) -> Target:
    """`target` and its hosts with their data where they live when each executes all its operators
    of `model` in turn.
    """
    chain = list(machines(target))
    owned: dict[int, list[MacOp]] = {id(machine): [] for machine in chain}
    for op in model.mac_ops:
        owned[id(owner(target, op))].append(op)
    below: Target | None = None
    for machine in reversed(chain):
        there = machine.placed(tuple(owned[id(machine)]))
        below = there if there.host is below else there.but(host=below)
    assert below is not None
    return below


class Execution:
    """A model programmed into a target for one seed, ready to be read at any time after.

    `clipped` counts, operator by operator, the values that left their range in the reads so far.
    A read is keyed by (seed, operator, "read"), and its rows are numbered over the whole data set.
    """

    def __init__(
        self, model: Any, target: Target, calibrations: Mapping[str, Calibration], seed: int
    ):
        self.model, self.target, self.key = model, target, Key(seed=seed)
        self.owners = {op.name: owner(target, op) for op in (*model.mac_ops, *model.vector_ops)}
        self.programmed = {
            op.name: self._program(op, calibrations.get(op.name))
            for op in model.mac_ops
            if op.kind == "weights"
        }
        self._seen: dict[str, list[np.ndarray]] = {}
        self.clipped: dict[str, Counter[str]] = {}

    def _program(self, op: MacOp, calibration: Calibration | None) -> list[Programmed]:
        bias = self.model.biases.get(op.name)
        parts = np.split(bias, op.groups) if bias is not None else [None] * op.groups
        machine = self.owners[op.name]
        return [
            machine.program(
                self.model.weights[op.name][g],
                self.key.child(op.name, g),
                bias=parts[g],
                calibration=calibration,
            )
            for g in range(op.groups)
        ]

    def outputs(self, inputs: np.ndarray, first: int, at: float) -> np.ndarray:
        """The model's outputs for `inputs`, whose first sample has index `first` in the data set,
        `at` seconds.
        """

        def multiply(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            key = self.key.child(op.name, "read")
            counts = self.clipped.setdefault(op.name, Counter())
            if w is not None:
                y, found = self.owners[op.name].counted_product(x, w, key.rows(row))
                counts.update(found)
                return y
            self._sample(op, x, row)
            parts = [
                part.counted(x[g], key.child(g).rows(row), at)
                for g, part in enumerate(self.programmed[op.name])
            ]
            for _, found in parts:
                counts.update(found)
            return np.stack([y for y, _ in parts])

        return self.model.execute(inputs, multiply, first)

    def _sample(self, op: MacOp, x: np.ndarray, row: int) -> None:
        if row < SAMPLED * op.m:
            self._seen.setdefault(op.name, []).append(x[:, : SAMPLED * op.m - row].copy())

    def integrals(self, op: MacOp) -> dict[str, float]:
        """Mean physical integrals (SI) of one inference of `op`, over the first samples that
        ran.
        """
        total: dict[str, float] = {}
        if op.name in self._seen and op.kind == "weights":
            x = np.concatenate(self._seen[op.name], axis=1)
            for g, part in enumerate(self.programmed[op.name]):
                for event, amount in part.integrals(x[g]).items():
                    total[event] = total.get(event, 0.0) + amount * op.m / x.shape[1]
        return total

    def forget(self) -> None:
        """Drop the operand values kept for `integrals`, and what was counted."""
        self._seen, self.clipped = {}, {}
