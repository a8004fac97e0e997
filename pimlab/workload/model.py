"""What is a model to a machine? MAC operators that a target executes, and the rest that runs on its
host.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from pimlab.kernels.blas import one_thread
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.machine.stored import StoredProduct, StoredWeights
from pimlab.workload.graph import Graph, chain

Multiply = Callable[[MacOp, np.ndarray, np.ndarray | None, int], np.ndarray]
"""multiply(op, x, w, first) -> y, called for every MAC operator.

kind "weights": x float32 (groups, rows, k) with rows = batch * m, w None (the callee holds weights
and bias), y float32 (groups, rows, n). kind "activations": x float32 (batch * groups, m, k),
samples outermost, w float32 (batch * groups, k, n), y float32 (batch * groups, m, n). `first` is
the index of x's first row in the whole data set: index of its first sample times m.
"""


_FLOAT32 = np.finfo(np.float32)


class ModelError(ValueError):
    """A model that cannot be read, or that holds what no target executes."""


def refuse_outside_float32(model: str, layer: str, what: str, low: float, high: float) -> None:
    """ModelError where values between low and high, `what` of that layer, are not numbers of
    float32 in full: infinite, NaN, or all so small that float32 keeps only some of their bits.

    A machine whose arithmetic flushes subnormal numbers to zero, and a scale that divides by the
    largest of them, would lose such a layer without a word.
    """
    largest = max(abs(low), abs(high))
    if not np.isfinite([low, high]).all():
        raise ModelError(
            f"model {model!r}: layer {layer!r} overflows float32: its {what} reach "
            f"{low:g}..{high:g}; allowed: up to {_FLOAT32.max:.3g} (scale the data or the weights)"
        )
    if 0 < largest < _FLOAT32.tiny:
        raise ModelError(
            f"model {model!r}: layer {layer!r} underflows float32: its {what} are all subnormal, "
            f"at most {largest:.3g}; allowed: {_FLOAT32.tiny:.3g} or more for the largest (scale "
            "the data or the weights)"
        )


class Stored(NamedTuple):
    """Weights as the file stores them: codes (groups, k, n) in an integer type, and the scale that
    makes floats of them.

    scale : float32, broadcastable to codes; weights = codes * scale.
    """

    codes: np.ndarray
    scale: np.ndarray


class Model(ABC):
    """A network ready to run on any target.

    name, sha256 : text; the hash is that of the file.
    mac_ops, vector_ops : operators of one inference (one sample), in order of execution.
    weights : operator name -> float32, shape (groups, k, n), for operators of kind "weights".
    biases : operator name -> float32, shape (groups * n,), absent where there is none; whoever
    multiplies adds it.
    stored : operator name -> `Stored`, for weights that the file holds as integers.
    rectified : names of the operators whose result goes straight into a Relu and nowhere else.
    quantised : operator name -> `StoredProduct`, for products whose inputs, weights and outputs the
    file holds in codes.
    held : operator name -> `StoredWeights`, for weights that are codes while their inputs need not
    be.
    """

    name: str
    sha256: str
    mac_ops: tuple[MacOp, ...]
    vector_ops: tuple[VectorOp, ...]
    weights: Mapping[str, np.ndarray]
    biases: Mapping[str, np.ndarray]
    stored: Mapping[str, Stored]
    rectified: frozenset[str]
    quantised: Mapping[str, StoredProduct] = MappingProxyType({})
    held: Mapping[str, StoredWeights] = MappingProxyType({})

    @cached_property
    def graph(self) -> Graph:
        """Which operator needs what of another; each all of the one before it, in the order of
        `mac_ops` and then `vector_ops`, where a model does not say more.
        """
        return chain((*self.mac_ops, *self.vector_ops))

    @abstractmethod
    def execute(self, inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs (n, ...) of `inputs` (n, ...), whose first sample has index `first` in the whole
        data set.

        Every MAC operator goes through `multiply`. ValueError for inputs of another shape,
        non-finite or empty.
        """

    def rows(self, inputs: np.ndarray) -> int:
        """How many inferences `inputs` are: samples, or tokens for a language model (unit:
        inferences).
        """
        return len(inputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference (unit: MACs)."""
        return sum(op.macs for op in self.mac_ops)

    def exact(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """The `multiply` of an ideal machine: float32 products, bias added.

        BLAS is held to one thread: the bits do not depend on threads, and on a busy machine two of
        them that wait for each other took 20 times as long for products of this size. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        with (
            one_thread(),
            np.errstate(over="ignore", invalid="ignore"),
        ):  # infinities are seen after
            y = np.matmul(x, self.weights[op.name] if w is None else w)
        if w is not None:
            return y
        if op.name in self.biases:
            y += self.biases[op.name].reshape(op.groups, 1, op.n)
        return y

    def __repr__(self) -> str:
        parameters = sum(w.size for w in self.weights.values()) + sum(
            b.size for b in self.biases.values()
        )
        size = (
            f"{len(self.mac_ops)} MAC operators, {self.macs:,} MACs an inference, "
            f"{parameters:,} parameters in them"
        )
        return f"<{type(self).__name__} {self.name}: {size}>"
