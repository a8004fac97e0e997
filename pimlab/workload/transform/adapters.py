"""What does a model with low-rank adapters compute? Its own products, and beside each a small
digital one that training has moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pimlab.machine.protocol import MacOp
from pimlab.workload.graph import Edge, Graph
from pimlab.workload.language.model import product
from pimlab.workload.model import Model, ModelError, Multiply


class Adapter(NamedTuple):
    """y = x w + x down up: down float32, shape (k, rank) and up float32, shape (rank, n)."""

    down: np.ndarray
    up: np.ndarray


def check_rank(model: Model, rank: int) -> None:
    """ModelError where an adapter of that rank holds as many numbers as the weights of a layer."""
    for op in model.mac_ops:
        if op.kind == "weights" and op.groups == 1 and rank * (op.k + op.n) >= op.k * op.n:
            most = (op.k * op.n - 1) // (op.k + op.n)
            raise ModelError(
                f"{model.name}: an adapter of rank {rank} beside layer {op.name!r} holds "
                f"{rank * (op.k + op.n)} numbers, the layer's weights {op.k * op.n}; allowed: "
                f"1..{most}"
            )


class Adapted(Model):
    """`model` with adapters (operator name -> `Adapter`).

    The adapter of operator "x" is the operators "x.down" and "x.up", products of two operands, so
    that a machine with constant weights leaves them to its digital host.
    """

    history: Any = None
    """What happened in training, as in `training.Trained`; None for adapters made by hand."""

    def __init__(self, model: Model, adapters: Mapping[str, Adapter]):
        self.model, self.adapters, self.name = model, dict(adapters), f"{model.name} adapted"
        described = b"".join(m.tobytes() for n in sorted(adapters) for m in adapters[n])
        self.sha256 = hashlib.sha256(model.sha256.encode() + described).hexdigest()
        self.weights, self.biases = model.weights, model.biases
        self.stored, self.rectified = model.stored, frozenset()
        self.quantised, self.held = model.quantised, model.held
        self.mac_ops = tuple(part for op in model.mac_ops for part in self._parts(op))
        self.vector_ops, self.graph = model.vector_ops, self._edges(model.graph)
        self._ops = {op.name: op for op in self.mac_ops}

    def __getattr__(self, name: str) -> Any:
        """What a language model says of its steps (`prompt`, `batch`, `context`)."""
        if name in ("prompt", "batch", "context"):
            return getattr(self.model, name)
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def _parts(self, op: MacOp) -> tuple[MacOp, ...]:
        adapter = self.adapters.get(op.name)
        if adapter is None:
            return (op,)
        rank = adapter.down.shape[1]
        down = op.but(name=f"{op.name}.down", n=rank, kind="activations", distinct=None)
        up = op.but(name=f"{op.name}.up", k=rank, kind="activations", distinct=None)
        return op, down, up

    def _edges(self, graph: Graph) -> Graph:
        """The adapter reads what its operator reads, and whoever reads that waits for both."""
        edges = [
            edge.but(maker=maker, reader=reader)
            for edge in graph.edges
            for maker in (edge.maker, *([f"{edge.maker}.up"] * (edge.maker in self.adapters)))
            for reader in (edge.reader, *([f"{edge.reader}.down"] * (edge.reader in self.adapters)))
        ]
        edges += [Edge(maker=f"{n}.down", reader=f"{n}.up", whole=False) for n in self.adapters]
        rows = {
            f"{name}.{part}": graph.rows.get(name, 1)
            for name in self.adapters
            for part in ("down", "up")
        }
        return Graph(edges=tuple(edges), rows={**graph.rows, **rows})

    def rows(self, inputs: np.ndarray) -> int:
        """Inferences that `inputs` are (unit: inferences)."""
        return self.model.rows(inputs)

    def exact(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """The `multiply` of an ideal machine: float32 products, bias added. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        y = product(x, self.weights[op.name] if w is None else w)
        if w is not None or op.name not in self.biases:
            return y
        return y + self.biases[op.name].reshape(op.groups, 1, op.n)

    def execute(self, inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs of the model, adapters added to its products. Batch first: shape (batch, ...)."""

        def both(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            y = multiply(op, x, w, row)
            adapter = self.adapters.get(op.name) if w is None else None
            if adapter is None:
                return y
            down, up = self._ops[f"{op.name}.down"], self._ops[f"{op.name}.up"]
            inner = multiply(down, x, adapter.down[None], row)
            return y + multiply(up, inner, adapter.up[None], row)

        return self.model.execute(inputs, both, first)
