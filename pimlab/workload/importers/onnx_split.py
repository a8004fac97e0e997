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
from pimlab.workload.importers import (
    constants,
    graph_inputs,
    host_runtime,
    onnx_file,
    readings,
)
from pimlab.workload.importers.edges import edges
from pimlab.workload.importers.onnx_file import MAC_TYPES
from pimlab.workload.importers.products import (
    Convolution,
    IntegerConvolution,
    IntegerProduct,
    Product,
    WeightProduct,
    product,
)
from pimlab.workload.importers.quantised import CONVERSIONS, check_scales, held, quantised
from pimlab.workload.importers.segments import segments
from pimlab.workload.importers.steps import base_name, merged, shared_operators
from pimlab.workload.importers.traces import Traces, close
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

    An inference is one sample of the batch that the inputs leave open, or that they fix and whose
    samples stand apart. Where the file fixes all sizes and mixes what is in them, an inference
    takes the inputs whole, as declared. A graph that takes one sample alone, or quantises by what
    is in the batch, runs sample by sample.

    source : path of an ONNX file, or an onnx.ModelProto.  dims : sizes of the dimensions left open,
    by name; with the name of the batch, an inference is a batch of that size.
    output : name of the output that answers; None for the first.
    example : array (n, ...), or arrays by input name, that fit the inputs, for graphs that cannot
    be computed for values drawn at random.
    adapt : turns the inputs a data set holds into the graph's inputs by name, where the graph has
    several.
    finish : turns the graph's output into the model's.
    """

    def __init__(
        self,
        source: Any,
        *,
        name: str | None = None,
        dims: Mapping[str, int] | None = None,
        output: str | None = None,
        example: Any = None,
        adapt: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None,
        finish: Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray] | None = None,
    ):
        original, self.file, self.sha256 = _opened(source)
        self.name = name or Path(self.file).stem
        self.adapt, self.finish = adapt, finish
        with onnx_file.damage_named(self.file):
            self._named = graph_inputs.open_names(original.graph)
            self._result = onnx_file.prepare(original, self.file, output)
            self._read(original, dims or {}, example)

    def _read(self, original: Any, dims: Mapping[str, int], example: Any) -> None:
        """Find what an inference is, and split the graph."""
        ways = graph_inputs.plans(original.graph, dims, self.file, self._named)
        codes = constants.stored_codes(original.graph)
        self.inputs = ways[0].inputs
        given = {} if example is None else self._by_name(example)
        reading = readings.read(original, ways, self._result, self.file, given)
        self.whole = original
        self.inputs = reading.traces.plan.inputs
        self.shapes = {one.name: one.shape for one in self.inputs}
        self.one_by_one, self.axis = not reading.several, reading.axis
        result = reading.traces.one.get(self._result)  # a constant output is not traced
        self.result_axes = 0 if result is None else result.ndim
        self._build(reading.model, codes, reading.traces)
        self._unstable = self._check_split(reading.traces)

    def _build(
        self, model: Any, codes: Mapping[str, tuple[np.ndarray, np.ndarray]], traces: Traces
    ) -> None:
        graph = model.graph
        found = constants.constants(graph)
        check_scales(self.file, graph.node, found)
        nodes, self._products = _parted(graph, found, self.file)
        self.parts = Parts(tuple(nodes), tuple(self._products), found, self._result)
        self._kinds = {
            name: traces.one[name].dtype
            for name in (*self.shapes, *(made.output for made in self._products))
        }
        for made in self._products:
            _set_batch_axis(made, traces)
        self._segments = segments(model, nodes, self._products, traces)
        read = {self._result}.union(*(made.inputs for made in self._products))
        self._statics = {name: found[name] for name in read if name in found}
        self._describe(nodes, {**codes, **constants.stored_codes(graph)}, graph, traces)

    def _describe(
        self,
        nodes: list[Any],
        codes: Mapping[str, tuple[np.ndarray, np.ndarray]],
        graph: Any,
        traces: Traces,
    ) -> None:
        self._ops = shared_operators(
            self._products, {p.name: _measured(p, traces, self._statics) for p in self._products}
        )
        self.mac_ops = tuple(self._ops.values())
        self.stored = dict(_stored(self._products, codes))
        outputs = [value.name for value in graph.output]
        self.quantised = quantised(
            self._products, nodes, outputs, self.parts.constants, self.stored
        )
        others = _vector_ops(nodes, traces, bool(self.quantised), {*self._ops})
        self.vector_ops = tuple({op.name: op for op in others.values()}.values())
        names = {tensor: op.name for tensor, op in others.items()}
        self.graph = edges(nodes, names, self._products, traces)
        self.weights = {
            made.name: made.weights for made in self._products if made.weights is not None
        }
        self.held = held(self.stored, self.weights)
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
        stepped = any(made.rows_before for made in self._products)
        self._chunk = 1 if self.one_by_one or stepped else max(1, allowed // largest)

    def _check_split(self, traces: Traces) -> str:
        """Why the outputs of the parts cannot be trusted, "" where they can. ModelError where a
        product is not what ONNX Runtime makes of its operands.

        Left out where ONNX Runtime may saturate sums of integer products (on processors without
        VNNI), which are exact here.
        """
        if any(isinstance(made, IntegerProduct | IntegerConvolution) for made in self._products):
            return ""
        for made in self._products:
            values = [{**self._statics, **traces.one}[name] for name in made.inputs]
            y = made.apply(self._call(made, self.exact, 0), *values)
            if y.dtype.kind == "f" and not np.isfinite(y).any():
                return (
                    f"model {self.name!r}: layer {made.name!r} overflows float32: its outputs are "
                    f"infinite for inputs that reach {np.abs(values[0]).max():.3g}; allowed: up to "
                    "3.4e+38 (scale the weights); its costs stand"
                )
            wanted = traces.one[made.output]
            if not close(_as_kind(y, self._kinds[made.output]), wanted, True):
                if (size := self._added(made, values)) * _ROUNDING >= np.abs(y - wanted).max():
                    return self._disordered(made.output, size)
                raise ModelError(
                    f"{self.file}: node {made.name!r} is misread: its product is not what ONNX "
                    "Runtime makes of the same operands; allowed: nodes of the usual forms"
                )
        for trace in traces.each() if not self.one_by_one else [traces.one]:
            feeds = {name: trace[name] for name in self.shapes}
            y, whole = self._run(feeds, self.exact, 0, finish=False), trace.get(self._result)
            if whole is not None and not (
                close(y, whole, traces.coarse)
                or _saturated(self.parts.nodes, self._result, y, whole)
            ):
                largest = max(np.abs(traces.one[made.output]).max() for made in self._products)
                return self._disordered(self._result, largest)
        return ""

    def _added(self, made: Product, values: list[np.ndarray]) -> float:
        """The largest sum of sizes that a product adds up."""
        weights = self.weights.get(made.name, np.empty(0))
        sums = made.apply(lambda x, w: np.abs(x) @ np.abs(weights if w is None else w), *values)
        return float(np.abs(sums).max())

    def _disordered(self, output: str, size: float) -> str:
        return (
            f"{self.file}: output {output!r} hangs on the order in which float32 sums are added "
            f"(products reach {size:.3g}); allowed: weights whose products stay in a range that "
            "later nodes resolve; its costs stand"
        )

    def execute(self, inputs: Any, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs (n, ...) for inputs (n, ...); every MAC operator goes through `multiply`.

        inputs : an array, or for a graph with several inputs a mapping of their names to arrays, or
        a structured array with their names as fields. An input that is whole may come without n:
        as the one inference, or for all of them the same.
        """
        if self._unstable:
            raise ModelError(self._unstable)
        return self._outputs(inputs, lambda part, i: self._run(part, multiply, first + i))

    def oracle(self, inputs: Any) -> np.ndarray:
        """Outputs of ONNX Runtime on the whole model, unsplit: what an exact `multiply` must
        reproduce. Batch first: shape (batch, ...).
        """
        whole = host_runtime.session(self.whole, "BASIC")
        return self._outputs(
            inputs,
            lambda part, _: self._finished(whole.run([self._result], part)[0], part),
        )

    def _outputs(
        self, inputs: Any, run: Callable[[dict[str, np.ndarray], int], np.ndarray]
    ) -> np.ndarray:
        feeds, n = self._feeds(inputs)
        if n is None:
            return run({name: np.asarray(value[0]) for name, value in feeds.items()}, 0)
        parts = [run(self._part(feeds, i), i) for i in range(0, n, self._chunk)]
        return self._joined(parts)

    def _part(self, feeds: Mapping[str, np.ndarray], i: int) -> dict[str, np.ndarray]:
        return {
            one.name: feeds[one.name][i : i + self._chunk]
            if one.leading
            else np.asarray(feeds[one.name][i])
            for one in self.inputs
        }

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        if len({y.shape[1:] if self.axis is not None else y.shape for y in parts}) > 1:
            raise ModelError(
                f"{self.file}: output {self._result!r} has the shapes "
                f"{sorted({y.shape for y in parts})} for these inputs; allowed: one shape for all "
                "(run them one by one)"
            )
        if self.axis is None:
            return np.stack(parts)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _finished(self, y: np.ndarray, feeds: dict[str, np.ndarray]) -> np.ndarray:
        """A graph's output with the batch first, as the model's."""
        if self.axis:
            y = np.ascontiguousarray(np.moveaxis(y, self.axis, 0))
        return self.finish(y, feeds) if self.finish else y

    def _feeds(self, inputs: Any) -> tuple[dict[str, np.ndarray], int | None]:
        """Input name -> array (n, ...), and n; None where all came whole, as one inference."""
        given = self.adapt(inputs) if self.adapt else self._by_name(inputs)
        if set(given) != {one.name for one in self.inputs}:
            raise ModelError(
                f"{self.name}: inputs {sorted(given)} given; the model has "
                f"{sorted(one.name for one in self.inputs)}"
            )
        values = {one.name: np.asarray(given[one.name]) for one in self.inputs}
        single = {one.name for one in self.inputs if _is_single(one, values[one.name])}
        counts = {len(v) for name, v in values.items() if name not in single and v.ndim}
        if len(counts) > 1:
            shapes = {name: value.shape for name, value in values.items()}
            raise ModelError(f"{self.name}: inputs of shapes {shapes}; allowed: one n for all")
        n = counts.pop() if counts else 1
        for name in single:
            values[name] = np.broadcast_to(values[name], (n, *values[name].shape))
        feeds = {one.name: self._checked(one, values[one.name]) for one in self.inputs}
        return feeds, None if single == set(feeds) else n

    def _by_name(self, inputs: Any) -> Mapping[str, Any]:
        if isinstance(inputs, Mapping):
            return inputs
        array = np.asarray(inputs)
        if array.dtype.names:
            return {name: array[name] for name in array.dtype.names}
        if len(self.inputs) != 1:
            names = ", ".join(f"{one.name!r}: array" for one in self.inputs)
            raise ModelError(
                f"{self.name}: one array given; the model has {len(self.inputs)} inputs; write "
                f"{{{names}}}"
            )
        return {self.inputs[0].name: array}

    def _checked(self, one: graph_inputs.Input, value: np.ndarray) -> np.ndarray:
        if value.shape[1:] != one.shape or len(value) == 0:
            raise ModelError(
                f"{self.name}: input {one.name!r} has shape {value.shape}, allowed (n, "
                f"{', '.join(map(str, one.shape))}) with n >= 1"
            )
        if self.mac_ops and not np.isfinite(value).all():
            raise ModelError(
                f"{self.name}: input {one.name!r} holds {np.count_nonzero(~np.isfinite(value))} "
                "non-finite values"
            )
        return np.ascontiguousarray(value, dtype=one.kind)

    def _run(
        self,
        feeds: dict[str, np.ndarray],
        multiply: Multiply,
        first: int,
        finish: bool = True,
    ) -> np.ndarray:
        values: dict[str, np.ndarray] = {**self._statics, **feeds}
        for segment in self._segments:
            segment.run(values)
            for made in segment.products:
                call = self._call(made, multiply, first)
                y = made.apply(call, *(values[name] for name in made.inputs))
                values[made.output] = _as_kind(y, self._kinds[made.output])
            for name in segment.dead:
                values.pop(name, None)
        y = values[self._result]
        return self._finished(y, feeds) if finish else y

    def _call(
        self, made: Product, multiply: Multiply, first: int
    ) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
        op = self._ops[made.name]
        return lambda x, w: multiply(op, x, w, first * op.m + made.rows_before)


def _is_single(one: graph_inputs.Input, value: np.ndarray) -> bool:
    """Whether a whole input came as one inference, without n."""
    return not one.leading and value.shape == one.shape


def _opened(source: Any) -> tuple[Any, str, str]:
    """The model of a path or an onnx.ModelProto, what errors call it, and its sha256."""
    if isinstance(source, (str, Path)):
        model, digest = onnx_file.read(Path(source))
        return model, Path(source).name, digest
    content = source.SerializeToString(deterministic=True)
    copy = type(source).FromString(content)  # it is changed here
    return copy, source.graph.name, hashlib.sha256(content).hexdigest()


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


_BOUNDED = ("Sigmoid", "Softmax", "HardSigmoid", "Tanh")
_MOVES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose")
_STEP = 2.0**-23
"""Rounding of a float32 near 1: what a function with values from 0 to 1 leaves of nothing."""


_ROUNDING = 1e-5
"""Of the sizes that a float32 sum adds, the share by which another order may change it."""


def _saturated(nodes: Iterable[Any], result: str, y: np.ndarray, whole: np.ndarray) -> bool:
    """Whether outputs differ by the rounding of a function whose values reach 1 alone: a sigmoid
    of -17 is 0, 3e-8 or 6e-8, by the path that computes it.
    """
    makers = {name: node for node in nodes for name in node.output}
    node = makers.get(result)
    while node is not None and node.op_type in _MOVES:
        node = makers.get(node.input[0])
    bounded = node is not None and node.op_type in _BOUNDED and y.shape == whole.shape
    return bounded and bool(np.abs(y.astype(np.float64) - whole).max(initial=0.0) <= _STEP)


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
    computed = made.weights is None
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
    nodes: list[Any], traces: Traces, quantised: bool, taken: set[str]
) -> dict[str, VectorOp]:
    """First output -> operator of the nodes that compute elements of each sample; what does not
    grow with the batch is arithmetic on shapes.

    quantised : whether the file holds its products in codes: operators then read and write codes,
    and the nodes that say in which ones cost nothing.
    taken : names of the products, which no other operator may have; the new names are added.
    """
    free = {*SHAPE_ONLY, *(CONVERSIONS if quantised else ())}
    found: dict[str, VectorOp] = {}
    for node in nodes:
        name = next((output for output in node.output if output), "")
        if name and node.op_type not in free and traces.growth(name) > 0:
            kind, elements = node.op_type.lower(), traces.growth(name)
            shown = node.name or name
            unique = shown if base_name(shown) != shown else _unique(shown, taken)
            found[name] = VectorOp(name=unique, kind=kind, elements=elements)
    return merged(found, taken)


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
