"""How does a model run by a plan? Each operator on its machine, weights programmed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Programmed
from pimlab.plan import Plan

SAMPLED = 32
"""Samples whose operand values give the value-dependent energy: fixed, so that chunking does not
change it.
"""


class Execution:
    """A model programmed into the machines of a plan for one seed, ready to be read at any time
    after.

    `clipped` counts, operator by operator, the values that left their range in the reads so far.
    `overflowed` counts the outputs that were infinite or no number, operator by operator.
    A read is keyed by (seed, operator, "read"), and its rows are numbered over the whole data set.
    """

    def __init__(self, plan: Plan, calibrations: Mapping[str, Calibration], seed: int):
        self.plan, self.model, self.key = plan, plan.model, Key(seed=seed)
        self.programmed = {
            op.name: self._program(op, calibrations.get(op.name))
            for op in plan.model.mac_ops
            if op.kind == "weights"
        }
        self._seen: dict[str, list[np.ndarray]] = {}
        self.clipped: dict[str, Counter[str]] = {}
        self.overflowed: Counter[str] = Counter()

    @property
    def weights_as(self) -> str:
        """What the layers whose weights the model's file holds in codes stand as, machine by
        machine: "warboy: 3 layers as the model's codes, gddr6-aim: 1 layer as values in bf16"; ""
        where the file holds none so.
        """
        model = self.model
        coded = {*getattr(model, "held", ()), *getattr(model, "quantised", ())}
        counts = Counter(
            (self.plan.owners[name], self.programmed[name][0].weights_as)
            for name in self.programmed
            if name in coded
        )
        return ", ".join(
            f"{machine}: {count} {'layer' if count == 1 else 'layers'} as {held}"
            for (machine, held), count in counts.items()
        )

    def _program(self, op: MacOp, calibration: Calibration | None) -> list[Programmed]:
        bias = self.model.biases.get(op.name)
        parts = np.split(bias, op.groups) if bias is not None else [None] * op.groups
        machine = self.plan.machine(op)
        return [
            machine.program(
                self.model.weights[op.name][g],
                self.key.child(op.name, g),
                bias=parts[g],
                calibration=calibration and calibration.group(g),
            )
            for g in range(op.groups)
        ]

    def outputs(self, inputs: np.ndarray, first: int, at: float) -> np.ndarray:
        """The model's outputs for `inputs`, whose first sample has index `first` in the data set,
        `at` seconds [s].
        """

        def multiply(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            try:
                y = self.product(op, x, w, row, at)
            except ValueError as error:
                raise (self._lost(op.name) if not np.isfinite(x).all() else error) from None
            if y.size and not np.isfinite([y.min(), y.max()]).all():
                self.overflowed.update({op.name: np.count_nonzero(~np.isfinite(y))})
            return y

        outputs = self.model.execute(inputs, multiply, first)
        if outputs.dtype.kind == "f" and np.isnan(outputs).any():
            raise self._lost("the output")
        return outputs

    def product(
        self, op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int, at: float
    ) -> np.ndarray:
        """What the operator's machine makes of x float32, shape (groups, rows, k), its overruns
        counted: float32, shape (groups, rows, n).

        w : None, or the computed second operand.  row : number of the first row in the whole data
        set.  at : seconds [s] after programming.
        """
        key = self.key.child(op.name, "read")
        counts = self.clipped.setdefault(op.name, Counter())
        if w is not None:
            y, found = self.plan.machine(op).counted_product(x, w, key.rows(row))
            counts.update(found)
            return y
        self._sample(op, x, row)
        parts = [
            part.counted(x[g], key.child(g).rows(row), at)
            for g, part in enumerate(self.programmed[op.name])
        ]
        for _, found in parts:
            counts.update(found)
        # one group is not copied: the logits of 1,024 tokens are 0.2 GB
        return parts[0][0][None] if len(parts) == 1 else np.stack([y for y, _ in parts])

    def _lost(self, where: str) -> ValueError:
        """What to say of values that are no numbers any more when they come to `where`."""
        over = {name: count for name, count in self.overflowed.items() if count}
        cause = (
            f"layer {next(iter(over))!r} overflows: {next(iter(over.values()))} of its outputs are "
            "infinite or NaN; allowed: values that the machine's number format holds"
            if over
            else "an operator that is no MAC divides by zero or overflows"
        )
        return ValueError(
            f"model {self.model.name!r} on {self.plan.name}: {where} is not finite, because {cause}"
        )

    def _sample(self, op: MacOp, x: np.ndarray, row: int) -> None:
        if row < SAMPLED * op.m:
            self._seen.setdefault(op.name, []).append(x[:, : SAMPLED * op.m - row].copy())

    def integrals(self, op: MacOp, at: str | float = 0.0) -> dict[str, float]:
        """Mean physical integrals (SI) of one inference of `op` at that time, over the first
        samples that ran. Units as `Programmed.integrals`.
        """
        total: dict[str, float] = {}
        if op.name in self._seen and op.kind == "weights":
            x = np.concatenate(self._seen[op.name], axis=1)
            for g, part in enumerate(self.programmed[op.name]):
                for event, amount in part.integrals(x[g], at).items():
                    total[event] = total.get(event, 0.0) + amount * op.m / x.shape[1]
        return total

    def forget(self) -> None:
        """Drop the operand values kept for `integrals`, and what was counted."""
        self._seen, self.clipped, self.overflowed = {}, {}, Counter()
