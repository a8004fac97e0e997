"""What does a model become when every layer is compressed? The same network with compressed
weights.

`compress(model, method="gptq", bits=4, group=128, data=data)` names a method;
`compressed_by(model, data, gptq)` compresses each operator by its own calibration inputs with any
function of weights and inputs that answers with a `Compressed`. The result runs on any target; one
whose format is that of the codes multiplies them as they are (`StoredWeights`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pimlab.arguments import typed
from pimlab.machine.protocol import MacOp
from pimlab.machine.stored import StoredWeights
from pimlab.values import unknown
from pimlab.workload.calibration import calibrate
from pimlab.workload.model import Model, ModelError, Multiply
from pimlab.workload.transform import (
    Compressed,
    awq,
    gptq,
    magnitude,
    round_to_nearest,
    smooth_quant,
    sparse_gpt,
    wanda,
)

Method = Callable[[np.ndarray, np.ndarray], Compressed]
"""method(w float32 (k, n), x float32 (rows, k)) -> Compressed."""


class CompressedModel(Model):
    """`model` with compressed weights; inputs are divided by the scales that a method asks for."""

    def __init__(self, model: Model, layers: dict[str, Compressed], name: str):
        self.model, self.layers, self.name = model, layers, name
        self.biases, self.stored, self.rectified = model.biases, {}, model.rectified
        self.mac_ops, self.vector_ops = model.mac_ops, model.vector_ops
        self.graph = model.graph
        self.held = {
            key: StoredWeights(one.codes[None], one.scale[None], one.index, one.bits)
            for key, one in layers.items()
            if one.codes is not None
            and one.scale is not None
            and one.index is not None
            and one.bits is not None
        }
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
def compressed_by(
    model: Model, data: Any, method: Method, name: str | None = None
) -> CompressedModel:
    """`model` with every operator of constant weights in one group compressed by `method` on the
    calibration split of `data`.

    name : of the new model; the model's name and the method's unless given. ValueError where the
    method refuses.
    """
    samples = {key: one.sample for key, one in calibrate(model, data).items()}
    ops = [op for op in model.mac_ops if op.kind == "weights" and op.groups == 1]
    layers = {op.name: method(model.weights[op.name][0], samples[op.name]) for op in ops}
    return CompressedModel(
        model, layers, name or f"{model.name} {getattr(method, '__name__', 'compressed')}"
    )


def _to_nearest(w: np.ndarray, x: np.ndarray, **options: Any) -> Compressed:
    return round_to_nearest(w, **options)


def _by_magnitude(w: np.ndarray, x: np.ndarray, **options: Any) -> Compressed:
    return magnitude(w, **options)


ROUNDING: dict[str, Callable[..., Compressed]] = {"rtn": _to_nearest, "gptq": gptq, "awq": awq}
"""Methods that give weights codes."""
PRUNING: dict[str, Callable[..., Compressed]] = {
    "magnitude": _by_magnitude,
    "wanda": wanda,
    "sparsegpt": sparse_gpt,
}
"""Methods that take weights away."""
METHODS: dict[str, Callable[..., Compressed]] = {**ROUNDING, **PRUNING, "smoothquant": smooth_quant}
_WITHOUT_DATA = ("rtn", "magnitude")


@typed
def compress(
    model: Model,
    *,
    method: str,
    data: Any = None,
    bits: int | None = None,
    group: int | None = None,
    asymmetric: bool = False,
    pattern: float | str | None = None,
    skip: Sequence[str] = (),
    name: str | None = None,
    **options: Any,
) -> CompressedModel:
    """`model` with the weights of every operator compressed by a method of that name, on the
    calibration split of `data`.

    method : "rtn", "gptq" or "awq" round to `bits` bits, with a scale a column or for `group`
    inputs of it, and a zero point as well where `asymmetric`; "magnitude", "wanda" or "sparsegpt"
    remove by `pattern`, a share or text such as "2:4"; "smoothquant" scales inputs.
    data : what `pimlab.load_data` gives; needed by all but "rtn" and "magnitude".
    skip : names of operators that stay as they are, such as a decoder's "head".
    options : the method's own, such as order=True of gptq (`pimlab.workload.transform`).
    A machine with the format of the codes multiplies them as they are: weights="int4" without
    groups, "int4_g128" or "uint4_g128" with them; a pattern of "2:4" is priced where the target
    says sparsity="2:4". ValueError for an unknown method or an argument that it has no use for;
    ModelError names the layer that cannot be compressed so.

    >>> small = pim.compress(pim.load_model("digits-mlp"), method="rtn", bits=4)
    >>> npu = pim.target("warboy").in_format("int8", "int4")
    >>> bool(pim.run(small, npu).energy.sum() > 0)
    True
    """
    if method not in METHODS:
        raise ValueError(unknown("compress method", method, METHODS))
    given = _given(method, bits, group, asymmetric, pattern)
    known = {op.name for op in model.mac_ops}
    for one in skip:
        if one not in known:
            raise ValueError(unknown("compress skip", one, known))
    if data is None and method not in _WITHOUT_DATA:
        raise ValueError(f"compress method={method!r} needs data=, whose calibration split it sees")
    samples: dict[str, np.ndarray] = {}
    if data is not None:
        samples = {key: one.sample for key, one in calibrate(model, data).items()}
    layers = {}
    for op in model.mac_ops:
        if op.kind != "weights" or op.groups > 1 or op.name in skip:
            continue
        w = model.weights[op.name][0]
        x = samples.get(op.name, np.empty((0, len(w)), np.float32))
        layers[op.name] = _compressed(model, op.name, METHODS[method], w, x, given | options)
    return CompressedModel(model, layers, name or f"{model.name} {_shown(method, given)}")


def _compressed(
    model: Model,
    layer: str,
    method: Callable[..., Compressed],
    w: np.ndarray,
    x: np.ndarray,
    given: dict[str, Any],
) -> Compressed:
    try:
        return method(w, x, **given)
    except ValueError as error:
        raise ModelError(f"{model.name}: layer {layer!r}: {error}") from error


def _given(
    method: str, bits: int | None, group: int | None, asymmetric: bool, pattern: float | str | None
) -> dict[str, Any]:
    """The arguments of a method; ValueError for one that it has no use for."""
    if method in ROUNDING:
        if bits is None:
            raise ValueError(f"compress method={method!r} needs bits=, such as bits=4")
        _no_use(method, "pattern", pattern)
        return {"format": f"{'u' if asymmetric else ''}int{bits}", "group": group}
    _no_use(method, "bits", bits)
    _no_use(method, "group", group)
    _no_use(method, "asymmetric", asymmetric or None)
    if method in PRUNING:
        return {} if pattern is None else {"pattern": pattern}
    _no_use(method, "pattern", pattern)
    return {}


def _no_use(method: str, name: str, value: Any) -> None:
    if value is not None:
        raise ValueError(f"compress method={method!r} has no use for {name}={value!r}")


def _shown(method: str, given: dict[str, Any]) -> str:
    """What a compressed model is called after: "gptq int4 g128", "wanda 2:4"."""
    group = f" g{given['group']}" if given.get("group") else ""
    return f"{method} {given.get('format', given.get('pattern', ''))}{group}".strip()
