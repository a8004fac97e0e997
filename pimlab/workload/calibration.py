"""In which range do a model's activations lie? Found once on the calibration split, by a rule with
a name.

A range comes from a histogram of everything the calibration samples put through an operator, so a
rule is a function of a histogram: counts (bins,) and edges (bins + 1,), whose ends are the smallest
and the largest value seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pimlab.arguments import typed
from pimlab.formats.calibration import BINS, RULES, Rule
from pimlab.formats.names import format as format_named
from pimlab.machine.protocol import Calibration, MacOp, Range
from pimlab.values import unknown
from pimlab.workload.model import Model, refuse_outside_float32

ROWS = 512
"""Rows of the sample that a calibration carries, at most."""
LEARNED = "learned"
"""The rule that takes the ranges of inputs from the model itself: `pimlab.train` found them."""
BATCH = 64
"""Calibration samples a chunk; no result depends on it."""


_SIDES = {"x": "inputs", "y": "outputs"}


class _Seen:
    """What passed one operator: extremes, then a histogram, and evenly spaced rows of its
    inputs.
    """

    def __init__(self, model: str, op: MacOp, inferences: int):
        self.model, self.op = model, op
        self.ends = {"x": (np.inf, -np.inf), "y": (np.inf, -np.inf)}
        self.counts = {"x": np.zeros(BINS, np.int64), "y": np.zeros(BINS, np.int64)}
        total = inferences * op.m
        self.wanted = np.unique(np.linspace(0, total - 1, min(ROWS, total)).astype(np.int64))
        self.rows = np.zeros((len(self.wanted), op.k), np.float32)

    def extremes(self, side: str, values: np.ndarray) -> None:
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            refuse_outside_float32(self.model, self.op.name, _SIDES[side], low, high)
        self.ends[side] = min(self.ends[side][0], low), max(self.ends[side][1], high)

    def histogram(self, side: str, values: np.ndarray) -> None:
        self.counts[side] += np.histogram(values, bins=BINS, range=self.ends[side])[0]

    def sample(self, x: np.ndarray, first: int) -> None:
        """Keep the wanted rows of x (groups, rows, k) that start at row `first`; groups take
        turns.
        """
        rows = x if self.op.kind == "weights" else _group_rows(x, self.op)
        chosen = np.flatnonzero((self.wanted >= first) & (self.wanted < first + rows.shape[1]))
        self.rows[chosen] = rows[chosen % len(rows), self.wanted[chosen] - first]

    def range(self, side: str, rule: Rule, format: str) -> Range:
        low, high = self.ends[side]
        refuse_outside_float32(self.model, self.op.name, _SIDES[side], low, high)
        if low < high:
            low, high = rule(self.counts[side], np.linspace(low, high, BINS + 1), format)
        return Range(low=low, high=high)


def _group_rows(x: np.ndarray, op: MacOp) -> np.ndarray:
    """(groups, batch * m, k) of x (batch * groups, m, k)."""
    return np.moveaxis(x.reshape(-1, op.groups, op.m, op.k), 1, 0).reshape(op.groups, -1, op.k)


@typed
def calibrate(
    model: Model, data: Any, rule: str = "minmax", format: str = "int8"
) -> dict[str, Calibration]:
    """Operator name -> Calibration of every MAC operator, from `data.calibration` alone, run in
    float32.

    data : a Data with a calibration split; its test samples are not looked at.  rule : "minmax",
        "percentile", "mse" or "entropy" (`pimlab.formats.calibration`), or "learned" for the ranges
        of inputs that `pimlab.train` learned (outputs as "minmax"); format : the integers that
        "mse" and "entropy" choose a range for. x covers the inputs of the operator (a padded
        convolution reads zeros); y its outputs after the bias, and after the Relu where nothing but
        a Relu reads them. `sample` holds at most 512 input rows, evenly spaced over all rows; with
        groups they take turns. ValueError for an unknown rule or format; ModelError names the layer
        whose weights, inputs or outputs overflow float32, or are all subnormal.
    """
    learned = getattr(model, "ranges", None)
    if rule not in RULES and not (rule == LEARNED and learned):
        known = [*RULES, *([LEARNED] if learned else [])]
        raise ValueError(unknown("calibration rule", rule, known))
    if not hasattr(data, "calibration"):
        raise TypeError(f"data={data!r:.80} is no data; write for example pimlab.load_data(...)")
    format_named(format)  # "minmax" does not ask for it, and an unknown one is refused all the same
    for layer, w in model.weights.items():
        refuse_outside_float32(model.name, layer, "weights", float(w.min()), float(w.max()))
    split = data.calibration
    seen = {op.name: _Seen(model.name, op, model.rows(split.inputs)) for op in model.mac_ops}

    def extremes(op: MacOp, x: np.ndarray, y: np.ndarray, first: int) -> None:
        seen[op.name].extremes("x", x)
        seen[op.name].extremes("y", y)
        if (
            x.shape[-1] == seen[op.name].op.k
        ):  # attention over a window is not as long as the context that is counted
            seen[op.name].sample(x, first)

    def histograms(op: MacOp, x: np.ndarray, y: np.ndarray, first: int) -> None:
        seen[op.name].histogram("x", x)
        seen[op.name].histogram("y", y)

    _visit(model, split.inputs, extremes)
    if rule not in ("minmax", LEARNED):
        _visit(model, split.inputs, histograms)
    chosen = RULES.get(rule, RULES["minmax"])
    own: Mapping[str, Range] = (learned or {}) if rule == LEARNED else {}
    samples = _shared([one.rows for one in seen.values()])
    return {
        name: Calibration(
            x=own[name] if name in own else one.range("x", chosen, format),
            y=one.range("y", chosen, format),
            sample=sample,
            rule=rule,
            rectified=name in model.rectified,
            stored=model.quantised.get(name),
            held=model.held.get(name),
        )
        for (name, one), sample in zip(seen.items(), samples, strict=True)
    }


def _shared(samples: list[np.ndarray]) -> list[np.ndarray]:
    """The samples, each once where operators that follow each other read the same rows: queries,
    keys and values of a layer do, and for SmolLM2 that is 0.1 GB.
    """
    found = list[np.ndarray]()
    for rows in samples:
        same = found and rows.shape == found[-1].shape and np.array_equal(rows, found[-1])
        found.append(found[-1] if same else rows)
    return found


def _visit(
    model: Model, inputs: np.ndarray, visit: Callable[[MacOp, np.ndarray, np.ndarray, int], None]
) -> None:
    """visit(op, x, y, first row) for every product the samples make; y rectified where a Relu alone
    follows.
    """

    def multiply(op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        y = model.exact(op, x, w, first)
        visit(op, x, np.maximum(y, 0) if op.name in model.rectified else y, first)
        return y

    for start in range(0, len(inputs), BATCH):
        model.execute(inputs[start : start + BATCH], multiply, start)
