"""Which matrix product is this ONNX node? Its operands laid out as a machine takes them, and its
result put back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.workload.importers import im2col
from pimlab.workload.importers.im2col import Window
from pimlab.workload.model import ModelError

Call = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""call(x, w) -> y of one operator: x (groups, rows, k) and w None, or both with one group a
product.
"""


class Product(ABC):
    """One MAC node: the tensors it reads and writes, and its constant operand as weights.

    weights : float32 (groups, k, n), or None where both operands are computed.  bias : float32
    (groups * n,) or None.
    """

    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    origin: str = ""
    """The tensor of the file that `weights` holds, when they are that tensor laid out anew and
    nothing more.
    """
    bias_origin: str = ""
    """The tensor of the file that `bias` holds."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str):
        self.name, self.inputs, self.output = name, inputs, output

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """A tensor shaped as `origin`, in the layout (groups, k, n) of `weights`."""
        raise NotImplementedError(f"{type(self).__name__} has no weights to lay out")

    @abstractmethod
    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """The node's output for the values of its `inputs`, batch first, with every product made by
        `call`.
        """


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


class Convolution(Product):
    """Conv: one product a group over the columns of all windows."""

    def __init__(self, node: Any, name: str, weight: np.ndarray, bias: np.ndarray | None):
        super().__init__(name, (node.input[0],), node.output[0])
        self.attributes, self.kernel = _attributes(node), weight.shape[2:]
        self.groups = int(self.attributes.get("group", 1))
        self.weights, self.bias = self.laid_out(weight.astype(np.float32)), bias
        self.origin = node.input[1]

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """ONNX's (groups * n, channels / groups, *kernel) as (groups, k, n)."""
        return im2col.flattened(tensor, self.groups)

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Images (batch, channels, *sizes) -> images."""
        (x,) = values
        window = _window(self.attributes, self.kernel, x.shape[2:])
        y = call(im2col.columns(x, window, self.groups), None)
        return im2col.images(y, len(x), window.outputs(x.shape[2:]))


def _window(attributes: dict[str, Any], kernel: tuple[int, ...], sizes: tuple[int, ...]) -> Window:
    """The window of a Conv; SAME padding follows the input's size (ONNX operator specification,
    Conv, auto_pad).
    """
    axes = len(kernel)
    strides = tuple(attributes.get("strides", [1] * axes))
    dilations = tuple(attributes.get("dilations", [1] * axes))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    pads = attributes.get("pads", [0] * 2 * axes) if auto == "NOTSET" else [0] * 2 * axes
    window = Window(
        tuple(kernel), strides, dilations, tuple(zip(pads[:axes], pads[axes:], strict=True))
    )
    if not auto.startswith("SAME"):
        return window
    totals = [
        max(0, (-(-n // s) - 1) * s + span - n)
        for n, s, span in zip(sizes, strides, window.spans, strict=True)
    ]
    return window._replace(pads=tuple(_halves(total, auto) for total in totals))


def _halves(total: int, auto: str) -> tuple[int, int]:
    """`total` split in two, the odd one at the end for SAME_UPPER and at the start for
    SAME_LOWER.
    """
    small, large = total // 2, total - total // 2
    return (small, large) if auto == "SAME_UPPER" else (large, small)


class TransposedConvolution(Product):
    """ConvTranspose: one product a group over input pixels, then each pixel's window is added into
    the output.

    Several products meet in one output pixel, so the bias is added here, not by the machine that
    multiplies.
    """

    def __init__(self, node: Any, name: str, weight: np.ndarray, bias: np.ndarray | None):
        super().__init__(name, (node.input[0],), node.output[0])
        self.attributes, self.kernel, self.added = _attributes(node), weight.shape[2:], bias
        self.groups = int(self.attributes.get("group", 1))
        self.weights = self.laid_out(weight.astype(np.float32))
        self.origin = node.input[1]

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """ONNX's (channels, n / groups, *kernel) as (groups, k, offsets * n)."""
        return im2col.flattened_transposed(tensor, self.groups)

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Images (batch, channels, *sizes) -> images."""
        (x,) = values
        sizes = x.shape[2:]
        window, outputs = _transposed_window(self.attributes, self.kernel, sizes)
        pixels = Window(
            (1,) * len(sizes), (1,) * len(sizes), (1,) * len(sizes), ((0, 0),) * len(sizes)
        )
        y = im2col.scattered(
            call(im2col.columns(x, pixels, self.groups), None), len(x), window, sizes, outputs
        )
        return y if self.added is None else y + self.added.reshape(1, -1, *(1,) * len(sizes))


def _transposed_window(
    attributes: dict[str, Any], kernel: tuple[int, ...], sizes: tuple[int, ...]
) -> tuple[Window, tuple[int, ...]]:
    """Window and output sizes by the equations of the ONNX operator specification,
    ConvTranspose.
    """
    axes = len(kernel)
    strides = tuple(attributes.get("strides", [1] * axes))
    window = Window(
        tuple(kernel), strides, tuple(attributes.get("dilations", [1] * axes)), ((0, 0),) * axes
    )
    extra = attributes.get("output_padding", [0] * axes)
    full = [
        s * (n - 1) + e + span
        for s, n, e, span in zip(strides, sizes, extra, window.spans, strict=True)
    ]
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if "output_shape" in attributes or auto.startswith("SAME"):
        wanted = attributes.get(
            "output_shape", [n * s for n, s in zip(sizes, strides, strict=True)]
        )[-axes:]
        totals = [max(0, f - o) for f, o in zip(full, wanted, strict=True)]
        pads = [
            _halves(total, "SAME_UPPER" if auto == "SAME_UPPER" else "SAME_LOWER")
            for total in totals
        ]
    else:
        ends = attributes.get("pads", [0] * 2 * axes) if auto == "NOTSET" else [0] * 2 * axes
        pads = list(zip(ends[:axes], ends[axes:], strict=True))
    outputs = tuple(f - before - after for f, (before, after) in zip(full, pads, strict=True))
    # The scatter writes `full` pixels: output padding lengthens the end, which is cut there in
    # turn.
    return window._replace(pads=tuple(pads)), outputs


class WeightProduct(Product):
    """Gemm, MatMul or MatMulInteger with a constant right operand (k, n), or (groups, k, n) for
    groups along axis 1.

    flipped : the constant was the left operand: the product is made as (x^T w)^T.  turned : the
    constant comes as (n, k).
    batch : the axis of x that is the batch.
    """

    def __init__(
        self,
        name: str,
        x: str,
        output: str,
        constant: np.ndarray,
        *,
        flipped: bool = False,
        turned: bool = False,
    ):
        super().__init__(name, (x,), output)
        self.flipped, self.turned, self.batch = flipped, turned, 0
        self.right = self.weights = np.ascontiguousarray(self.laid_out(constant), dtype=np.float32)

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """(k, n), or (n, k) where turned, or (..., groups, k, n), as (groups, k, n)."""
        tensor = np.swapaxes(_squeezed(tensor), -1, -2) if self.turned else tensor
        return tensor.reshape(-1, *tensor.shape[-2:])

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """x (..., m, k) -> y (..., m, n)."""
        x = np.swapaxes(values[0], -1, -2) if self.flipped else values[0]
        x = np.moveaxis(x, self.batch, 0)
        y = self._grouped(call, x) if len(self.right) > 1 else self._plain(call, x)
        y = np.moveaxis(y, 0, self.batch)
        return np.ascontiguousarray(np.swapaxes(y, -1, -2) if self.flipped else y)

    def _plain(self, call: Call, x: np.ndarray) -> np.ndarray:
        y = call(np.ascontiguousarray(x, dtype=np.float32).reshape(1, -1, x.shape[-1]), None)
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def _grouped(self, call: Call, x: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(np.moveaxis(x, 1, 0), dtype=np.float32)
        y = call(rows.reshape(len(self.right), -1, x.shape[-1]), None)
        return np.moveaxis(y.reshape(*rows.shape[:-1], y.shape[-1]), 0, 1)


class IntegerProduct(WeightProduct):
    """MatMulInteger with a constant right operand: codes less their zero points as floats, sums
    rounded to int32.

    Exact up to sums of 2**24; the scales stay where the graph has them.
    """

    def __init__(self, name: str, node: Any, weights: np.ndarray):
        super().__init__(name, node.input[0], node.output[0], weights)
        self.origin = node.input[1]
        self.inputs = (
            node.input[0],
            *([node.input[2]] if len(node.input) > 2 and node.input[2] else []),
        )

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Codes x (..., m, k) and their zero point -> int32 (..., m, n)."""
        zero = values[1].astype(np.int32) if len(values) > 1 else np.zeros((), np.int32)
        zero = zero[..., None] if zero.size > 1 else zero
        y = super().apply(call, (values[0].astype(np.int32) - zero).astype(np.float32))
        return np.rint(y).astype(np.int32)


class ActivationProduct(Product):
    """MatMul of two computed operands, such as attention's scores: one product a sample and
    group.
    """

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """x (batch, ..., m, k), w (batch, ..., k, n) -> (batch, ..., m, n)."""
        x, w = values
        outer = np.broadcast_shapes(x.shape[:-2], w.shape[:-2])
        x = np.broadcast_to(x, outer + x.shape[-2:]).reshape(-1, *x.shape[-2:])
        w = np.broadcast_to(w, outer + w.shape[-2:]).reshape(-1, *w.shape[-2:])
        y = call(
            np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(w, dtype=np.float32)
        )
        return y.reshape(*outer, *y.shape[-2:])


class Biased(Product):
    """A product whose result is not added a constant vector: its non-constant or scaled C of Gemm
    is added on the host.
    """

    def __init__(self, inner: WeightProduct, addend: str, beta: float):
        super().__init__(inner.name, (*inner.inputs, addend), inner.output)
        self.inner, self.weights, self.beta, self.origin = inner, inner.weights, beta, inner.origin

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """As the product inside lays it out."""
        return self.inner.laid_out(tensor)

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """x and the addend -> x @ w + beta * addend."""
        *operands, addend = values
        return (self.inner.apply(call, *operands) + self.beta * addend).astype(np.float32)


def product(node: Any, name: str, found: dict[str, np.ndarray], file: str) -> Product:
    """The product of a MAC node, with its constants from `found`; ModelError for a form that is not
    supported.
    """
    label = f"{file}: node {name!r} ({node.op_type})"
    if node.op_type in ("Conv", "ConvTranspose"):
        return _convolution(node, name, found, label)
    if node.op_type == "Gemm":
        return _gemm(node, name, found, label)
    if node.op_type == "MatMulInteger":
        return _integer(node, name, found, label)
    return _matmul(node, name, found, label)


def _convolution(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    if node.input[1] not in found:
        raise ModelError(
            f"{label} has a computed kernel {node.input[1]!r}; allowed: a constant kernel"
        )
    has_bias = len(node.input) > 2 and node.input[2]
    if has_bias and node.input[2] not in found:
        raise ModelError(f"{label} has a computed bias {node.input[2]!r}; allowed: a constant bias")
    kind = Convolution if node.op_type == "Conv" else TransposedConvolution
    made = kind(
        node,
        name,
        found[node.input[1]],
        found[node.input[2]].astype(np.float32) if has_bias else None,
    )
    made.bias_origin = node.input[2] if has_bias else ""
    return made


def _gemm(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    attributes = _attributes(node)
    if node.input[1] not in found or attributes.get("transA", 0):
        raise ModelError(
            f"{label} has {'a transposed' if attributes.get('transA', 0) else 'no constant'} "
            "operand; "
            "allowed: a computed left operand (batch, k) and a constant right operand"
        )
    alpha = np.float32(attributes.get("alpha", 1.0))
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # weights that are not finite are refused by name later
        w = found[node.input[1]].astype(np.float32) * alpha
    made = WeightProduct(
        name, node.input[0], node.output[0], w, turned=bool(attributes.get("transB", 0))
    )
    made.origin = node.input[1] if alpha == 1 else ""
    if len(node.input) < 3 or not node.input[2]:
        return made
    beta, addend = np.float32(attributes.get("beta", 1.0)), node.input[2]
    n = made.right.shape[2]
    if addend in found and (found[addend].ndim < 2 or found[addend].shape[0] == 1):
        made.bias = np.ascontiguousarray(
            np.broadcast_to(found[addend].reshape(-1) * beta, (n,)), dtype=np.float32
        )
        made.bias_origin = addend if beta == 1 else ""
        return made
    return Biased(made, addend, float(beta))


def _integer(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    if node.input[1] not in found:
        raise ModelError(f"{label} has two computed operands; allowed: a constant right operand")
    zero = found.get(node.input[3]) if len(node.input) > 3 and node.input[3] else None
    if len(node.input) > 3 and node.input[3] and zero is None:
        raise ModelError(
            f"{label} has a computed zero point {node.input[3]!r} of its weights; allowed: a "
            "constant"
        )
    codes = found[node.input[1]].astype(np.int32)
    return IntegerProduct(name, node, codes if zero is None else codes - zero.astype(np.int32))


def _matmul(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    left, right = node.input
    if right in found:
        w = _squeezed(found[right])
        if w.ndim < 2:
            raise ModelError(
                f"{label} has the constant operand {right!r} of shape {w.shape}; allowed: (k, n) "
                "or (groups, k, n)"
            )
        if w.ndim <= 3:
            made = WeightProduct(name, left, node.output[0], w)
            made.origin = right
            return made
    elif left in found and _squeezed(found[left]).ndim == 2:
        made = WeightProduct(
            name, right, node.output[0], _squeezed(found[left]), flipped=True, turned=True
        )
        made.origin = left
        return made
    return ActivationProduct(name, (left, right), node.output[0])


def _squeezed(w: np.ndarray) -> np.ndarray:
    """w without leading axes of length 1."""
    while w.ndim > 2 and w.shape[0] == 1:
        w = w[0]
    return w
