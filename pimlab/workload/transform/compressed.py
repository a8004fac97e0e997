"""What does a model become when every layer is compressed? The same network with compressed
weights.

`lightweight(model, data, gptq)` compresses each operator by its own calibration inputs with a
method of `workload.compression` (or any function of weights and inputs that answers with a
`Compressed`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.arguments import typed
from pimlab.machine.protocol import MacOp
from pimlab.workload.calibration import calibrate
from pimlab.workload.model import Model, Multiply
from pimlab.workload.transform import Compressed

Method = Callable[[np.ndarray, np.ndarray], Compressed]
"""method(w float32 (k, n), x float32 (rows, k)) -> Compressed."""


class Lightweight(Model):
    """`model` with compressed weights; inputs are divided by the scales that a method asks for."""

    def __init__(self, model: Model, layers: dict[str, Compressed], name: str):
        self.model, self.layers, self.name = model, layers, name
        self.biases, self.stored, self.rectified = model.biases, {}, model.rectified
        self.mac_ops, self.vector_ops = model.mac_ops, model.vector_ops
        self.graph = model.graph
        self.weights = {
            key: layers[key].w[None] if key in layers else w for key, w in model.weights.items()
        }
        described = b"".join(
            layers[key].w.tobytes() + layers[key].input_scale.tobytes() for key in sorted(layers)
        )
        self.sha256 = hashlib.sha256(model.sha256.encode() + described).hexdigest()

    @property
    def sparsity(self) -> float:
        """Share of the weights that are zero (unit 1)."""
        return sum(np.count_nonzero(w == 0) for w in self.weights.values()) / sum(
            w.size for w in self.weights.values()
        )

    def rows(self, inputs: np.ndarray) -> int:
        """Inferences that `inputs` are (unit: inferences)."""
        return self.model.rows(inputs)

    def execute(self, inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs of the network; operators with compressed weights read scaled inputs. Batch
        first: shape (batch, ...).
        """

        def scaled(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            layer = self.layers.get(op.name) if w is None else None
            return multiply(op, x if layer is None else x / layer.input_scale, w, row)

        return self.model.execute(inputs, scaled, first)


@typed
def lightweight(model: Model, data: Any, method: Method, name: str | None = None) -> Lightweight:
    """`model` with every operator of constant weights in one group compressed by `method` on the
    calibration split of `data`.

    name : of the new model; the model's name and the method's unless given. ValueError where the
    method refuses.
    """
    samples = {key: one.sample for key, one in calibrate(model, data).items()}
    ops = [op for op in model.mac_ops if op.kind == "weights" and op.groups == 1]
    layers = {op.name: method(model.weights[op.name][0], samples[op.name]) for op in ops}
    return Lightweight(
        model, layers, name or f"{model.name} {getattr(method, '__name__', 'compressed')}"
    )
