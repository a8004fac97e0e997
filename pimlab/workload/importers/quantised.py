"""Which products of an ONNX file does it hold in codes? Those between QuantizeLinear and
DequantizeLinear nodes, with the scales and zero points that stand there.

A product reads a tensor that a DequantizeLinear made (or one that only moves such values), its
weights are codes that another made, and its result goes into a QuantizeLinear, alone or through a
Relu or Clip. This is the form in which ONNX Runtime computes QLinearConv and QLinearMatMul. The
graph runs as it stands, on the floats that the codes stand for; from them a machine finds the codes
again, to the bit.

ONNX Runtime adds pairs of byte products in 16 bits on x86 processors without VNNI, which saturate
where weights have 8 signed bits: its answers are then off by up to 10 % (a U-Net) or 0.5 % (a
ResNet). With the session's entry `session.x64quantprecision` at "1" they are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pimlab.machine.stored import Affine, StoredProduct, StoredWeights
from pimlab.workload.importers.products import Convolution, Product, WeightProduct
from pimlab.workload.model import ModelError, Stored

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
"""Operators that only change how values are written."""

_MOVES = frozenset(
    {
        "Flatten", "Gather", "GlobalMaxPool", "Identity", "MaxPool", "Pad", "Relu", "Reshape",
        "Slice", "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
"""Operators whose results are among their inputs (and 0, which is always a code)."""

_MONOTONE = ("Relu", "Clip")
"""Operators that may stand between a product and its QuantizeLinear: rounding before them and after
them gives the same codes.
"""


def quantised(
    products: Iterable[Product],
    nodes: Iterable[Any],
    outputs: Iterable[str],
    known: Mapping[str, np.ndarray],
    stored: Mapping[str, Stored],
) -> dict[str, StoredProduct]:
    """Product name -> its codes, for those that the graph holds so.

    nodes : the graph's nodes that are no products; outputs : names of the graph's outputs; known :
    constants by name; stored : product name -> weights as the file stores them.
    """
    graph = _Graph(list(nodes), tuple(products), frozenset(outputs), known)
    found = {made.name: graph.codes(made, stored.get(made.name)) for made in graph.products}
    return {name: codes for name, codes in found.items() if codes is not None}


def check_scales(file: str, nodes: Iterable[Any], known: Mapping[str, np.ndarray]) -> None:
    """ModelError for a scale that divides and is not above 0, or that is no number: it names the
    node. A DequantizeLinear may have 0, of weights that are all 0.
    """
    for node in nodes:
        if node.op_type not in CONVERSIONS or node.input[1] not in known:
            continue
        scale = known[node.input[1]].astype(np.float64)
        wrong = ~np.isfinite(scale)
        if node.op_type == "QuantizeLinear":
            wrong |= scale <= 0
        if wrong.any():
            raise ModelError(
                f"{file}: node {node.name or node.output[0]!r} ({node.op_type}) has the scale "
                f"{scale[wrong].flat[0]:g}; allowed: finite numbers above 0"
            )


def held(
    stored: Mapping[str, Stored], weights: Mapping[str, np.ndarray]
) -> dict[str, StoredWeights]:
    """Product name -> the codes of its weights with their scales, one for neighbouring inputs of a
    column that share it: for machines that keep them whatever the inputs are.

    weights : product name -> float32, shape (groups, k, n).
    """
    found = {}
    for name, one in stored.items():
        if name not in weights or not one.codes.size:
            continue
        groups, k, n = one.codes.shape
        scale = np.broadcast_to(one.scale, (groups, one.scale.shape[-2], n)).astype(np.float32)
        changes = (scale[:, 1:] != scale[:, :-1]).any(axis=(0, 2))
        part_of = np.concatenate([[0], np.cumsum(changes)])
        first = np.concatenate([[0], np.flatnonzero(changes) + 1])
        part_of = part_of if len(part_of) == k else np.zeros(k, np.int64)
        found[name] = StoredWeights(one.codes, scale[:, first], part_of, _bits(one.codes))
    return found


def _bits(codes: np.ndarray) -> int:
    """Bits that tell the codes apart (unit: bits)."""
    return max(2, int(int(codes.max()) - int(codes.min())).bit_length())


class _Graph:
    """A graph whose tensors are followed back to what makes them, and on to what reads them."""

    def __init__(
        self,
        nodes: list[Any],
        products: tuple[Product, ...],
        outputs: frozenset[str],
        known: Mapping[str, np.ndarray],
    ):
        self.products, self.outputs, self.known = products, outputs, known
        self.makers = {name: node for node in nodes for name in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.multiplied = {name for made in products for name in made.inputs}

    def codes(self, made: Product, weights: Stored | None) -> StoredProduct | None:
        """The codes of one product; None where its inputs or weights are no codes."""
        if not isinstance(made, (Convolution, WeightProduct)) or weights is None:
            return None
        groups, _, n = weights.codes.shape
        x = self._made(made.inputs[0])
        if x is None or weights.scale.ndim != 3 or weights.scale.shape[1] != 1:
            return None
        scale = np.broadcast_to(weights.scale, (groups, 1, n)).astype(np.float32)
        bias = self._bias(made, x, scale)
        return StoredProduct(weights.codes, scale, x, self._read(made.output), bias)

    def _made(self, name: str) -> Affine | None:
        """The codes of a tensor that a DequantizeLinear makes, or that holds only such values."""
        node = self.makers.get(name)
        while node is not None and node.op_type in _MOVES and _pads_zero(node, self.known):
            node = self.makers.get(node.input[0])
        return None if node is None else self._affine(node, "DequantizeLinear")

    def _read(self, name: str) -> Affine | None:
        """The codes that the only reader (or several that agree) turns a tensor into."""
        readers = self.readers.get(name, [])
        while len(readers) == 1 and readers[0].op_type in _MONOTONE and self._inner(name):
            name = readers[0].output[0]
            readers = self.readers.get(name, [])
        if not readers or not self._inner(name):
            return None
        found = [self._affine(node, "QuantizeLinear") for node in readers]
        return found[0] if all(each == found[0] for each in found) else None

    def _inner(self, name: str) -> bool:
        return name not in self.outputs and name not in self.multiplied

    def _affine(self, node: Any, kind: str) -> Affine | None:
        """Scale and zero point of a node of this kind, where they are constants of the tensor."""
        if node.op_type != kind or any(name not in self.known for name in node.input[1:] if name):
            return None
        scale = self.known[node.input[1]]
        zero = self.known[node.input[2]] if len(node.input) > 2 and node.input[2] else None
        if scale.size != 1 or zero is None or zero.size != 1 or zero.dtype.kind not in "iu":
            return None
        return Affine(
            bits=8 * zero.dtype.itemsize,
            signed=zero.dtype.kind == "i",
            scale=float(scale.reshape(())),
            zero_point=int(zero.reshape(())),
        )

    def _bias(self, made: Product, x: Affine, scale: np.ndarray) -> np.ndarray | None:
        """The codes of a bias, int64, shape (groups, n), where a DequantizeLinear of integers makes
        it.
        """
        node = self.makers.get(made.bias_origin)
        if made.bias is None or node is None or node.op_type != "DequantizeLinear":
            return None
        codes = self.known[node.input[0]].astype(np.int64).reshape(-1)
        steps = np.float64(x.scale) * scale.reshape(-1)
        same = np.allclose(codes * steps, made.bias, rtol=1e-6, atol=0)
        return codes.reshape(len(scale), -1) if same and codes.size == scale.size else None


def _pads_zero(node: Any, known: Mapping[str, np.ndarray]) -> bool:
    """Whether a node, if it pads, pads with zeros."""
    if node.op_type != "Pad" or len(node.input) < 3 or not node.input[2]:
        return True
    return node.input[2] in known and not np.any(known[node.input[2]])
