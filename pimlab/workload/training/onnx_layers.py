"""Which layers does the graph of an ONNX file consist of? Each node with its way back, or the name
of the first that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.importers.products import ActivationProduct
from pimlab.workload.model import ModelError
from pimlab.workload.training import layout, norms, pointwise
from pimlab.workload.training.attention import ActivationMac
from pimlab.workload.training.layers import (
    Layer,
    Passed,
    Pool,
    Relu,
    Softmax,
    Sum,
    convolution_window,
    mac,
)
from pimlab.workload.training.reading import NO_NUMBERS, Fixed, Reading, ordered

Maker = Callable[["_Node"], Layer]


class _Node:
    """A node with its attributes, its inputs that are there, and what its layer is called."""

    def __init__(self, node: Any, file: str, constants: Mapping[str, np.ndarray]):
        from onnx import helper

        self.node, self.file, self.constants, self.kind = node, file, constants, node.op_type
        self.given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        self.inputs = tuple(name for name in node.input if name)
        self.output, self.name = node.output[0], node.name or node.output[0]

    @property
    def places(self) -> tuple[str, tuple[str, ...], str]:
        """Name, inputs and output, as every layer takes them."""
        return self.name, self.inputs, self.output

    def error(self, text: str) -> ModelError:
        return ModelError(f"{self.file}: node {self.name!r} {text}")


def read_onnx(model: OnnxModel) -> Reading:
    """The layers of an ONNX network with one input and one output; a last Softmax is left to the
    loss, and so is what `finish` makes of the graph's output.

    ModelError names the first operator that cannot be followed back.
    """
    if model.adapt is not None or len(model.shapes) != 1:
        raise ModelError(
            f"{model.name} takes or gives more than one tensor; allowed for training: one "
            "input and one output"
        )
    if model.one_by_one:
        raise ModelError(
            f"{model.name} takes one sample at a time; allowed for training: samples side by side"
        )
    constants, source = model.parts.constants, next(iter(model.shapes))
    nodes = [_Node(node, model.file, constants) for node in model.parts.nodes]
    products = [_product(made, model.file) for made in model.parts.products]
    moving = _downstream({made.output for made in products}, nodes, products)
    layers = [*products, *(layer for node in nodes for layer in _layers(node, moving))]
    found = ordered(layers, source, constants, model.file)
    result = model.parts.result
    if isinstance(found[-1], Softmax) and found[-1].output == result:
        result = found.pop().inputs[0]
    return Reading(found, source, result, constants, _parameters(nodes, model))


def _product(made: Any, file: str) -> Layer:
    return ActivationMac(made) if type(made) is ActivationProduct else mac(made, file)


def _downstream(start: set[str], nodes: list[_Node], products: list[Layer]) -> set[str]:
    """Names of the tensors that follow what is trained, through real numbers."""
    moving, more = set(start), True
    while more:
        size = len(moving)
        for node in nodes:
            if node.kind not in NO_NUMBERS and moving.intersection(node.inputs):
                moving |= set(node.node.output)
        more = len(moving) > size
    return moving


def _layers(node: _Node, moving: set[str]) -> list[Layer]:
    """The layers of a node: several for a Split."""
    make = _MAKERS.get(node.kind)
    still = not moving.intersection(node.inputs)
    if node.kind in NO_NUMBERS or (still and (make is None or node.kind not in _BOTH)):
        return _fixed(node)
    if node.kind == "Split":
        return _split(node)
    if make is None:
        raise node.error(
            f"is a {node.kind}, through which no loss can be followed back; "
            f"allowed: {', '.join(OPERATORS)}"
        )
    return [make(node)]


def _fixed(node: _Node) -> list[Layer]:
    """The node as it stands, computed by ONNX's reference."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    graph = helper.make_graph(
        [node.node],
        "node",
        [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(node.inputs)],
        [helper.make_empty_tensor_value_info(name) for name in node.node.output if name],
    )
    version = helper.make_opsetid("", 21)
    whole = ReferenceEvaluator(helper.make_model(graph, opset_imports=[version]))
    outputs = [name for name in node.node.output if name]
    return [
        Fixed(node.name, node.inputs, output, node.kind, whole, index)
        for index, output in enumerate(outputs)
    ]


def _split(node: _Node) -> list[Layer]:
    axis, outputs = node.given.get("axis", 0), list(node.node.output)
    return [
        layout.Part(node.name, node.inputs, output, layout.split(axis, len(outputs), index))
        for index, output in enumerate(outputs)
    ]


def _parameters(nodes: list[_Node], model: OnnxModel) -> tuple[str, ...]:
    """Gains, biases and embeddings that stand in the file as they are read here."""
    from onnx import TensorProto

    held = {
        tensor.name
        for tensor in model.whole.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
    }
    roles = {
        "BatchNormalization": slice(1, 3),
        "InstanceNormalization": slice(1, 3),
        "LayerNormalization": slice(1, 3),
        "RMSNormalization": slice(1, 2),
        "SimplifiedLayerNormalization": slice(1, 2),
        "Gather": slice(0, 1),
        "PRelu": slice(1, 2),
    }
    named = [name for node in nodes if node.kind in roles for name in node.inputs[roles[node.kind]]]
    found = model.parts.constants
    return tuple(
        dict.fromkeys(n for n in named if n in held and n in found and found[n].dtype.kind == "f")
    )


def _pool(node: _Node) -> Layer:
    auto = node.given.get("auto_pad", b"NOTSET")
    if node.given.get("ceil_mode", 0) or auto not in (b"NOTSET", b"VALID"):
        raise node.error(
            f"({node.kind}) has ceil_mode or auto_pad; for training write its pads out"
        )
    window = convolution_window(node.given, tuple(node.given["kernel_shape"]))
    counted = bool(node.given.get("count_include_pad", 0))
    return Pool(node.name, node.inputs[:1], node.output, window, node.kind == "MaxPool", counted)


def _shaped(node: _Node) -> Layer:
    axes = node.given.get("axes")
    rule = {
        "Flatten": lambda: layout.flattened(node.given.get("axis", 1)),
        "Reshape": lambda: layout.reshaped(bool(node.given.get("allowzero", 0))),
        "Squeeze": lambda: layout.squeezed(axes),
        "Unsqueeze": lambda: layout.widened(axes),
    }[node.kind]()
    return layout.Shaped(*node.places, rule)


def _clip(node: _Node) -> Layer:
    made = pointwise.Clip(*node.places)
    names = [*node.node.input, "", ""][1:3]
    made.which = tuple(end for end, name in zip(("low", "high"), names, strict=True) if name)
    return made


def _norm(node: _Node) -> Layer:
    return norms.LayerNorm(
        *node.places,
        axis=node.given.get("axis", -1),
        epsilon=node.given.get("epsilon", 1e-5),
        centred=node.kind == "LayerNormalization",
    )


def _mean(node: _Node) -> Layer:
    if node.kind == "GlobalAveragePool":
        return norms.Mean(*node.places, axes=None)
    kept, axes = bool(node.given.get("keepdims", 1)), _axes(node)
    return norms.Mean(*node.places, axes=axes, kept=kept, mean=node.kind == "ReduceMean")


def _largest(node: _Node) -> Layer:
    if node.kind == "GlobalMaxPool":
        return norms.Largest(*node.places, axes=None)
    kept, axes = bool(node.given.get("keepdims", 1)), _axes(node)
    return norms.Largest(*node.places, axes=axes, kept=kept, largest=node.kind == "ReduceMax")


def _axes(node: _Node) -> tuple[int, ...]:
    """The axes of a reduction, an attribute or an input; () for all of them."""
    axes = node.given.get("axes")
    if len(node.inputs) > 1:
        if node.inputs[1] not in node.constants:
            raise node.error(f"({node.kind}) has computed axes; allowed: constant ones")
        axes = node.constants[node.inputs[1]].tolist()
    return tuple(axes or ())


def _batch_norm(node: _Node) -> Layer:
    if node.given.get("training_mode", 0):
        raise node.error("(BatchNormalization) is in training mode; export the network to infer")
    return norms.BatchNorm(*node.places, node.given.get("epsilon", 1e-5))


def _instance_norm(node: _Node) -> Layer:
    return norms.InstanceNorm(*node.places, node.given.get("epsilon", 1e-5))


def _cast(node: _Node) -> Layer:
    if node.given.get("to") != 1:
        raise node.error(f"(Cast) goes to type {node.given.get('to')}; allowed: float32")
    return Passed(*node.places)


def _softmax(node: _Node) -> Layer:
    return Softmax(*node.places, node.given.get("axis", -1))


def _pointwise(node: _Node) -> Layer:
    return pointwise.Pointwise(*node.places, pointwise.curve(node.kind, node.given))


def _of_two(node: _Node) -> Layer:
    return pointwise.Arithmetic(*node.places, node.kind)


def _part(node: _Node) -> Layer:
    return layout.Part(*node.places, layout.sliced)


_MAKERS: dict[str, Maker] = {
    "Add": lambda node: Sum(*node.places),
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda node: layout.Joined(*node.places, node.given["axis"]),
    "Dropout": lambda node: Passed(*node.places),
    "Expand": lambda node: layout.Spread(*node.places),
    "Flatten": _shaped,
    "Gather": lambda node: layout.Chosen(*node.places, node.given.get("axis", 0)),
    "GlobalAveragePool": _mean,
    "GlobalMaxPool": _largest,
    "Identity": lambda node: Passed(*node.places),
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _norm,
    "MaxPool": _pool,
    "RMSNormalization": _norm,
    "ReduceMax": _largest,
    "ReduceMean": _mean,
    "ReduceMin": _largest,
    "ReduceSum": _mean,
    "Relu": lambda node: Relu(*node.places),
    "Reshape": _shaped,
    "SimplifiedLayerNormalization": _norm,
    "Slice": _part,
    "Softmax": _softmax,
    "Split": _split,  # type: ignore[dict-item]
    "Squeeze": _shaped,
    "Transpose": lambda node: layout.Transposed(*node.places, node.given.get("perm")),
    "Unsqueeze": _shaped,
    "Where": lambda node: layout.Where(*node.places),
    **dict.fromkeys(pointwise.CURVES, _pointwise),
    **dict.fromkeys(pointwise.TWO_OPERANDS, _of_two),
}
_BOTH = frozenset(
    {
        "BatchNormalization",
        "Gather",
        "InstanceNormalization",
        "LayerNormalization",
        "RMSNormalization",
    }
)
"""Operators with constants that are trained even where nothing before them is."""
OPERATORS = tuple(sorted({*_MAKERS, *NO_NUMBERS, "Conv", "Gemm", "MatMul"}))
"""ONNX operators through which a loss can be followed back, or that stop it.
"""
