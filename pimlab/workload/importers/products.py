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

    weights : float32, shape (groups, k, n), or None where both operands are computed.  bias :
    float32, shape (groups * n,) or None.
    """

    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    origin: str = ""
    """The tensor of the file that `weights` holds, when they are that tensor laid out anew and
    nothing more.
    """
    bias_origin: str = ""
    """The tensor of the file that `bias` holds."""
    rows_before: int = 0
    """Rows of its operator that earlier steps of a loop made (`steps`)."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str):
        self.name, self.inputs, self.output = name, inputs, output

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """A tensor shaped as `origin`, in the layout of `weights`: shape (groups, k, n)."""
        raise NotImplementedError(f"{type(self).__name__} has no weights to lay out")

    @abstractmethod
    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """The node's output for the values of its `inputs`, batch first, with every product made by
        `call`. Shape (batch, ...).
        """


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


class Convolution(Product):
    """Conv: one product a group over the columns of all windows."""

    def __init__(self, node: Any, name: str, weight: np.ndarray, bias: np.ndarray | None = None):
        super().__init__(name, (node.input[0],), node.output[0])
        self.attributes, self.kernel = _attributes(node), weight.shape[2:]
        self.groups = int(self.attributes.get("group", 1))
        self.weights, self.bias = self.laid_out(weight.astype(np.float32)), bias
        self.origin = node.input[1]

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """ONNX's shape (groups * n, channels / groups, *kernel) as shape (groups, k, n)."""
        return im2col.flattened(tensor, self.groups)

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Images of shape (batch, channels, *sizes) -> images."""
        (x,) = values
        window = _window(self.attributes, self.kernel, x.shape[2:])
        y = call(im2col.columns(x, window, self.groups), None)
        return im2col.images(y, len(x), window.outputs(x.shape[2:]))


class IntegerConvolution(Convolution):
    """ConvInteger with constant weights: codes less their zero points as floats, sums rounded to
    int32, exact up to sums of 2**24. Padding is the zero point, that is 0.
    """

    def __init__(self, node: Any, name: str, codes: np.ndarray):
        super().__init__(node, name, codes)
        self.inputs = (node.input[0], *_given(node, 2))

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Codes of shape (batch, channels, *sizes) and their zero point -> int32 images."""
        zero = values[1].astype(np.int32) if len(values) > 1 else np.int32(0)
        y = super().apply(call, (values[0].astype(np.int32) - zero).astype(np.float32))
        return np.rint(y).astype(np.int32)


class ComputedConvolution(Product):
    """Conv whose kernel is computed: a sample's columns of windows times the kernel of each
    group.
    """

    def __init__(self, node: Any, name: str):
        super().__init__(name, (*node.input[:2], *_given(node, 2)), node.output[0])
        self.attributes = _attributes(node)
        self.groups = int(self.attributes.get("group", 1))

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Images of shape (batch, channels, *sizes), kernel and bias -> images."""
        x, w, *bias = values
        window = _window(self.attributes, w.shape[2:], x.shape[2:])
        kernel = im2col.flattened(w.astype(np.float32), self.groups)
        columns = im2col.columns(x, window, self.groups)
        parts = columns.reshape(self.groups, len(x), -1, columns.shape[2]).swapaxes(0, 1)
        y = call(
            np.ascontiguousarray(parts).reshape(self.groups * len(x), -1, columns.shape[2]),
            np.tile(kernel, (len(x), 1, 1)),
        )
        y = y.reshape(len(x), self.groups, -1, y.shape[2]).swapaxes(0, 1)
        outputs = window.outputs(x.shape[2:])
        images = im2col.images(y.reshape(self.groups, -1, y.shape[3]), len(x), outputs)
        return images + bias[0].reshape(1, -1, *(1,) * (x.ndim - 2)) if bias else images


def _given(node: Any, index: int) -> tuple[str, ...]:
    """The optional input of that index, where the node has it."""
    return tuple(name for name in node.input[index : index + 1] if name)


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
        """ONNX's shape (channels, n / groups, *kernel) as shape (groups, k, offsets * n)."""
        return im2col.flattened_transposed(tensor, self.groups)

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Images of shape (batch, channels, *sizes) -> images."""
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
    wanted: list[int] = []
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
    # turn. A wanted output larger than that ends in pixels that no window reaches.
    return window._replace(pads=tuple(pads)), tuple(wanted) if wanted else outputs


class WeightProduct(Product):
    """Gemm, MatMul or MatMulInteger with a constant right operand (k, n), or (*outer, k, n) for
    groups along the axes before the matrices.

    flipped : the constant was the left operand: the product is made as (x^T w)^T.  turned : the
    constant comes as (n, k).  A constant (k,) is (k, 1), and the result has no such axis.
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
        self.vector = constant.ndim == 1
        self.outer = _squeezed(constant).shape[:-2]
        self.right = self.weights = np.ascontiguousarray(self.laid_out(constant), dtype=np.float32)

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """(k, n), or (n, k) where turned, or (..., groups, k, n), as (groups, k, n)."""
        tensor = tensor[:, None] if tensor.ndim == 1 else _squeezed(tensor)
        tensor = np.swapaxes(tensor, -1, -2) if self.turned else tensor
        return tensor.reshape(-1, *tensor.shape[-2:])

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """x (..., m, k) -> y (..., m, n)."""
        x = values[0]
        if x.ndim == 1:
            shape = (*self.outer, *(() if self.vector else self.right.shape[2:]))
            return self._matrix(call, x[:, None] if self.flipped else x[None]).reshape(shape)
        y = self._matrix(call, x)
        return y[..., 0, :] if self.vector and self.flipped else y[..., 0] if self.vector else y

    def _matrix(self, call: Call, x: np.ndarray) -> np.ndarray:
        x = np.swapaxes(x, -1, -2) if self.flipped else x
        x = np.moveaxis(x, self.batch, 0)
        y = self._grouped(call, x) if len(self.right) > 1 else self._plain(call, x)
        y = np.moveaxis(y, 0, self.batch)
        return np.ascontiguousarray(np.swapaxes(y, -1, -2) if self.flipped else y)

    def _plain(self, call: Call, x: np.ndarray) -> np.ndarray:
        y = call(np.ascontiguousarray(x, dtype=np.float32).reshape(1, -1, x.shape[-1]), None)
        return y.reshape(*x.shape[:-1], y.shape[-1])

    def _grouped(self, call: Call, x: np.ndarray) -> np.ndarray:
        outer = np.broadcast_shapes(x.shape[:-2], self.outer)
        x = np.broadcast_to(x, outer + x.shape[-2:])
        axes = tuple(range(len(outer) - len(self.outer), len(outer)))
        front = tuple(range(len(axes)))
        rows = np.ascontiguousarray(np.moveaxis(x, axes, front), dtype=np.float32)
        y = call(rows.reshape(len(self.right), -1, x.shape[-1]), None)
        return np.moveaxis(y.reshape(*rows.shape[:-1], y.shape[-1]), front, axes)


class IntegerProduct(WeightProduct):
    """MatMulInteger with a constant right operand: codes less their zero points as floats, sums
    rounded to int32.

    Exact up to sums of 2**24; the scales stay where the graph has them.
    """

    def __init__(self, name: str, node: Any, weights: np.ndarray):
        super().__init__(name, node.input[0], node.output[0], weights)
        self.origin = node.input[1]
        self.inputs = (node.input[0], *_given(node, 2))

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Codes x (..., m, k) and their zero point -> int32, shape (..., m, n)."""
        zero = values[1].astype(np.int32) if len(values) > 1 else np.zeros((), np.int32)
        zero = zero[..., None] if zero.size > 1 else zero
        y = super().apply(call, (values[0].astype(np.int32) - zero).astype(np.float32))
        return np.rint(y).astype(np.int32)


class ActivationProduct(Product):
    """MatMul of two computed operands, such as attention's scores: one product a sample and
    group.
    """

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """x of shape (batch, ..., m, k) and w of shape (batch, ..., k, n) ->
        shape (batch, ..., m, n).
        """
        x, w = values
        rows, columns = x.ndim > 1, w.ndim > 1
        x, w = x if rows else x[None], w if columns else w[:, None]
        outer = np.broadcast_shapes(x.shape[:-2], w.shape[:-2])
        x = np.broadcast_to(x, outer + x.shape[-2:]).reshape(-1, *x.shape[-2:])
        w = np.broadcast_to(w, outer + w.shape[-2:]).reshape(-1, *w.shape[-2:])
        y = call(
            np.ascontiguousarray(x, dtype=np.float32), np.ascontiguousarray(w, dtype=np.float32)
        )
        ends = (y.shape[-2:-1] if rows else ()) + (y.shape[-1:] if columns else ())
        return y.reshape(outer + ends)


class IntegerActivations(ActivationProduct):
    """MatMulInteger of two computed operands: codes less their zero points as floats, sums rounded
    to int32.
    """

    def __init__(self, name: str, node: Any):
        super().__init__(name, tuple(name for name in node.input if name), node.output[0])
        self.zeros = [len(node.input) > i and bool(node.input[i]) for i in (2, 3)]

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Codes x (..., m, k) and w (..., k, n), with their zero points -> int32,
        shape (..., m, n).
        """
        x, w, *zeros = (value.astype(np.int32) for value in values)
        if self.zeros[0]:
            zero = zeros.pop(0)
            x = x - (zero[..., None] if zero.size > 1 else zero)
        if self.zeros[1]:
            w = w - zeros.pop(0)
        y = super().apply(call, x.astype(np.float32), w.astype(np.float32))
        return np.rint(y).astype(np.int32)


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
        """x and the addend -> x @ w + beta * addend. x : shape (batch, ..., k)."""
        *operands, addend = values
        return (self.inner.apply(call, *operands) + self.beta * addend).astype(np.float32)


class BiasedConvolution(Product):
    """A convolution whose bias is computed: it is added on the host."""

    def __init__(self, inner: Convolution | TransposedConvolution, bias: str):
        super().__init__(inner.name, (*inner.inputs, bias), inner.output)
        self.inner, self.weights, self.origin = inner, inner.weights, inner.origin

    def laid_out(self, tensor: np.ndarray) -> np.ndarray:
        """As the convolution inside lays it out."""
        return self.inner.laid_out(tensor)

    def apply(self, call: Call, *values: np.ndarray) -> np.ndarray:
        """Images of shape (batch, channels, *sizes) and the bias of shape (channels,) -> images."""
        x, bias = values
        return self.inner.apply(call, x) + bias.reshape(1, -1, *(1,) * (x.ndim - 2))


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
    if node.op_type == "ConvInteger":
        return _integer_convolution(node, name, found, label)
    return _matmul(node, name, found, label)


def _convolution(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    bias = next(iter(_given(node, 2)), None)
    if node.input[1] not in found and node.op_type == "Conv":
        return ComputedConvolution(node, name)
    if node.input[1] not in found:
        raise ModelError(
            f"{label} has a computed kernel {node.input[1]!r}; allowed: a constant kernel"
        )
    kind = Convolution if node.op_type == "Conv" else TransposedConvolution
    weight = found[node.input[1]]
    if bias is None:
        return kind(node, name, weight, None)
    if bias in found:
        made = kind(node, name, weight, found[bias].astype(np.float32))
        made.bias_origin = bias
        return made
    return BiasedConvolution(kind(node, name, weight, None), bias)


def _integer_convolution(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    codes = _less_zero(node, 3, found, label)
    return IntegerConvolution(node, name, codes)


def _less_zero(node: Any, index: int, found: dict[str, np.ndarray], label: str) -> np.ndarray:
    """int32 weights of an integer product, less their zero point, the input of that index."""
    if node.input[1] not in found:
        raise ModelError(f"{label} has two computed operands; allowed: a constant right operand")
    codes = found[node.input[1]].astype(np.int32)
    zero = next(iter(_given(node, index)), None)
    if zero is None:
        return codes
    if zero not in found:
        raise ModelError(
            f"{label} has a computed zero point {zero!r} of its weights; allowed: a constant"
        )
    values = found[zero].astype(np.int32)
    if node.op_type == "ConvInteger" and values.ndim == 1:
        values = values.reshape(-1, *(1,) * (codes.ndim - 1))
    return codes - values


def _gemm(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    """A Gemm of a computed left operand and constant weights; others were written as MatMul."""
    attributes = _attributes(node)
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
        return IntegerActivations(name, node)
    return IntegerProduct(name, node, _less_zero(node, 3, found, label))


def _matmul(node: Any, name: str, found: dict[str, np.ndarray], label: str) -> Product:
    left, right = node.input
    if right in found:
        made = WeightProduct(name, left, node.output[0], found[right])
        made.origin = right
        return made
    if left in found and _squeezed(found[left]).ndim <= 2:
        w = _squeezed(found[left])
        made = WeightProduct(name, right, node.output[0], w, flipped=True, turned=w.ndim == 2)
        made.origin = left
        return made
    return ActivationProduct(name, (left, right), node.output[0])


def _squeezed(w: np.ndarray) -> np.ndarray:
    """w without leading axes of length 1."""
    while w.ndim > 2 and w.shape[0] == 1:
        w = w[0]
    return w
