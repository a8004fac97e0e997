"""How does a network learn through a machine? Each step writes the weights anew, reads them at one
of the times, and follows the loss back through the float weights.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from pimlab.analog.draws import normals, uniforms
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Programmed, Range
from pimlab.plan import Plan
from pimlab.studies.training_steps import Steps
from pimlab.workload import calibrate
from pimlab.workload.model import Multiply
from pimlab.workload.training import Adam, Graph, Objective, Operands, Recipe
from pimlab.workload.transform.adapters import Adapter

RANGES = 32
"""Steps between two calibrations, and at steps 1, 2, 4, 8, 16 besides: new weights outgrow their
first ranges at once.

Found once an epoch, a random fashion-cnn learned to live with clipping for 47 steps, and its loss
rose to 281 with new ranges.
"""


class Adapters:
    """Low-rank matrices beside the weights of a graph, which stay: y = x w + scale (x down) up."""

    def __init__(self, graph: Graph, recipe: Recipe, key: Key):
        self.graph, self.scale = graph, np.float32(recipe.adapter_scale)
        self.frozen = {name: w.copy() for name, w in graph.weights.items()}
        rank = recipe.adapter or 1
        self.down, self.up = {}, {}
        for name, w in self.frozen.items():
            groups, k, n = w.shape
            if groups == 1:
                drawn = normals(key.child(name), (k, rank)) / np.float32(np.sqrt(k))
                self.down[name], self.up[name] = drawn, np.zeros((rank, n), np.float32)

    def add(self, name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """y float32, shape (1, rows, n) of x float32, shape (1, rows, k) with the adapter's part.
        Returns shape (1, rows, n).
        """
        if name not in self.down:
            return y
        with one_thread():
            return y + self.scale * ((x[0] @ self.down[name]) @ self.up[name])[None]

    def gradients(self, seen: dict[str, Operands], share: np.float32) -> dict[Hashable, np.ndarray]:
        """Those of both matrices of each adapter, by what the products saw."""
        found: dict[Hashable, np.ndarray] = {}
        for name, one in seen.items():
            if name in self.down:
                x, d, by = one.x[0], one.d[0], share * self.scale
                found["up", name] = by * ((x @ self.down[name]).T @ d)
                found["down", name] = by * (x.T @ (d @ self.up[name].T))
        return found

    def values(self) -> dict[Hashable, np.ndarray]:
        """What is trained."""
        named = (("down", self.down), ("up", self.up))
        return {(part, name): m for part, of in named for name, m in of.items()}

    def moved(self) -> None:
        """Let the way back pass the weights and their adapters together."""
        for name in self.down:
            product = self.scale * (self.down[name] @ self.up[name])
            self.graph.weights[name][0] = self.frozen[name][0] + product

    def final(self) -> dict[str, Adapter]:
        """The adapters, the scale within them."""
        return {name: Adapter(self.down[name], self.scale * self.up[name]) for name in self.down}


class Machines:
    """The weights as they stand, written to the machines of a plan and read at a time.

    ranges : operator name -> the logarithm of its largest input, float32, shape (1,), where they
    are learned.
    """

    def __init__(
        self,
        plan: Plan,
        graph: Graph,
        objective: Objective,
        recipe: Recipe,
        rule: str,
        times: Sequence[float],
        adapters: Adapters | None,
    ):
        self.graph, self.objective, self.recipe = graph, objective, recipe
        self.rule, self.times, self.adapters = rule, times, adapters
        self.owners = {op.name: plan.machine(op) for op in plan.model.mac_ops}
        self.view = _view(plan.model, graph, objective)
        self.written = graph.weights if adapters is None else adapters.frozen
        self.calibrations: dict[str, Calibration] = {}
        self.ranges: dict[str, np.ndarray] = {}

    def calibrate(self) -> None:
        """Find activation ranges for the weights as they stand."""
        found = {
            codes: calibrate(self.view, self.objective.data, self.rule, codes)
            for codes in {one.codes for one in self.owners.values()}
        }
        self.calibrations = {name: found[one.codes][name] for name, one in self.owners.items()}
        if self.recipe.ranges == "learned" and not self.ranges:
            self.ranges = {
                name: np.log([max(abs(one.x.low), abs(one.x.high)) or 1.0]).astype(np.float32)
                for name, one in self.calibrations.items()
                if name in self.graph.weights
            }

    def calibration(self, name: str) -> Calibration:
        """That of an operator, its inputs within the learned range where there is one."""
        found = self.calibrations[name]
        if name not in self.ranges:
            return found
        found = copy.copy(found)
        found.x = self.learned(name)
        return found

    def learned(self, name: str) -> Range:
        """The learned range of an operator's inputs, with the sign of the calibrated one."""
        top = float(np.exp(self.ranges[name][0]))
        return Range(low=0.0 if self.calibrations[name].x.low >= 0 else -top, high=top)

    def range_gradients(self, seen: dict[str, Operands], share: np.float32) -> dict:
        """The slope of the loss by the logarithm of each range: inputs beyond it move with it."""
        found = {}
        for name, log in self.ranges.items():
            top, slope = np.exp(log[0]), np.float32(0)
            if name in seen:
                for x, d, w in zip(*seen[name], self.graph.weights[name], strict=True):
                    beyond = np.abs(x) > top
                    rows = beyond.any(axis=1)
                    if rows.any():
                        dx = (d[rows] @ w.T) * beyond[rows] * np.sign(x[rows])
                        slope += dx.sum(dtype=np.float32)
            found["r", name] = np.array([share * slope * top], np.float32)
        return found

    def multiply(self, step: int, key: Key) -> Multiply:
        """The products of step `step`: weights written anew, read at one of the times."""
        key, at = key.child(step), self.times[step % len(self.times)]
        programmed: dict[tuple[str, int], Programmed] = {}

        def product(op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
            read = key.child(op.name, "read")
            if w is not None:
                return self.owners[op.name].counted_product(x, w, read.rows(first))[0]
            parts = []
            for g in range(op.groups):
                if (op.name, g) not in programmed:
                    programmed[op.name, g] = self._write(op, g, key)
                own = read.child(g).rows(first)
                parts.append(programmed[op.name, g].matmul(x[g], own, at))
            y = np.stack(parts)
            return y if self.adapters is None else self.adapters.add(op.name, x, y)

        return product

    def _write(self, op: MacOp, group: int, key: Key) -> Programmed:
        bias = self.graph.biases.get(op.name)
        key = key.child(op.name, group)
        drawn = (partial(normals, key.child("noise")), partial(uniforms, key.child("drop")))
        return self.owners[op.name].program(
            self.recipe.disturbed(self.written[op.name][group], *drawn),
            key,
            bias=None if bias is None else np.split(bias, op.groups)[group],
            calibration=self.calibration(op.name).group(group),
        )


def _view(model: Any, graph: Graph, objective: Objective) -> Any:
    """The model with the weights of the graph as they stand, for a calibration."""
    view = copy.copy(model)
    view.weights, view.biases = graph.weights, graph.biases

    def execute(inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        read = inputs[:, :-1] if objective.tokens else inputs
        each = read.shape[1] if objective.tokens else 1

        def placed(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            return multiply(op, x, w, first * op.m * each + row)

        return graph.outputs(read, placed)

    view.execute = execute
    return view


def by_gradients(steps: Steps, machines: Machines, rate: float, key: Key) -> xr.Dataset:
    """Adam on the mean gradient of each batch, by the recipe."""
    graph, recipe, moments = steps.graph, machines.recipe, Adam().start()
    moments, machines.calibrations, machines.ranges, before = steps.restored(
        (moments, machines.calibrations, machines.ranges, {})
    )
    values = _trained_values(graph, machines)
    values |= {("r", name): log for name, log in machines.ranges.items()}
    for name, value in before.items():
        values[name][:] = value
    if before and machines.adapters is not None:
        machines.adapters.moved()
    for step, (epoch, chosen) in enumerate(steps, steps.done):
        if step % RANGES == 0 or step & (step - 1) == 0:
            machines.calibrate()
            values |= {("r", name): log for name, log in machines.ranges.items()}
        seen, terms = steps.operands(epoch, chosen, machines.multiply(step, key))
        with one_thread():
            gradients = _gradients(graph, machines, seen, np.float32(1 / terms))
        now = rate * recipe.rate(step, steps.total)
        moments.step(values, gradients, now)
        for log in machines.ranges.values():
            log -= np.float32(now * recipe.range_decay)
        if machines.adapters is not None:
            machines.adapters.moved()
        else:
            for w in graph.weights.values():
                recipe.clipped(w)
        learned = {("r", name) for name in machines.ranges}
        state = {name: value for name, value in values.items() if name not in learned}
        steps.keep(step, (moments, machines.calibrations, machines.ranges, state))
    return steps.history()


def _trained_values(graph: Graph, machines: Machines) -> dict[Hashable, np.ndarray]:
    if machines.adapters is not None:
        return machines.adapters.values()
    values: dict[Hashable, np.ndarray] = {("w", name): w for name, w in graph.weights.items()}
    values |= {("b", name): b for name, b in graph.biases.items()}
    if machines.recipe.parameters:
        values |= {("p", name): p for name, p in graph.parameters.items()}
    return values


def _gradients(
    graph: Graph, machines: Machines, seen: dict[str, Operands], share: np.float32
) -> dict[Hashable, np.ndarray]:
    if machines.adapters is not None:
        return machines.adapters.gradients(seen, share)
    found: dict[Hashable, np.ndarray] = {
        ("w", name): one.weights * share for name, one in seen.items()
    }
    found |= {("b", n): one.biases * share for n, one in seen.items() if n in graph.biases}
    if machines.recipe.parameters:
        found |= {("p", name): one * share for name, one in graph.gradients.items()}
    return found | machines.range_gradients(seen, share)
