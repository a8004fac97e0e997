"""What do a model's products see on the way forward, and what comes back to them from the loss?

The way forward multiplies as the caller says (noise, converters and all); the way back uses the
float weights and takes every rounding for the identity (straight-through: Bengio, Leonard,
Courville 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from pimlab.kernels.blas import one_thread
from pimlab.machine.protocol import MacOp
from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.model import ModelError, Multiply
from pimlab.workload.training.layers import (
    Layer,
    Mac,
    Pool,
    Relu,
    Reshaped,
    Softmax,
    Sum,
    convolution_window,
    mac,
)
from pimlab.workload.training.trained import places

OPERATORS = (
    "Add",
    "AveragePool",
    "Conv",
    "Dropout",
    "Flatten",
    "Gemm",
    "Identity",
    "MatMul",
    "MaxPool",
    "Relu",
    "Reshape",
    "Softmax",
)
"""ONNX operators through which a loss can be followed back."""


class Operands(NamedTuple):
    """What one product saw: x float32, shape (groups, rows, k), and d float32,
    shape (groups, rows, n), the gradient of its output.
    """

    x: np.ndarray
    d: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Gradient of the weights, float32, shape (groups, k, n)."""
        return np.matmul(np.swapaxes(self.x, 1, 2), self.d)

    @property
    def biases(self) -> np.ndarray:
        """Gradient of the biases, float32, shape (groups * n,)."""
        return self.d.sum(axis=1).reshape(-1)


class Graph:
    """The operators of a model in order, with their derivatives; a last Softmax is left to the
    loss.

    weights, biases : operator name -> float32 arrays as in `Model`, copied: what the way back uses,
    and what is trained. ModelError names the first operator that cannot be followed back, or whose
    trained weights would have no place in the file; TypeError for a model that is no OnnxModel.
    """

    def __init__(self, model: Any):
        if not isinstance(model, OnnxModel):
            raise TypeError(
                f"model={model!r} cannot be trained; allowed: a network of an ONNX file, such as "
                "load_model('fashion-cnn')"
            )
        if model.adapt is not None or model.finish is not None:
            raise ModelError(
                f"{model.name} takes or gives more than one tensor; allowed for training: one "
                "input and one output"
            )
        self.file, self._parts = model.file, model.parts
        self._source = next(iter(model.shapes))
        self.ops: dict[str, MacOp] = {op.name: op for op in model.mac_ops}
        self.weights = {name: w.copy() for name, w in model.weights.items()}
        self.biases = {name: b.copy() for name, b in model.biases.items()}
        self._result = model.parts.result
        self.layers = self._ordered(
            [
                *(mac(made, self.file) for made in model.parts.products),
                *map(self._layer, model.parts.nodes),
            ]
        )
        if isinstance(self.layers[-1], Softmax) and self.layers[-1].output == self._result:
            self._result = self.layers.pop().inputs[0]
        places(model)
        self.macs = [layer for layer in self.layers if isinstance(layer, Mac)]
        for layer in self.macs:
            layer.needed = layer.inputs[0] != self._source

    def outputs(self, inputs: np.ndarray, multiply: Multiply) -> np.ndarray:
        """Outputs float32, shape (n, classes) of inputs (n, ...), every product made by `multiply`,
        which adds the bias.
        """
        values: dict[str, np.ndarray] = {
            **self._parts.constants,
            self._source: np.ascontiguousarray(inputs, np.float32),
        }
        for layer in self.layers:
            if isinstance(layer, Mac):
                layer.weights, layer.call = (
                    self.weights[layer.name],
                    self._call(self.ops[layer.name], multiply),
                )
            values[layer.output] = layer.forward(*(values[name] for name in layer.inputs))
        return values[self._result]

    def operands(self, gradient: np.ndarray) -> dict[str, Operands]:
        """Operator name -> what its product saw in the last `outputs`, for the gradient of those
        outputs.
        """
        gradients: dict[str, np.ndarray] = {self._result: gradient}
        for layer in reversed(self.layers):
            if layer.output not in gradients:
                continue
            for name, dx in zip(
                layer.inputs, layer.backward(gradients.pop(layer.output)), strict=True
            ):
                if dx is not None and name not in self._parts.constants:
                    gradients[name] = gradients[name] + dx if name in gradients else dx
        return {layer.name: Operands(*layer.operands) for layer in self.macs}

    def exact(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """The `multiply` of an ideal machine with the weights as they stand. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        with one_thread():
            y = np.matmul(x, self.weights[op.name])
        return (
            y
            if op.name not in self.biases
            else y + self.biases[op.name].reshape(op.groups, 1, op.n)
        )

    def _call(
        self, op: MacOp, multiply: Multiply
    ) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
        return lambda x, w: multiply(op, x, w, 0)

    def _ordered(self, layers: list[Layer]) -> list[Layer]:
        """Each layer after those whose outputs it reads; layers whose outputs nobody reads fall
        out.
        """
        known, ordered, waiting = {self._source, *self._parts.constants}, [], list(layers)
        while waiting:
            ready = [layer for layer in waiting if set(layer.inputs) <= known]
            if not ready:
                raise ModelError(
                    f"{self.file}: node {waiting[0].name!r} reads {waiting[0].inputs}, which "
                    "nothing before it makes"
                )
            ordered += ready
            known |= {layer.output for layer in ready}
            waiting = [layer for layer in waiting if layer not in ready]
        return ordered

    def _layer(self, node: Any) -> Layer:
        from onnx import helper

        attributes = {
            attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute
        }
        name, make = node.name or node.output[0], _MAKERS.get(node.op_type)
        if make is None:
            raise ModelError(
                f"{self.file}: node {name!r} is a {node.op_type}, through which no loss can be "
                "followed back; "
                f"allowed: {', '.join(OPERATORS)}"
            )
        return make(self, node, name, attributes)

    def _pool(self, node: Any, name: str, attributes: Mapping[str, Any]) -> Layer:
        if attributes.get("ceil_mode", 0) or attributes.get("auto_pad", b"NOTSET") not in (
            b"NOTSET",
            b"VALID",
        ):
            raise ModelError(
                f"{self.file}: node {name!r} ({node.op_type}) has ceil_mode or auto_pad; for "
                "training write its pads out"
            )
        window = convolution_window(attributes, tuple(attributes["kernel_shape"]))
        counted = bool(attributes.get("count_include_pad", 0))
        return Pool(
            name, (node.input[0],), node.output[0], window, node.op_type == "MaxPool", counted
        )

    def _shaped(self, node: Any, name: str, attributes: Mapping[str, Any]) -> Layer:
        if node.op_type == "Flatten" and attributes.get("axis", 1) != 1:
            raise ModelError(
                f"{self.file}: node {name!r} (Flatten) has axis={attributes['axis']}; allowed for "
                "training: 1"
            )
        shape: tuple[int, ...] | None = (-1,) if node.op_type == "Flatten" else None
        if node.op_type == "Reshape":
            target = self._parts.constants.get(node.input[1])
            if target is None or 0 in target[1:]:
                raise ModelError(
                    f"{self.file}: node {name!r} (Reshape) has the shape {target}; allowed: a "
                    "constant without zeros"
                )
            shape = tuple(int(size) for size in target[1:])
        return Reshaped(name, (node.input[0],), node.output[0], shape)

    def _simple(self, node: Any, name: str, attributes: Mapping[str, Any]) -> Layer:
        if node.op_type == "Softmax":
            return Softmax(name, tuple(node.input), node.output[0], attributes.get("axis", -1))
        return {"Relu": Relu, "Add": Sum}[node.op_type](name, tuple(node.input), node.output[0])


_MAKERS: dict[str, Callable[[Graph, Any, str, Mapping[str, Any]], Layer]] = {
    **dict.fromkeys(("MaxPool", "AveragePool"), Graph._pool),
    **dict.fromkeys(("Flatten", "Reshape", "Identity", "Dropout"), Graph._shaped),
    **dict.fromkeys(("Relu", "Add", "Softmax"), Graph._simple),
}
