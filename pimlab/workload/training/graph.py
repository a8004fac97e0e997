"""What do a model's products see on the way forward, and what comes back to them from the loss?

The way forward multiplies as the caller says (noise, converters and all); the way back uses the
float weights and takes every rounding for the identity (straight-through: Bengio, Leonard,
Courville 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from pimlab.kernels.blas import one_thread
from pimlab.machine.protocol import MacOp
from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.model import Multiply
from pimlab.workload.training.attention import ActivationMac, Attention
from pimlab.workload.training.decoder_layers import read_decoder
from pimlab.workload.training.layers import Layer, Mac, transposed
from pimlab.workload.training.onnx_layers import OPERATORS, read_onnx
from pimlab.workload.training.trained import places

__all__ = ["OPERATORS", "Graph", "Operands"]


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
    and what is trained. parameters : the same for gains and embeddings, by the names of the file.
    gradients : parameter name -> float32 array of its shape, from the last `operands`.
    ModelError names the first operator that cannot be followed back, or whose
    trained weights would have no place in the file; TypeError for what is neither a network of an
    ONNX file nor a language model with weights.
    """

    def __init__(self, model: Any):
        if not isinstance(model, (OnnxModel, LanguageModel)):
            raise TypeError(
                f"model={model!r} cannot be trained; allowed: a network of an ONNX file, such as "
                "load_model('fashion-cnn'), or a language model, such as load_model('small-lm')"
            )
        reading = read_decoder(model) if isinstance(model, LanguageModel) else read_onnx(model)
        self.layers, self._source, self._result, constants, named = reading
        self.ops: dict[str, MacOp] = {op.name: op for op in model.mac_ops}
        self.weights = {name: w.copy() for name, w in model.weights.items()}
        self.biases = {name: b.copy() for name, b in model.biases.items()}
        self.parameters = {name: constants[name].copy() for name in named}
        self.constants = {**constants, **self.parameters}
        self._kind: np.dtype | None = None
        if isinstance(model, OnnxModel):
            places(model)
            declared = model.inputs[0].kind
            self._kind = np.dtype(np.float32) if declared.kind == "f" else declared
        self.macs = [layer for layer in self.layers if isinstance(layer, Mac)]
        self.gradients: dict[str, np.ndarray] = {}
        self.back: Callable[[str, np.ndarray, np.ndarray], np.ndarray] | None = None
        """Where it is set, what multiplies an operator's d by its turned weights on the way back:
        name, d float32, shape (groups, rows, n), weights float32, shape (groups, k, n)."""
        self._choose_gradients()

    def _choose_gradients(self) -> None:
        """Ask for a gradient only of what depends on something trained."""
        moving = set(self.parameters)
        for layer in self.layers:
            layer.wanted = tuple(name in moving for name in layer.inputs)
            if isinstance(layer, Mac) or any(layer.wanted):
                moving.add(layer.output)

    def outputs(self, inputs: np.ndarray, multiply: Multiply) -> np.ndarray:
        """Outputs float32, shape (n, classes) of inputs (n, ...), every product made by `multiply`,
        which adds the bias. A language model takes tokens int, shape (windows, tokens) and gives
        logits float32, shape (windows, tokens, vocabulary).
        """
        values = {**self.constants, self._source: np.ascontiguousarray(inputs, self._kind)}
        for layer in self.layers:
            self._prepare(layer, multiply)
            values[layer.output] = layer.forward(*(values[name] for name in layer.inputs))
        return values[self._result]

    def _prepare(self, layer: Layer, multiply: Multiply) -> None:
        """Tell a layer that multiplies who does it, and with which weights."""
        if isinstance(layer, Mac):
            layer.weights = self.weights[layer.name]
            layer.call = self._call(layer.name, multiply, layer.made.rows_before)
            layer.back = transposed if self.back is None else partial(self.back, layer.name)
        elif isinstance(layer, ActivationMac):
            layer.call = self._call(layer.name, multiply)
        elif isinstance(layer, Attention):
            scores, values = layer.ops
            layer.scores, layer.values = self._call(scores, multiply), self._call(values, multiply)

    def operands(self, gradient: np.ndarray) -> dict[str, Operands]:
        """Operator name -> what its product saw in the last `outputs`, for the gradient of those
        outputs; `gradients` holds those of the parameters after it.
        """
        gradients: dict[str, np.ndarray] = {self._result: gradient}
        for layer in reversed(self.layers):
            if layer.output not in gradients or not layer.moves:
                continue
            answers = layer.backward(gradients.pop(layer.output))
            for name, dx, wanted in zip(
                layer.inputs, answers, layer.wanted_of(len(answers)), strict=True
            ):
                if dx is not None and wanted:
                    gradients[name] = gradients[name] + dx if name in gradients else dx
        self.gradients = {n: gradients[n] for n in self.parameters if n in gradients}
        return self._seen()

    def _seen(self) -> dict[str, Operands]:
        """The operands of every operator; those of the steps of a loop one after another."""
        steps: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for layer in self.macs:
            if layer.operands is not None:
                steps.setdefault(layer.name, []).append(layer.operands)
        return {
            name: Operands(*(np.concatenate(one, axis=1) for one in zip(*each, strict=True)))
            if len(each) > 1
            else Operands(*each[0])
            for name, each in steps.items()
        }

    def exact(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """The `multiply` of an ideal machine with the weights as they stand. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        with one_thread():
            y = np.matmul(x, self.weights[op.name] if w is None else w)
        if w is not None or op.name not in self.biases:
            return y
        return y + self.biases[op.name].reshape(op.groups, 1, op.n)

    def _call(
        self, name: str, multiply: Multiply, first: int = 0
    ) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
        op = self.ops[name]
        return lambda x, w: multiply(op, x, w, first)
