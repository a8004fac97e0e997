"""How does an ONNX model run on a machine that only multiplies and adds? Split at its MAC
operators.

ONNX Runtime runs the segments between MAC operators, one session a depth (the number of MACs on the
longest path before it); the MAC operators themselves go through the caller's `multiply`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.workload.importers import onnx_file
from pimlab.workload.importers.edges import edges
from pimlab.workload.importers.onnx_file import MAC_TYPES
from pimlab.workload.importers.products import (
    ActivationProduct,
    Convolution,
    IntegerProduct,
    Product,
    WeightProduct,
    product,
)
from pimlab.workload.importers.quantised import CONVERSIONS, quantised
from pimlab.workload.importers.segments import segments
from pimlab.workload.importers.traces import Traces
from pimlab.workload.model import Model, ModelError, Multiply, Stored

SHAPE_ONLY = frozenset(
    {
        "Constant",
        "ConstantOfShape",
        "Dropout",
        "Flatten",
        "Identity",
        "Reshape",
        "Shape",
        "Size",
        "Squeeze",
        "Unsqueeze",
    }
)
"""Operators that compute no element: they name or reshape what is there."""

CHUNK_ELEMENTS = 2**22
"""Elements of the largest tensor a chunk may hold (16 MiB of float32: reused memory, no page
faults); larger batches run in chunks.
"""

GROUPED_CHUNK_ELEMENTS = 2**23
"""The same for models with grouped products, whose targets are called once a group: fewer, longer
calls (32 MiB, the largest block that the C library keeps for reuse).
"""


class Parts(NamedTuple):
    """A split graph: nodes that are no MACs and products, each in the order of the file; constants
    by name; the first output.
    """

    nodes: tuple[Any, ...]
    products: tuple[Product, ...]
    constants: Mapping[str, np.ndarray]
    result: str


class OnnxModel(Model):
    """An ONNX file, split. Its outputs with an exact `multiply` are those of ONNX Runtime on the
    whole file.

    A graph that takes one sample alone, or whose samples depend on what else is in their batch,
    runs sample by sample.
    source : path of an ONNX file, or an onnx.ModelProto.  dims : sizes of the dimensions left open,
    by name.
    adapt : turns the inputs a data set holds into the graph's inputs by name, where the graph has
    several.
    finish : turns the graph's first output into the model's.
    """

    def __init__(
        self,
        source: Any,
        *,
        name: str | None = None,
        dims: Mapping[str, int] | None = None,
        adapt: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
        finish: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray] | None = None,
    ):
        original, self.file, content = _opened(source)
        onnx_file.checked(original, self.file)
        self.name = name or Path(self.file).stem
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.adapt, self.finish = adapt, finish
        self.shapes = onnx_file.open_dimensions(original, dims or {}, self.file)
        self.whole = original
        codes = onnx_file.stored_codes(original.graph)
        model = onnx_file.folded(original, self.file)
        self._build(model, codes)

    def _build(self, model: Any, codes: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        graph = model.graph
        found = onnx_file.constants(graph)
        nodes, self._products = _parted(graph, found, self.file)
        self.parts = Parts(tuple(nodes), tuple(self._products), found, graph.output[0].name)
        traces = Traces(model, self.shapes, self.file)
        self._result = graph.output[0].name
        self.one_by_one = _one_by_one(graph, traces)
        self._kinds = {
            name: traces.one[name].dtype
            for name in (*self.shapes, *(made.output for made in self._products))
        }
        for made in self._products:
            _set_batch_axis(made, traces)
        self._segments = segments(model, nodes, self._products, traces)
        self._statics = {
            name: found[name] for made in self._products for name in made.inputs if name in found
        }
        self._describe(nodes, {**codes, **onnx_file.stored_codes(graph)}, graph, traces)

    def _describe(
        self,
        nodes: list[Any],
        codes: Mapping[str, tuple[np.ndarray, np.ndarray]],
        graph: Any,
        traces: Traces,
    ) -> None:
        self._ops = {made.name: _measured(made, traces, self._statics) for made in self._products}
        self.mac_ops = tuple(self._ops.values())
        self.stored = dict(_stored(self._products, codes))
        outputs = [value.name for value in graph.output]
        self.quantised = quantised(
            self._products, nodes, outputs, self.parts.constants, self.stored
        )
        others = dict(_vector_ops(nodes, traces, bool(self.quantised)))
        self.vector_ops = tuple(others.values())
        names = {tensor: op.name for tensor, op in others.items()}
        self.graph = edges(nodes, names, self._products, traces)
        self.weights = {
            made.name: made.weights for made in self._products if made.weights is not None
        }
        self.biases = {made.name: made.bias for made in self._products if made.bias is not None}
        _refuse_non_finite(self, self.parts.constants)
        self.rectified = frozenset(_rectified(self._products, nodes, graph))
        largest = max(
            [
                1,
                *(traces.growth(name) for name in traces.one),
                *(op.groups * op.m * op.k for op in self.mac_ops),
            ]
        )
        allowed = (
            GROUPED_CHUNK_ELEMENTS
            if any(op.groups > 1 and op.kind == "weights" for op in self.mac_ops)
            else CHUNK_ELEMENTS
        )
        self._chunk = 1 if self.one_by_one else max(1, allowed // largest)

    def execute(self, inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs (n, ...) for inputs (n, ...); every MAC operator goes through `multiply`."""
        feeds = self._feeds(inputs)
        n = len(next(iter(feeds.values())))
        parts = [
            self._run({k: v[i : i + self._chunk] for k, v in feeds.items()}, multiply, first + i)
            for i in range(0, n, self._chunk)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def oracle(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs of ONNX Runtime on the whole model, unsplit: what an exact `multiply` must
        reproduce.
        """
        feeds, whole = self._feeds(inputs), onnx_file.session(self.whole, "BASIC")
        n, step = len(next(iter(feeds.values()))), self._chunk
        parts = []
        for i in range(0, n, step):
            part = {k: v[i : i + step] for k, v in feeds.items()}
            y = whole.run([whole.get_outputs()[0].name], part)[0]
            parts.append(self.finish(y, part) if self.finish else y)
        return np.concatenate(parts)

    def _feeds(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        feeds = self.adapt(inputs) if self.adapt else {next(iter(self.shapes)): np.asarray(inputs)}
        if set(feeds) != set(self.shapes):
            raise ValueError(
                f"{self.name}: inputs {sorted(feeds)} given; the model has {sorted(self.shapes)}"
            )
        return {name: self._checked(name, value) for name, value in feeds.items()}

    def _checked(self, name: str, value: np.ndarray) -> np.ndarray:
        wanted, kind = self.shapes[name], self._kinds[name]
        if value.shape[1:] != wanted or len(value) == 0:
            raise ValueError(
                f"{self.name}: input {name!r} has shape {value.shape}, allowed (n, "
                f"{', '.join(map(str, wanted))}) with n >= 1"
            )
        if not np.isfinite(value).all():
            raise ValueError(
                f"{self.name}: input {name!r} holds {np.count_nonzero(~np.isfinite(value))} "
                "non-finite values"
            )
        return np.ascontiguousarray(value, dtype=kind)

    def _run(self, feeds: dict[str, np.ndarray], multiply: Multiply, first: int) -> np.ndarray:
        values: dict[str, np.ndarray] = {**self._statics, **feeds}
        for segment in self._segments:
            segment.run(values)
            for made in segment.products:
                call = self._call(self._ops[made.name], multiply, first)
                y = made.apply(call, *(values[name] for name in made.inputs))
                values[made.output] = _as_kind(y, self._kinds[made.output])
            for name in segment.dead:
                values.pop(name, None)
        y = values[self._result]
        return self.finish(y, feeds) if self.finish else y

    def _call(
        self, op: MacOp, multiply: Multiply, first: int
    ) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
        return lambda x, w: multiply(op, x, w, first * op.m)


def _opened(source: Any) -> tuple[Any, str, bytes]:
    """The model of a path or an onnx.ModelProto, what errors call it, and its bytes."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        return onnx_file.read(path), path.name, path.read_bytes()
    content = source.SerializeToString(deterministic=True)
    return (
        type(source).FromString(content),
        source.graph.name,
        content,
    )  # a copy: dimensions are opened in it


def _one_by_one(graph: Any, traces: Traces) -> bool:
    """Whether samples run alone: the graph takes one, quantises by what is in the batch, or mixes
    the samples of a batch.

    ModelError when the output is not one row or more a sample, first axis first.
    """
    name = graph.output[0].name
    if name not in traces.one or (traces.two is not None and traces.axis(name) not in (0, None)):
        raise ModelError(
            f"{traces.file}: output {name!r} does not follow the batch; allowed: an output whose "
            "first axis is the batch"
        )
    quantised = any(node.op_type == "DynamicQuantizeLinear" for node in graph.node)
    return traces.two is None or quantised or not traces.stacked(name)


def _as_kind(y: np.ndarray, kind: np.dtype) -> np.ndarray:
    """A product in the type that the graph has there; integers by rounding."""
    return (
        np.rint(y).astype(kind)
        if kind.kind in "iu" and y.dtype.kind == "f"
        else y.astype(kind, copy=False)
    )


def _refuse_non_finite(model: OnnxModel, constants: Mapping[str, np.ndarray]) -> None:
    """ModelError where weights or biases are not finite, or another constant is no number (masks
    hold infinities).
    """
    added = {
        f"bias of {made.name}": b
        for made in model.parts.products
        if (b := getattr(made, "added", None)) is not None
    }
    biases = {f"bias of {name}": b for name, b in model.biases.items()}
    for name, values in {**model.weights, **biases, **added}.items():
        if not np.isfinite(values).all():
            raise ModelError(
                f"{model.file}: {name!r} holds {np.count_nonzero(~np.isfinite(values))} non-finite "
                "weights"
            )
    for name, values in constants.items():
        if values.dtype.kind == "f" and values.size > 1 and np.isnan(values).any():
            raise ModelError(
                f"{model.file}: constant {name!r} holds {np.count_nonzero(np.isnan(values))} "
                "values that are no number (NaN)"
            )


def _parted(graph: Any, found: dict[str, np.ndarray], file: str) -> tuple[list[Any], list[Product]]:
    """The nodes that are no MACs, and the MAC nodes as products; a constant vector added to a
    product is its bias.
    """
    nodes, products = list(graph.node), []
    names: set[str] = set()
    readers = _readers(graph)
    folded_away: set[int] = set()
    for index, node in enumerate(nodes):
        if node.op_type in MAC_TYPES and not (
            node.op_type == "MatMul" and all(name in found for name in node.input)
        ):
            name = _unique(node.name or node.output[0], names)
            made = product(node, name, found, file)
            folded_away |= {index, *_fold_bias(made, nodes, readers, found)}
            products.append(made)
    return [node for index, node in enumerate(nodes) if index not in folded_away], products


def _unique(name: str, taken: set[str]) -> str:
    unique = next(
        n for i in range(len(taken) + 1) if (n := name if i == 0 else f"{name}_{i}") not in taken
    )
    taken.add(unique)
    return unique


def _readers(graph: Any) -> dict[str, list[int]]:
    """Tensor name -> indices of the nodes that read it; -1 for a graph output."""
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(graph.node):
        for name in onnx_file.reads(node):
            readers.setdefault(name, []).append(index)
    for value in graph.output:
        readers.setdefault(value.name, []).append(-1)
    return readers


def _fold_bias(
    made: Product,
    nodes: list[Any],
    readers: Mapping[str, list[int]],
    found: Mapping[str, np.ndarray],
) -> set[int]:
    """Take the only reader of a product, where it adds a constant (n,), into the product; the index
    of that Add.
    """
    after = readers.get(made.output, [])
    if (
        type(made) is not WeightProduct
        or made.flipped
        or made.bias is not None
        or len(made.right) > 1
        or len(after) != 1
        or after[0] < 0
    ):
        return set()
    node, n = nodes[after[0]], made.right.shape[2]
    others = [name for name in node.input if name != made.output]
    if node.op_type != "Add" or len(others) != 1 or others[0] not in found:
        return set()
    addend = found[others[0]]
    if addend.shape[-1:] != (n,) or addend.size != n:
        return set()
    made.bias, made.output = (
        np.ascontiguousarray(addend.reshape(n), dtype=np.float32),
        node.output[0],
    )
    return {after[0]}


def _set_batch_axis(made: Product, traces: Traces) -> None:
    """Tell a product where its batch lies; ModelError where an operand has none, or not at its
    front.
    """
    if traces.two is None:
        return
    axes = [
        traces.axis(name)
        for name in made.inputs[:2]
        if not isinstance(made, WeightProduct) or name == made.inputs[0]
    ]
    if isinstance(made, WeightProduct) and axes[0] is not None and not made.flipped:
        made.batch = axes[0]
    elif 0 not in axes:
        raise ModelError(
            f"{traces.file}: node {made.name!r} multiplies values without a batch at their first "
            f"axis (axes {axes})"
        )


def _measured(made: Product, traces: Traces, statics: Mapping[str, np.ndarray]) -> MacOp:
    """The MacOp of a product, measured on the traces; ModelError where two samples do not do twice
    the work of one.
    """
    sizes = [
        _sizes(
            made,
            [statics[name] if name in statics else trace[name] for name in made.inputs],
            traces.file,
        )
        for trace in traces.each()
    ]
    groups, m, k, n = sizes[0]
    computed = isinstance(made, ActivationProduct)
    if len(sizes) == 2 and sizes[1] != (
        (2 * groups, m, k, n) if computed else (groups, 2 * m, k, n)
    ):
        raise ModelError(
            f"{traces.file}: node {made.name!r} multiplies {sizes[0]} for one sample and "
            f"{sizes[1]} for two (groups, m, k, n)"
        )
    distinct = (
        min(traces.one[made.inputs[0]].size, groups * m * k)
        if isinstance(made, Convolution)
        else None
    )
    return MacOp(
        name=made.name,
        m=m,
        k=k,
        n=n,
        groups=groups,
        kind="activations" if computed else "weights",
        distinct=distinct,
    )


def _sizes(made: Product, values: list[np.ndarray], file: str) -> tuple[int, ...]:
    """(groups, rows, k, n) of the one call that a product makes for these operands."""
    shapes: list[tuple[int, ...]] = []

    def call(x: np.ndarray, w: np.ndarray | None) -> np.ndarray:
        n = w.shape[2] if w is not None else made.weights.shape[2]  # type: ignore[union-attr]
        shapes.append((*x.shape, n))
        return np.zeros((*x.shape[:2], n), np.float32)

    try:
        made.apply(call, *values)
        groups, m, k, n = shapes[0]
    except ValueError as error:
        raise ModelError(
            f"{file}: node {made.name!r} has operands {[v.shape for v in values]} that are not "
            "laid out as "
            "(batch, ..., m, k) by weights"
        ) from error
    return groups, m, k, n


def _vector_ops(
    nodes: list[Any], traces: Traces, quantised: bool
) -> Iterable[tuple[str, VectorOp]]:
    """First output -> operator of the nodes that compute elements of each sample; what does not
    grow with the batch is arithmetic on shapes.

    quantised : whether the file holds its products in codes: operators then read and write codes,
    and the nodes that say in which ones cost nothing.
    """
    taken: set[str] = set()
    free = {*SHAPE_ONLY, *(CONVERSIONS if quantised else ())}
    for node in nodes:
        name = next((output for output in node.output if output), "")
        if name and node.op_type not in free and traces.growth(name) > 0:
            unique = _unique(node.name or name, taken)
            kind, elements = node.op_type.lower(), traces.growth(name)
            yield name, VectorOp(name=unique, kind=kind, elements=elements)


def _stored(
    products: list[Product], codes: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Iterable[tuple[str, Stored]]:
    """Integer codes and scales behind the weights that the file holds as integers."""
    for made in products:
        if isinstance(made, IntegerProduct):
            yield made.name, Stored(made.right.astype(np.int16), np.ones((1, 1, 1), np.float32))
        elif made.origin in codes:
            values, scale = codes[made.origin]
            laid = made.laid_out(np.broadcast_to(scale, values.shape))
            by_column = laid[:, :1] if (laid == laid[:, :1]).all() else laid
            yield made.name, Stored(made.laid_out(values), np.ascontiguousarray(by_column))


def _rectified(products: list[Product], nodes: list[Any], graph: Any) -> Iterable[str]:
    outputs = {value.name for value in graph.output}
    for made in products:
        after = [node for node in nodes if made.output in onnx_file.reads(node)]
        read_by_products = any(made.output in other.inputs for other in products)
        if (
            [node.op_type for node in after] == ["Relu"]
            and made.output not in outputs
            and not read_by_products
        ):
            yield made.name
