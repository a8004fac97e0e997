"""Which weights serve this machine best? `train` finds them: through the machine's own noise, or by
pulses in its cells.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.analog.learning import Learner, UpdateRule
from pimlab.kernels import philox
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import Calibration, MacOp, Programmed, Target
from pimlab.plan import Plan, planned
from pimlab.result import finished
from pimlab.studies.run import Times
from pimlab.values import unknown
from pimlab.workload import Accuracy, calibrate
from pimlab.workload.model import Multiply
from pimlab.workload.training import Adam, Graph, Operands, Trained, cross_entropy, trained

STARTS = ("model", "random")
RANGES = 32
"""Steps between two calibrations, and at steps 1, 2, 4, 8, 16 besides: new weights outgrow their
first ranges at once.

Found once an epoch, a random fashion-cnn learned to live with clipping for 47 steps, and its loss
rose to 281 with new ranges.
"""
DIVERGED = 30.0
"""A loss this many times that of guessing means that the rate is too large."""


def train(
    model: Any,
    target: Target | Plan | UpdateRule,
    data: Any,
    *,
    epochs: int = 1,
    rate: float = 1e-3,
    seed: int = 0,
    batch: int = 128,
    at: Times = 0.0,
    rule: str = "minmax",
    start: str = "model",
) -> Trained:
    """A network of the same kind as `model`, trained on `data`; its `history` says what happened,
    epoch by epoch.

    target : a machine or a plan: each step writes the weights anew with fresh noise, reads them
    after one of the times `at` in turn (drift-aware training), and follows the loss back through
    the float weights (straight-through); an NPU gives quantisation-aware training. Or a rule of
    `pimlab.analog.learning` (`SGD`, `MixedPrecision`, `TikiTaka`, `TikiTakaV2`): weights live in
    cells that learn by pulses, sample after sample; biases stay digital.
    data : a training split with class labels.  epochs, batch : passes over it, and samples a step
    (for a rule: samples between two reads of the weights).  rate : of Adam, falling to 0 along half
    a cosine; for a rule, what a weight moves by for a gradient of 1, constant.  at : seconds [s] or
    text, or several; machines only.  rule : how activation ranges are calibrated, anew every 32
    steps.  start : "model", or "random" for new weights (He et al. 2015) and zero biases.
    Raises TypeError and ValueError for arguments of another kind, the test split, or a loss that
    diverges; ModelError for an operator through which no loss can be followed back.

    >>> digits = pim.load_data("digits", split="train", limit=256)
    >>> mlp, pcm = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    >>> tuned = pim.train(mlp, pcm, digits, epochs=1, at="1 month")
    >>> tuned.history.loss.dims
    ('epoch',)
    """
    _checked(target, data, {"epochs": epochs, "batch": batch}, rate, start)
    graph, key = Graph(model), as_key(seed).child("train")
    if start == "random":
        _fresh(graph, key.child("start"))
    steps = _Steps(graph, data, epochs, batch, key.child("order"))
    if isinstance(target, UpdateRule):
        if at != 0.0 or rule != "minmax":
            raise ValueError(
                f"at={at!r}, rule={rule!r} with target {target.name}: cells that learn are read as "
                "they stand, without "
                "converters; allowed: neither is given (they are for machines)"
            )
        history = _by_pulses(steps, target, rate, key)
    else:
        single = isinstance(at, str) or not np.iterable(at)
        each: Any = [at] if single else at
        times = [units.seconds(t) for t in each]
        if not times:
            raise ValueError(
                "at=[] names no time; allowed: one time or more, such as at=['1 h', '1 month']"
            )
        plan = planned(model, target)
        history = _by_gradients(steps, _Machines(plan, graph, data, rule, times), rate, key)
        history = finished(history, plan.cited)
    history.attrs.update(
        model=model.name,
        target=target.name,
        data=data.name,
        data_sha256=data.sha256,
        seed=as_key(seed).seed,
        rate=rate,
        batch=batch,
        start=start,
    )
    return trained(model, graph.weights, graph.biases, f"{model.name} for {target.name}", history)


def _checked(target: Any, data: Any, counts: Mapping[str, int], rate: float, start: str) -> None:
    if not isinstance(target, (Target, Plan, UpdateRule)):
        raise TypeError(
            f"target={target!r} is neither a Target, a Plan nor an UpdateRule; write for example "
            "pimlab.target('pcm-hermes')"
        )
    if not isinstance(getattr(data, "metric", None), Accuracy):
        raise TypeError(
            f"data={data!r} has no class labels; allowed: data judged by accuracy, such as "
            "load_data('digits', 'train')"
        )
    if data.split == "test":
        raise ValueError(
            f"data {data.name!r} is the test split; allowed: another, such as "
            f"load_data({data.name!r}, split='train')"
        )
    for name, value in counts.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
            raise ValueError(f"{name}={value!r}; allowed: an integer, 1 or more")
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < float("inf"):
        raise ValueError(f"rate={rate!r}; allowed: finite, above 0")
    if start not in STARTS:
        raise ValueError(unknown("start", start, STARTS))


def _fresh(graph: Graph, key: Key) -> None:
    """Normal weights of variance 2 / k and zero biases: He et al., ICCV 2015, equation 10."""
    for name, w in graph.weights.items():
        drawn = np.empty((w.shape[0] * w.shape[1], w.shape[2]), np.float32)
        philox.normal(*key.child(name).words, 0, 0, drawn)
        w[:] = drawn.reshape(w.shape) * np.float32(np.sqrt(2 / w.shape[1]))
    for b in graph.biases.values():
        b[:] = 0


class _Steps:
    """The batches of a training: each epoch has its own order. Follows the loss and refuses one
    that diverges.
    """

    def __init__(self, graph: Graph, data: Any, epochs: int, batch: int, key: Key):
        self.graph, self.data, self.epochs, self.batch, self.key = graph, data, epochs, batch, key
        self.an_epoch = -(-len(data) // batch)
        self.loss, self.right = np.zeros(epochs), np.zeros(epochs)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """(epoch, indices of samples) of each step."""
        for epoch in range(self.epochs):
            drawn = np.empty((1, len(self.data)))
            philox.uniform64(*self.key.words, epoch, 0, drawn)
            order = np.argsort(drawn[0], kind="stable")
            for first in range(0, len(order), self.batch):
                yield epoch, order[first : first + self.batch]

    def operands(self, epoch: int, chosen: np.ndarray, multiply: Multiply) -> dict[str, Operands]:
        """What each product saw, gradients by sample (not their mean); counts loss and hits."""
        labels = self.data.labels[chosen]
        outputs = self.graph.outputs(self.data.inputs[chosen], multiply)
        loss, gradient = cross_entropy(outputs, labels)
        guessing = np.log(outputs.shape[1])
        if not loss.mean() < DIVERGED * guessing:
            raise ValueError(
                f"training diverges in epoch {epoch}: loss {loss.mean():.3g} (guessing has "
                f"{guessing:.3g}); take a smaller rate"
            )
        self.loss[epoch] += loss.sum() / len(self.data)
        self.right[epoch] += (outputs.argmax(axis=1) == labels).sum() / len(self.data)
        return self.graph.operands(gradient)

    def history(self) -> xr.Dataset:
        """Mean loss and accuracy of each epoch, over its training samples as they came."""
        return xr.Dataset(
            {
                "loss": (
                    "epoch",
                    self.loss,
                    {"units": "1", "long_name": "mean cross entropy of the training samples (nat)"},
                ),
                "train_accuracy": (
                    "epoch",
                    self.right,
                    {"units": "1", "long_name": "fraction of training samples classified right"},
                ),
            },
            coords={"epoch": np.arange(1, self.epochs + 1)},
        )


class _Machines:
    """The weights as they stand, written to the target and read at a time."""

    def __init__(self, plan: Plan, graph: Graph, data: Any, rule: str, times: Sequence[float]):
        self.graph, self.data, self.rule, self.times = graph, data, rule, times
        self.owners = {op.name: plan.machine(op) for op in plan.model.mac_ops}
        self.view = copy.copy(plan.model)
        self.view.weights, self.view.biases = graph.weights, graph.biases
        self.calibrations: dict[str, Calibration] = {}

    def calibrate(self) -> None:
        """Find activation ranges for the weights as they stand."""
        found = {
            codes: calibrate(self.view, self.data, self.rule, codes)
            for codes in {one.codes for one in self.owners.values()}
        }
        self.calibrations = {name: found[one.codes][name] for name, one in self.owners.items()}

    def multiply(self, step: int, key: Key) -> Multiply:
        """The products of step `step`: weights written anew, read at one of the times."""
        key, at = key.child(step), self.times[step % len(self.times)]

        def product(op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
            read = key.child(op.name, "read")
            return np.stack(
                [
                    self._written(op, g, key).matmul(x[g], read.child(g), at)
                    for g in range(op.groups)
                ]
            )

        return product

    def _written(self, op: MacOp, group: int, key: Key) -> Programmed:
        bias = (
            np.split(self.graph.biases[op.name], op.groups)[group]
            if op.name in self.graph.biases
            else None
        )
        return self.owners[op.name].program(
            self.graph.weights[op.name][group],
            key.child(op.name, group),
            bias=bias,
            calibration=self.calibrations[op.name],
        )


def _by_gradients(steps: _Steps, machines: _Machines, rate: float, key: Key) -> xr.Dataset:
    """Adam on the mean gradient of each batch."""
    graph, moments, total = steps.graph, Adam().start(), steps.epochs * steps.an_epoch
    values: dict[Hashable, np.ndarray] = {("w", name): w for name, w in graph.weights.items()}
    values |= {("b", name): b for name, b in graph.biases.items()}
    for step, (epoch, chosen) in enumerate(steps):
        if step % RANGES == 0 or step & (step - 1) == 0:
            machines.calibrate()
        seen = steps.operands(epoch, chosen, machines.multiply(step, key))
        with one_thread():
            share = np.float32(1 / len(chosen))
            gradients: dict[Hashable, np.ndarray] = {
                ("w", name): one.weights * share for name, one in seen.items()
            }
            gradients |= {
                ("b", name): one.biases * share
                for name, one in seen.items()
                if name in graph.biases
            }
        moments.step(values, gradients, rate * 0.5 * (1 + np.cos(np.pi * step / total)))
    return steps.history()


def _by_pulses(steps: _Steps, rule: UpdateRule, rate: float, key: Key) -> xr.Dataset:
    """Weights in cells, moved sample by sample; biases in float by plain gradient descent."""
    graph = steps.graph
    learners = {
        name: [rule.learner(w[g], key.child(name, g)) for g in range(len(w))]
        for name, w in graph.weights.items()
    }
    used = []
    for step, (epoch, chosen) in enumerate(steps):
        for name, parts in learners.items():
            graph.weights[name][:] = np.stack(
                [part.read(key.child(name, g, "read", step)) for g, part in enumerate(parts)]
            )
        seen = steps.operands(epoch, chosen, graph.exact)
        for name, one in seen.items():
            for part, x, d in zip(learners[name], one.x, one.d, strict=True):
                part.update(x, d, rate)
            if name in graph.biases:
                graph.biases[name] -= np.float32(rate) * one.biases
        if (step + 1) % steps.an_epoch == 0:
            used.append(_used(learners))
    for name, parts in learners.items():
        graph.weights[name][:] = np.stack([part.weights for part in parts])
    return _counted(rule, used, list(learners)).merge(steps.history())


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
    return found.assign_attrs(sources=",".join(rule.device.sources))
