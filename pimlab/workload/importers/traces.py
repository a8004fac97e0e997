"""Which tensors of a graph grow with the batch, and does each sample stand apart from the others?
Found by running it.

A sample a, another b, and both as a batch tell what grows. The batches (a, b), (c, b) and (a, c)
tell what mixes: what stands apart gives a the same bits beside b and beside c, and b the same
behind a and behind c.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.workload.importers import host_runtime
from pimlab.workload.importers.graph_inputs import Input, Plan
from pimlab.workload.importers.host_runtime import HostError, TypeNotHandedOver
from pimlab.workload.importers.limits import label

Values = dict[str, Any]

PLACES = 7
"""Samples of the batch that shows whether the place in a batch matters."""
SAMPLES = 8
"""Samples that differ, in a batch that the file fixes."""
QUICK = 2**22
"""Values of all tensors of one inference up to which that batch is always run."""
STEPPED = frozenset({"ArgMax", "ArgMin", "Ceil", "Floor", "NonMaxSuppression", "Round", "TopK"})
"""Operators whose result moves by a whole step where their operand moves by the last bit."""
PLACING = frozenset({"CumProd", "CumSum", "EyeLike", "NonZero", "Range", "TopK", "Trilu", "Unique"})
"""Operators that may look at where a value stands; a graph with one is tried whatever its size."""


class Traces:
    """Every tensor of two runs: a sample, and a batch of it and another; of values in 0..1 drawn
    once and for all.

    one, two : tensor name -> value for the first sample, and for both; `two` is None where the
    graph takes one alone, or is read as taking one alone. HostError where not even one runs.
    reference : whether tensors have types that only the reference hands over.
    """

    def __init__(
        self,
        model: Any,
        plan: Plan,
        file: str,
        example: Mapping[str, np.ndarray],
    ):
        self.file, self.plan, self.example = file, plan, example
        self._given = {one.name: _fitting(one, example) for one in plan.inputs}
        self._nodes = model.graph.node
        self.reference = _unhanded(model)
        self._runner, self._names = _exposed(model, reference=self.reference)
        try:
            self.one = self._run([0])
        except TypeNotHandedOver:
            self.reference, (self._runner, self._names) = True, _exposed(model, reference=True)
            self.one = self._run([0])
        self.reference |= any(
            getattr(v, "dtype", np.dtype(bool)).kind == "V" for v in self.one.values()
        )
        batched = any(one.leading for one in plan.inputs) and (plan.open or plan.several)
        self.two = self._batch([0, 1]) if batched else None
        self._other = self._batch([1]) if self.two is not None else None

    def _run(self, samples: list[int], names: list[str] | None = None) -> Values:
        names = self._names if names is None else names
        feeds = {one.name: self._fed(one, samples) for one in self.plan.inputs}
        if not names:  # nothing is computed: every output is a constant
            return dict(feeds)
        found = host_runtime.timed(self._runner, names, feeds)
        return {**feeds, **dict(zip(names, found, strict=True))}

    def _fed(self, one: Input, samples: list[int]) -> np.ndarray:
        """What an input gets: a batch of the samples, or the first alone where it has no batch."""
        drawn = [
            _drawn(one.shape, one.kind, seed)
            if (given := self._given[one.name]) is None
            else _like(given, seed)
            for seed in (samples if one.leading else [0])
        ]
        return np.stack(drawn) if one.leading else np.asarray(drawn[0])

    def _batch(self, samples: list[int], names: list[str] | None = None) -> Values | None:
        """A run that need not be possible: a graph may insist on one sample, or on what its values
        are.
        """
        try:
            return self._run(samples, names)
        except HostError:
            return None

    def axis(self, name: str) -> int | None:
        """The axis of a tensor that grows with the batch; None for a tensor that does not, or not
        along one axis, or is not known. Counted from 0, unit: axes.
        """
        if self.two is None or not isinstance(self.one.get(name), np.ndarray):
            return None
        one, two = self.one[name].shape, self.two[name].shape
        if len(one) != len(two):
            return None
        grown = [i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
        return grown[0] if len(grown) == 1 and two[grown[0]] == 2 * one[grown[0]] else None

    def stacked(self, name: str) -> bool:
        """Whether a batch of this tensor is one sample after the other along its axis, or the same
        for every batch, within the rounding of another code path.
        """
        if self.two is None or self._other is None or name not in self.one:
            return False
        axis, one, other, two = self.axis(name), self.one[name], self._other[name], self.two[name]
        if not isinstance(one, np.ndarray):
            return False
        if axis is None:
            return one.shape == other.shape == two.shape
        if one.shape != other.shape:
            return False
        return close(np.concatenate([one, other], axis=axis), two, self.coarse)

    def apart(self, name: str) -> bool:
        """Whether a tensor is stacked and its samples do not depend on one another."""
        if not self.stacked(name) or self.axis(name) is None:
            return False
        mixed = [self._batch(samples, [name]) for samples in ([2, 1], [0, 2])]
        if None in mixed or not self._independent(name, *(run[name] for run in mixed if run)):
            return False
        return self._steady(name)

    def _steady(self, name: str) -> bool:
        """Whether a sample gives the same wherever it stands in a larger batch: that which the file
        fixes, or one of PLACES.
        """
        if not self.plan.size and not self._quick() and not self._placed():
            return True
        samples = [i % SAMPLES for i in range(self.plan.size or PLACES)]
        batch = self._batch(samples, [name])
        alone = {i: self._batch([i], [name]) for i in dict.fromkeys(samples)}
        if batch is None or None in alone.values():
            return False
        parts = [run[name] for i in samples if (run := alone[i]) is not None]
        if len({part.shape for part in parts}) > 1:
            return False
        return close(np.concatenate(parts, self.axis(name)), batch[name], self.coarse)

    def _quick(self) -> bool:
        return sum(map(_elements, self.one.values())) <= QUICK

    def _placed(self) -> bool:
        return any(node.op_type in PLACING for node in self._nodes)

    @property
    def coarse(self) -> bool:
        """Whether values are rounded to codes or classes: the last bit of a sum may then move one
        by a whole step.
        """
        kinds = {node.op_type for node in self._nodes}
        return bool(kinds & STEPPED) or any("Quantize" in k or "QLinear" in k for k in kinds)

    def _independent(self, name: str, before: np.ndarray, behind: np.ndarray) -> bool:
        """Whether the first sample of `behind` (a, c) and the second of `before` (c, b) are those
        of (a, b), to the bit.
        """
        assert self.two is not None
        axis, two = self.axis(name), self.two[name]
        if axis is None:
            return bool(_same(two, before) and _same(two, behind))
        if before.shape != two.shape or behind.shape != two.shape:
            return False
        a, b = np.split(two, 2, axis=axis)
        return bool(
            _same(a, np.split(behind, 2, axis)[0]) and _same(b, np.split(before, 2, axis)[1])
        )

    def mixer(self) -> str:
        """The first node that mixes samples: its operands stand apart, what it makes does not."""
        before, behind = self._batch([2, 1]), self._batch([0, 2])
        if before is None or behind is None or self.two is None:
            return "a node"
        sound = {one.name for one in self.plan.inputs}
        for node in self._nodes:
            name = next((output for output in node.output if output), "")
            read = [n for n in node.input if n in self.one]
            if name and isinstance(self.one[name], np.ndarray) and set(read) <= sound:
                if not self.stacked(name) or not self._independent(
                    name, before[name], behind[name]
                ):
                    return f"node {label(node)!r} ({node.op_type})"
                sound |= set(node.output)
        return "a node"

    def growth(self, name: str) -> int:
        """Elements of a tensor that each sample adds (unit: elements)."""
        if self.two is None:
            return _elements(self.one[name])
        return _elements(self.two[name]) - _elements(self.one[name])

    def each(self) -> list[Values]:
        """The runs on one sample and, where possible, on two."""
        return [self.one] if self.two is None else [self.one, self.two]

    def value_info(self, name: str) -> Any:
        """Type and shape of a tensor for ONNX, with the axes open that differ between the runs."""
        from onnx import helper

        shapes = [values[name].shape for values in self.each()]
        dims: list[Any] = [
            a if all(a == b for b in rest) else None for a, *rest in zip(*shapes, strict=True)
        ]
        return helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(self.one[name].dtype), dims
        )


def close(a: np.ndarray, b: np.ndarray, coarse: bool) -> bool:
    """Whether two arrays of one shape hold the same numbers, but for another path of rounding.

    Mean |a - b| is at most 0.05 of the mean distance of b from its mean (another order of samples
    comes to 1), and, unless they are `coarse`, no |a - b| is more than half of it or a tenth of the
    range of b. ONNX Runtime's fast reciprocal differs by 0.005 between its path for many values and
    that for few.
    """
    if a.shape != b.shape or a.dtype.kind in "OSUc" or b.dtype.kind in "OSUc":
        return False
    wide, other = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(wide) & np.isfinite(other)
    if not finite.any():
        return bool(_same(wide, other))
    apart = np.abs(wide[finite] - other[finite])
    spread = np.abs(other[finite] - other[finite].mean()).mean()
    least = 1e-4 * np.abs(other[finite]).mean()
    most = max(0.5 * spread, 0.1 * np.ptp(other[finite])) + least
    return bool(apart.mean() <= 0.05 * spread + least and (coarse or apart.max() <= most))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def _exposed(model: Any, *, reference: bool = False) -> tuple[Any, list[str]]:
    """A runner of the model, unchanged, that gives every tensor, and their names."""
    import onnx

    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    names = list(dict.fromkeys(name for node in model.graph.node for name in node.output if name))
    if not names:
        return None, names
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return host_runtime.session(exposed, "DISABLE", reference=reference), names


def _drawn(shape: tuple[int, ...], kind: np.dtype, seed: int) -> np.ndarray:
    """Random numbers in 0..1, or zeros and ones for integers: constant samples would make
    normalisations divide by nothing.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.random(shape) if kind.kind == "f" else rng.integers(0, 2, shape)
    return np.asarray(drawn).astype(kind)


def _unhanded(model: Any) -> bool:
    """Whether a graph computes float8, which ONNX Runtime hands over as bytes of no type."""
    from onnx import TensorProto

    eights = {
        TensorProto.FLOAT8E8M0,
        *range(TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2FNUZ + 1),
    }
    codes = {n.input[0] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    held = {t.data_type for t in model.graph.initializer if t.name not in codes}
    made = {a.i for n in model.graph.node for a in n.attribute if a.name in ("to", "output_dtype")}
    return bool(eights & (held | made))


def _fitting(one: Input, example: Mapping[str, Any]) -> np.ndarray | None:
    """The examples of an input as (n, *shape); None where there are none. HostError where their
    shape is another.
    """
    if one.name not in example:
        return None
    value = np.asarray(example[one.name])
    value = value[None] if not one.leading and value.shape == one.shape else value
    if value.shape[1:] != one.shape or value.ndim == 0 or len(value) == 0:
        raise HostError(
            f"the example of input {one.name!r} has shape {value.shape}; allowed: "
            f"{('n', *one.shape)}"
        )
    return value.astype(one.kind)


def _like(examples: np.ndarray, seed: int) -> np.ndarray:
    """One of the examples (n, ...); where they run out, the last with its floats changed a
    little.
    """
    value = examples[min(seed, len(examples) - 1)]
    if seed < len(examples) or value.dtype.kind != "f":
        return value
    noise = np.random.default_rng(seed).standard_normal(value.shape)
    return np.asarray(value * (1 + 0.1 * noise)).astype(value.dtype)


def _elements(value: Any) -> int:
    return int(value.size) if isinstance(value, np.ndarray) else 0
