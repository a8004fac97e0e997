"""Which standard operators do ONNX Runtime's own fusions stand for? Products with what they fused:
transposes, activations, GELU, additions before a norm, attention of packed heads.

ONNX Runtime writes them into a file that it has optimised, in the domain com.microsoft; what each
computes is in its document "ContribOperators".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.workload.importers import quantised_forms, recurrent
from pimlab.workload.importers.written import Nodes


def _given(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _number(place: Nodes, value: float) -> str:
    return place.constant("number", np.float32(value))


def _turned(place: Nodes, x: str) -> str:
    """x with its last two axes exchanged; a constant stays one."""
    if x in place.values:
        return place.constant("turned", np.ascontiguousarray(place.values[x].swapaxes(-1, -2)))
    axes = list(range(len(place.shape(x))))
    return place.add("Transpose", x, perm=[*axes[:-2], axes[-1], axes[-2]])


def matmul(place: Nodes, node: Any, constants: set[str]) -> bool:
    """alpha A' B', both turned or not."""
    given = _given(node)
    if given.get("transBatchA", 0) or given.get("transBatchB", 0):
        raise place.error("exchanges batches (transBatchA, transBatchB); allowed: transA, transB")
    a, b = (
        _turned(place, name) if given.get(key, 0) else name
        for name, key in zip(node.input[:2], ("transA", "transB"), strict=True)
    )
    alpha = given.get("alpha", 1.0)
    last = node.output[0] if alpha == 1.0 else ""
    y = place.add("MatMul", a, b, output=last, name=node.name)
    if alpha != 1.0:
        place.add("Mul", y, _number(place, alpha), output=node.output[0])
    return True


def _activated(
    place: Nodes, node: Any, y: str, given: dict[str, Any], parameters: list[float]
) -> bool:
    """The activation that was fused behind a product."""
    kind = given.get("activation", b"").decode()
    out = node.output[0]
    names = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Elu": ("alpha",)}
    if kind == "Clip":
        place.add("Clip", y, *(_number(place, one) for one in parameters), output=out)
    elif kind in ("Relu", "Sigmoid", "Tanh", *names):
        more: dict[str, Any] = dict(zip(names.get(kind, ()), parameters, strict=False))
        place.add(kind, y, output=out, **more)
    elif kind:
        raise place.error(f"has the activation {kind!r}; allowed: Relu, LeakyRelu, Clip, ...")
    else:
        place.add("Identity", y, output=out)
    return True


def convolution(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Conv, an addition, an activation."""
    given = _given(node)
    own = {key: value for key, value in given.items() if not key.startswith("activation")}
    y = place.add("Conv", *node.input[:3], name=node.name, **own)
    if len(node.input) > 3 and node.input[3]:
        y = place.add("Add", y, node.input[3])
    return _activated(place, node, y, given, list(given.get("activation_params", [])))


def gemm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Gemm and an activation."""
    given = _given(node)
    own = {key: value for key, value in given.items() if not key.startswith("activation")}
    y = place.add("Gemm", *node.input, name=node.name, **own)
    names = ("activation_alpha", "activation_beta")
    return _activated(place, node, y, given, [given[name] for name in names if name in given])


def gelu(place: Nodes, node: Any, constants: set[str]) -> bool:
    """x (1 + erf(x / sqrt 2)) / 2, of x and a bias where there is one."""
    x = place.add("Add", *node.input) if len(node.input) > 1 else node.input[0]
    inner = place.add("Erf", place.add("Mul", x, _number(place, math.sqrt(0.5))))
    half = place.add("Mul", place.add("Add", inner, _number(place, 1.0)), _number(place, 0.5))
    place.add("Mul", x, half, output=node.output[0])
    return True


def fast_gelu(place: Nodes, node: Any, constants: set[str]) -> bool:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, of x and a bias where there is one."""
    names = [name for name in node.input if name]
    x = place.add("Add", *names) if len(names) > 1 else names[0]
    cube = place.add("Mul", place.add("Mul", x, x), x)
    sum_ = place.add("Add", x, place.add("Mul", cube, _number(place, 0.044715)))
    inner = place.add("Tanh", place.add("Mul", sum_, _number(place, math.sqrt(2 / math.pi))))
    half = place.add("Mul", place.add("Add", inner, _number(place, 1.0)), _number(place, 0.5))
    place.add("Mul", x, half, output=node.output[0])
    return True


def quick_gelu(place: Nodes, node: Any, constants: set[str]) -> bool:
    """x sigmoid(alpha x)."""
    scaled = place.add("Mul", node.input[0], _number(place, _given(node).get("alpha", 1.702)))
    place.add("Mul", node.input[0], place.add("Sigmoid", scaled), output=node.output[0])
    return True


def _mean(place: Nodes, x: str) -> str:
    if place.version < 18:
        return place.add("ReduceMean", x, axes=[-1], keepdims=1)
    return place.add("ReduceMean", x, place.constant("axis", np.array([-1], np.int64)), keepdims=1)


def _scaled_norm(
    place: Nodes, x: str, gains: tuple[str, str], epsilon: float, centred: bool, output: str
) -> bool:
    """x normalised over its last axis, times a gain, and a shift where there is one."""
    gamma, beta = gains
    if centred:
        x = place.add("Sub", x, _mean(place, x))
    square = _mean(place, place.add("Mul", x, x))
    deviation = place.add("Sqrt", place.add("Add", square, _number(place, epsilon)))
    y = place.add("Div", x, deviation)
    y = place.add("Mul", y, gamma, output="" if beta else output)
    if beta:
        place.add("Add", y, beta, output=output)
    return True


def _early_norm(place: Nodes, node: Any, centred: bool) -> bool:
    """A norm that ONNX Runtime writes into the standard's own domain."""
    given, names = _given(node), [*node.input, ""]
    rank = len(place.shape(node.input[1])) if node.input[1] in place.values else 1
    if any(node.output[1:]) or rank != 1:
        raise place.error("gives its mean or deviation, or norms several axes; allowed: the last")
    gains = names[1], names[2] if centred else ""
    return _scaled_norm(place, names[0], gains, given.get("epsilon", 1e-5), centred, node.output[0])


def layer_norm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Layer norm in a file of a version of the standard that had none yet."""
    return place.version < 17 and _early_norm(place, node, True)


def rms_norm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Root-mean-square norm."""
    return _early_norm(place, node, False)


def _normal(place: Nodes, node: Any, centred: bool) -> bool:
    """The sum of input, skip and bias, normalised over its last axis; the sum is the fourth
    output.
    """
    names = [*node.input, "", "", ""]
    x, skip, gamma = names[:3]
    beta, bias = (names[3], names[4]) if centred else ("", names[3])
    if any(node.output[1:3]):
        raise place.error("gives the mean or deviation of its norm; allowed: the norm and the sum")
    summed = node.output[3] if len(node.output) > 3 else ""
    if bias:
        x = place.add("Add", x, bias)
    x = place.add("Add", x, skip, output=summed)
    epsilon = _given(node).get("epsilon", 1e-12 if centred else 1e-5)
    return _scaled_norm(place, x, (gamma, beta), epsilon, centred, node.output[0])


def skip_norm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Layer norm of a sum."""
    return _normal(place, node, True)


def skip_rms_norm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Root-mean-square norm of a sum."""
    return _normal(place, node, False)


def attention(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Attention of heads whose queries, keys and values are one product; with a mask of keys
    (batch, keys) or none. ModelError for what else it may be given.
    """
    given, names = _given(node), [*node.input, "", "", ""]
    x, w, bias, mask = names[:4]
    if any(names[4:]) or any(node.output[1:]) or given.get("unidirectional", 0):
        raise place.error("has a past, a bias of scores or a causal mask; allowed: none of them")
    width = place.shape(w)[1]
    if width is None or width % 3 or "qkv_hidden_sizes" in given:
        raise place.error("has queries, keys and values of different widths; allowed: equal ones")
    y = place.add("MatMul", x, w, name=f"{place.label}.packed")
    y = place.add("Add", y, bias) if bias else y
    heads, own = given["num_heads"], width // 3
    turns = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    q, k, v = (
        place.add("Transpose", place.reshaped(part, [0, 0, heads, own // heads]), perm=perm)
        for part, perm in zip(place.split(y, 3, 2, own), turns, strict=True)
    )
    scale = given.get("scale", 0.0) or 1 / math.sqrt(own // heads)
    scores = place.add("MatMul", q, k, name=f"{place.label}.scores")
    scores = place.add("Mul", scores, _number(place, scale))
    if mask:
        scores = place.add("Add", scores, _masked(place, mask, given))
    weights = place.add("Softmax", scores, axis=-1)
    out = place.add("MatMul", weights, v, name=f"{place.label}.values")
    place.reshaped(place.add("Transpose", out, perm=[0, 2, 1, 3]), [0, 0, own], node.output[0])
    return True


def _masked(place: Nodes, mask: str, given: dict[str, Any]) -> str:
    """What is added to scores: a large negative number for keys whose mask is 0."""
    if len(place.shape(mask)) != 2:
        raise place.error("has a mask that is not of shape (batch, keys); allowed: such a mask")
    filled = given.get("mask_filter_value", -10000.0)
    kept = place.add("Cast", place.widened(place.widened(mask, 1), 1), to=1)
    lost = place.add("Sub", _number(place, 1.0), kept)
    return place.add("Mul", lost, _number(place, filled))


FORMS: dict[str, Callable[[Nodes, Any, set[str]], bool]] = {
    "Attention": attention,
    "BiasGelu": gelu,
    "DynamicQuantizeLSTM": recurrent.dynamic_lstm,
    "FastGelu": fast_gelu,
    "FusedConv": convolution,
    "FusedGemm": gemm,
    "FusedMatMul": matmul,
    "Gelu": gelu,
    "QuickGelu": quick_gelu,
    "SkipLayerNormalization": skip_norm,
    "SkipSimplifiedLayerNormalization": skip_rms_norm,
    "QLinearConcat": quantised_forms.concatenated,
    **dict.fromkeys(quantised_forms.PLAIN, quantised_forms.pointwise),
}
"""Operator type of com.microsoft -> what writes it as standard nodes."""


EARLY: dict[str, Callable[[Nodes, Any, set[str]], bool]] = {
    "LayerNormalization": layer_norm,
    "SimplifiedLayerNormalization": rms_norm,
}
"""The same for what ONNX Runtime writes into the standard's domain, where the standard has none."""
