"""Which product on floats is a product on codes? The same between DequantizeLinear and
QuantizeLinear, from which a machine takes the codes again, to the bit (`quantised`).

QLinearConv and QLinearMatMul of the standard, and of com.microsoft, which ONNX Runtime's own tools
write, QGemm and MatMulNBits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.workload.importers import packed_blocks
from pimlab.workload.importers.written import Nodes


def matmul(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a QLinearMatMul; always done."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.input
    x = _floats(place, a, a_scale, a_zero, axis=-2)
    w = _floats(place, b, b_scale, b_zero, axis=-1)
    y = place.add("MatMul", x, w, name=node.name)
    place.add("QuantizeLinear", y, y_scale, y_zero, output=node.output[0])
    return True


def convolution(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a QLinearConv; always done."""
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = node.input
    operands = [
        _floats(place, x, x_scale, x_zero, axis=1),
        _floats(place, w, w_scale, w_zero, axis=0),
        *(_bias(place, one, x_scale, w_scale) for one in bias if one),
    ]
    y = place.add("Conv", *operands, name=node.name, **given)
    place.add("QuantizeLinear", y, y_scale, y_zero, output=node.output[0])
    return True


def gemm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a QGemm; always done."""
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    a, a_scale, a_zero, b, b_scale, b_zero, *rest = node.input
    bias, y_scale, y_zero = [*rest, "", "", ""][:3]
    operands = [
        _floats(place, a, a_scale, a_zero, axis=0),
        _floats(place, b, b_scale, b_zero, axis=0 if given.get("transB") else 1),
        *([_bias(place, bias, a_scale, b_scale)] if bias else []),
    ]
    last = "" if y_scale else node.output[0]
    y = place.add("Gemm", *operands, output=last, name=node.name, **given)
    if y_scale:
        place.add("QuantizeLinear", y, y_scale, y_zero, output=node.output[0])
    return True


def matmul_nbits(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a MatMulNBits, whose weights are codes of 2, 4 or 8 bits in blocks along k with scales
    and zero points; always done.
    """
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    a, *names = node.input
    bits, block = int(given.get("bits", 4)), int(given["block_size"])
    if bits not in (2, 4, 8) or any(name and name not in place.values for name in names):
        raise place.error(f"has bits={bits}; allowed: 2, 4 or 8, with constant weights")
    if len(names) > 3 and names[3]:
        raise place.error("has its inputs in an order of their own (g_idx); allowed: without it")
    codes, scales, *more = (place.values[name] if name else None for name in names)
    w = _blocks(given, bits, block, codes, scales, more[0] if more else None)
    y = place.add("MatMul", a, place.constant("weights", w), name=node.name)
    if len(more) > 2 and more[2] is not None:
        y = place.add("Add", y, names[4])
    place.add("Identity", y, output=node.output[0])
    return True


def _blocks(
    given: dict[str, Any],
    bits: int,
    block: int,
    codes: Any,
    scales: Any,
    zeros: Any,
) -> np.ndarray:
    """Weights (k, n) of codes uint8, shape (n, blocks, bytes), scales (n, blocks), and zero points
    that are packed as the codes are, or 2**(bits - 1) where there are none.
    """
    steps, scale = packed_blocks.steps(given, bits, block, codes, scales, zeros)
    values = (steps * scale).reshape(len(steps), -1)
    return np.ascontiguousarray(values[:, : int(given["K"])].T)


PLAIN = {
    "QLinearAdd": "Add",
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearMul": "Mul",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
"""Operators on codes that multiply no matrices -> what they do with the values."""
_TWO = ("QLinearAdd", "QLinearMul")


def pointwise(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write one of `PLAIN`; always done."""
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if given.pop("channels_last", 0):
        raise place.error("has its channels last (channels_last=1); allowed: 0")
    given.pop("opset", None)
    inputs = [*node.input, ""]  # the last zero point may be missing
    count = 2 if node.op_type in _TWO else 1
    x = [place.add("DequantizeLinear", *_named(inputs[3 * i : 3 * i + 3])) for i in range(count)]
    y = place.add(PLAIN[node.op_type], *x, name=node.name, **given)
    codes = _named(inputs[3 * count : 3 * count + 2])
    place.add("QuantizeLinear", y, *codes, output=node.output[0])
    return True


def concatenated(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a QLinearConcat; always done."""
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    scale, zero, *rest = node.input
    x = [place.add("DequantizeLinear", *_named(rest[i : i + 3])) for i in range(0, len(rest), 3)]
    y = place.add("Concat", *x, name=node.name, **given)
    place.add("QuantizeLinear", y, scale, zero, output=node.output[0])
    return True


def _named(inputs: list[str]) -> list[str]:
    return [name for name in inputs if name]


def _floats(place: Nodes, codes: str, scale: str, zero: str, axis: int) -> str:
    """What codes stand for, with one scale or one an index of `axis`."""
    values = place.values.get(scale)
    given = [codes, scale, *([zero] if zero else [])]
    if values is None or values.size == 1:
        return place.add("DequantizeLinear", *given)
    rank = len(place.shape(codes))
    if values.ndim == 1 and place.version >= 13:
        return place.add("DequantizeLinear", *given, axis=axis % rank)
    if not all(name in place.values for name in given):
        raise place.error(
            f"has scales of shape {values.shape} for computed codes; allowed: one scale"
        )
    shape = [-1 if i == axis % rank else 1 for i in range(rank)] if values.ndim == 1 else None
    wide = [place.values[name].astype(np.int32) for name in (codes, *([zero] if zero else []))]
    laid = [v if shape is None or v.size == 1 else v.reshape(shape) for v in (*wide[1:], values)]
    steps = wide[0] - laid[0] if zero else wide[0]
    return place.constant("floats", (steps * laid[-1]).astype(np.float32))


def _bias(place: Nodes, bias: str, x_scale: str, w_scale: str) -> str:
    """A bias in steps of both scales together as floats; as it is where it is one of floats."""
    values = place.values.get(bias)
    scales = [place.values.get(name) for name in (x_scale, w_scale)]
    if values is not None and values.dtype.kind == "f":
        return bias
    if values is None or any(scale is None for scale in scales):
        raise place.error(f"has a computed bias {bias!r} or scale; allowed: constants")
    x_step, w_step = (np.asarray(scale, np.float32).reshape(-1) for scale in scales)
    step = x_step * w_step
    named = place.constant("bias_scale", step if step.size > 1 else step.reshape(()))
    axis: dict[str, Any] = {"axis": 0} if place.version >= 13 and step.size > 1 else {}
    if step.size > 1 and not axis:
        return place.constant("bias", (values * step).astype(np.float32))
    return place.add("DequantizeLinear", bias, named, **axis)
