"""Which operator of an ONNX graph reads what another one makes, and can it begin before all of it
is there? Tensors are followed from maker to reader.

A tensor is followed with the axis along which its rows come one after another: the first spatial
axis after a convolution, the tokens after a product of sequences. Operators that work row by row
keep it, windows move along it, reshaping keeps it where the axes up to it stay; after anything else
a reader waits for the whole tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from pimlab.workload.graph import Edge, Graph
from pimlab.workload.importers import onnx_file
from pimlab.workload.importers.products import (
    ActivationProduct,
    Convolution,
    Product,
    TransposedConvolution,
    WeightProduct,
)
from pimlab.workload.importers.traces import Traces

ROW_BY_ROW = frozenset(
    {
        "Abs",
        "Add",
        "And",
        "BatchNormalization",
        "Cast",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "DequantizeLinear",
        "Div",
        "Dropout",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "Log",
        "Max",
        "Min",
        "Mish",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "QuantizeLinear",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Softmax",
        "Softplus",
        "Sqrt",
        "Sub",
        "Tanh",
        "Where",
    }
)
"""Operators whose output row needs the same row of their inputs; Softmax and LayerNormalization
where their axis is another one.
"""
_POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})
_NO_DATA = frozenset({"Constant", "ConstantOfShape", "Shape", "Size"})
"""Operators that need no value of their inputs."""
_ALONG_AXIS = frozenset({"LayerNormalization", "Softmax"})
_KEEPS_ORDER = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})


class _Tensor(NamedTuple):
    """What made a tensor (several, where arithmetic on shapes lies between), and the axis of its
    rows (None: it comes as a whole).
    """

    makers: tuple[str, ...] = ()
    axis: int | None = None


class _Read(NamedTuple):
    """How rows of an output follow rows of one input."""

    stride: int = 1
    reach: int = 0


_Step = tuple[int | None, dict[str, _Read]]
"""The axis of an output's rows, and the inputs that are read row by row."""


def edges(
    nodes: Iterable[Any], operators: Mapping[str, str], products: Iterable[Product], traces: Traces
) -> Graph:
    """The graph of the operators of one inference.

    nodes : those that are no products.  An operator of a loop's steps stands once: it waits for
    what its first step waits for.  operators : first output of a node -> name of its operator,
    where it is one.
    """
    known: dict[str, _Tensor] = {}
    graph: dict[tuple[str, str], Edge] = {}
    rows: dict[str, int] = {}
    places: dict[str, int] = {}
    repeated: set[str] = set()
    for name, inputs, outputs, read in _in_order(nodes, operators, products):
        tensors = {one: known.get(one, _Tensor()) for one in inputs}
        axis, by_row = read(tensors, traces)
        makers = tuple(dict.fromkeys(maker for t in tensors.values() for maker in t.makers))
        if name is not None:
            repeated |= {name} & places.keys()
            place = places.setdefault(name, len(places))
            for edge in _joined(name, tensors, by_row):
                if places[edge.maker] < place:  # else it is one of the step before
                    graph.setdefault((edge.maker, name), edge)
            makers = (name,)
            if axis is not None:
                rows[name] = traces.one[outputs[0]].shape[axis]
        known.update(dict.fromkeys(outputs, _Tensor(makers, axis)))
    whole = tuple(
        edge.but(whole=True, stride=1, reach=0) if {edge.maker, edge.reader} & repeated else edge
        for edge in graph.values()
    )
    return Graph(edges=whole, rows={name: n for name, n in rows.items() if name not in repeated})


def _in_order(
    nodes: Iterable[Any], operators: Mapping[str, str], products: Iterable[Product]
) -> Iterator[tuple[str | None, list[str], list[str], Callable[..., _Step]]]:
    """(operator, tensors it reads, tensors it makes, how it reads them), makers before readers."""
    waiting = [
        (
            operators.get(next((one for one in node.output if one), "")),
            onnx_file.reads(node) if node.op_type not in _NO_DATA else [],
            [one for one in node.output if one],
            partial(_of_node, node),
        )
        for node in nodes
    ] + [(p.name, list(p.inputs), [p.output], partial(_of_product, p)) for p in products]
    pending = {one for _, _, outputs, _ in waiting for one in outputs}
    while waiting:
        later = []
        for step in waiting:
            _, inputs, outputs, _ = step
            if pending.isdisjoint(set(inputs) - set(outputs)):
                pending -= set(outputs)
                yield step
            else:
                later.append(step)
        waiting = later


def _joined(name: str, tensors: Mapping[str, _Tensor], by_row: Mapping[str, _Read]) -> list[Edge]:
    """The edges into one operator, each maker once: the widest of what is read of it."""
    whole: dict[str, Edge] = {}
    partly: dict[str, Edge] = {}
    for tensor, (makers, axis) in tensors.items():
        for maker in (one for one in makers if one != name):  # which is itself, a step before
            read = by_row.get(tensor)
            if read is None or axis is None:
                whole[maker] = Edge(maker=maker, reader=name)
            elif maker not in partly or partly[maker].reach < read.reach:
                partly[maker] = Edge(maker=maker, reader=name, whole=False, **read._asdict())
    return [*{**partly, **whole}.values()]


def _of_node(node: Any, tensors: Mapping[str, _Tensor], traces: Traces) -> _Step:
    output = next((one for one in node.output if one), "")
    after, attributes = _shape(output, traces), _attributes(node)
    if node.op_type in _POOLS and len(after) > 2:
        return 2, _window(node.input[0], attributes, attributes["kernel_shape"][0], tensors, traces)
    if node.op_type == "Transpose":
        return _turned(node.input[0], attributes, tensors, len(after))
    if node.op_type in _KEEPS_ORDER:
        return _reshaped(node.input[0], tensors, traces, after)
    if node.op_type not in ROW_BY_ROW:
        return None, {}
    axes = {
        t.axis - len(_shape(one, traces)) + len(after)
        for one, t in tensors.items()
        if t.axis is not None and _shape(one, traces)[t.axis] > 1
    }
    if len(axes) != 1:
        return None, {}
    axis = axes.pop()
    if node.op_type in _ALONG_AXIS and _along(node, attributes, axis, len(after)):
        return None, {}
    same = {one: _Read() for one, t in tensors.items() if _rows(one, t, traces) == after[axis]}
    return axis, same


def _of_product(product: Product, tensors: Mapping[str, _Tensor], traces: Traces) -> _Step:
    after, first = _shape(product.output, traces), product.inputs[0]
    if isinstance(product, Convolution):
        read = _window(first, product.attributes, product.kernel[0], tensors, traces)
        return 2, read
    if isinstance(product, TransposedConvolution):
        return 2, {}
    inner = getattr(product, "inner", product)
    if not isinstance(inner, (WeightProduct, ActivationProduct)) or len(after) < 3:
        return None, {}
    if getattr(inner, "flipped", False):
        return None, {}
    axis = len(after) - 2
    aligned = tensors[first].axis == len(_shape(first, traces)) - 2
    return axis, {first: _Read()} if aligned else {}


def _window(
    name: str,
    attributes: Mapping[str, Any],
    kernel: int,
    tensors: Mapping[str, _Tensor],
    traces: Traces,
) -> dict[str, _Read]:
    """Rows of the first spatial axis that a window reads (ONNX operator specification, Conv and
    MaxPool).
    """
    if tensors[name].axis != 2:
        return {}
    stride = attributes.get("strides", [1])[0]
    span = attributes.get("dilations", [1])[0] * (kernel - 1) + 1
    size, auto = _shape(name, traces)[2], attributes.get("auto_pad", b"NOTSET").decode()
    before = attributes.get("pads", [0])[0] if auto == "NOTSET" else 0
    if auto.startswith("SAME"):
        total = max(0, (-(-size // stride) - 1) * stride + span - size)
        before = total // 2 if auto == "SAME_UPPER" else total - total // 2
    return {name: _Read(stride, span - 1 - before)}


def _turned(
    name: str, attributes: Mapping[str, Any], tensors: Mapping[str, _Tensor], axes: int
) -> _Step:
    order = list(attributes.get("perm", range(axes)[::-1]))
    axis = tensors[name].axis
    return (None, {}) if axis is None else (order.index(axis), {name: _Read()})


def _reshaped(
    name: str, tensors: Mapping[str, _Tensor], traces: Traces, after: tuple[int, ...]
) -> _Step:
    """The axis of the rows, where it and those before it have the same lengths as before."""
    axis, before = tensors[name].axis, _shape(name, traces)
    if axis is None or before[: axis + 1] != after[: axis + 1]:
        return None, {}
    return axis, {name: _Read()}


def _along(node: Any, attributes: Mapping[str, Any], axis: int, axes: int) -> bool:
    """Whether a normalisation mixes rows: its axis is theirs, or one before it."""
    along = attributes.get("axis", -1) % axes
    return axis == along if node.op_type == "Softmax" else axis >= along


def _rows(name: str, tensor: _Tensor, traces: Traces) -> int | None:
    return None if tensor.axis is None else _shape(name, traces)[tensor.axis]


def _shape(name: str, traces: Traces) -> tuple[int, ...]:
    return tuple(getattr(traces.one.get(name), "shape", ()))


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
