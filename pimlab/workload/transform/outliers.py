"""What brings a language model's accuracy back on coarse hardware? Scaled input features and a few
digital columns.

A few input features of a transformer are many times larger than the others (Dettmers et al. 2022),
so one range for all of them wastes converter levels. `outlier_aware` gives the same function with
other operands: each input feature is divided, and its weights are multiplied, by a scale
(SmoothQuant: Xiao et al. 2023, eq. 4), the largest features are multiplied apart, on the digital
host (as in LLM.int8(): Dettmers et al. 2022, section 3), and each token may be scaled by its own
largest feature, so that one outlier token does not take the levels of all the others.

Where activations are far from zero on average (after Relu, or batch normalisation), errors of the
cells meet that average in every sample. Centred inputs, each less its mean over the calibration
samples, leave them only the part that says something: x w = (x - c) w + c w, and c w is added
digitally.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np

from pimlab.arguments import typed
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.workload.calibration import calibrate
from pimlab.workload.graph import Edge, Graph
from pimlab.workload.language.model import product
from pimlab.workload.model import Model, ModelError, Multiply

PRODUCTS = 2**23
"""Outputs of a digital part that are computed at a time."""


class Layout(NamedTuple):
    """How the operands of one operator are rearranged.

    scale : float32, shape (k,), what each input feature is divided by.  kept, digital : which
    features, int, shape (k - r,) and (r,).
    centre : float32, shape (k,), what is subtracted from it before.
    """

    scale: np.ndarray
    kept: np.ndarray
    digital: np.ndarray
    centre: np.ndarray


def _with_parts(graph: Graph, names: set[str]) -> Graph:
    """The graph of the original with the operators "x.centred", which x waits for, and "x.digital",
    which runs beside x.
    """
    edges = [
        edge.but(maker=maker, reader=reader)
        for edge in graph.edges
        for maker in (edge.maker, f"{edge.maker}.digital")
        for reader in (edge.reader, f"{edge.reader}.digital", f"{edge.reader}.centred")
        if (maker == edge.maker or maker in names) and (reader == edge.reader or reader in names)
    ]
    made = sorted(name for name in names if name.endswith(".centred"))
    edges += [Edge(maker=name, reader=name.removesuffix(".centred"), whole=False) for name in made]
    rows = {name: graph.rows.get(name.rpartition(".")[0], 1) for name in names - {*graph.rows}}
    return Graph(edges=tuple(edges), rows={**graph.rows, **rows})


class OutlierAware(Model):
    """`model` with scaled input features and digital columns: the same outputs on an ideal machine.

    The digital part of operator "x" is the operator "x.digital", a product of two operands, so that
    a machine with constant weights leaves it to its host. What is subtracted from centred inputs is
    the host's operator "x.centred".
    """

    def __init__(self, model: Model, layouts: dict[str, Layout], per_token: bool):
        self.model, self.layouts, self.per_token, self.name = (
            model,
            layouts,
            per_token,
            f"{model.name} outlier-aware",
        )
        described = b"".join(part.tobytes() for name in sorted(layouts) for part in layouts[name])
        self.sha256 = hashlib.sha256(f"{model.sha256} {per_token}".encode() + described).hexdigest()
        self._added = dict(model.biases) | {
            name: self._sum(name, each) for name, each in layouts.items() if each.centre.any()
        }
        self.biases = {
            name: bias for name, bias in self._added.items() if not (per_token and name in layouts)
        }
        self.stored, self.rectified = {}, model.rectified
        centred = [
            VectorOp(
                name=f"{op.name}.centred", kind="sub", elements=op.m * len(layouts[op.name].kept)
            )
            for op in model.mac_ops
            if op.name in layouts and layouts[op.name].centre.any()
        ]
        self.vector_ops = (*model.vector_ops, *centred)
        self.mac_ops = tuple(part for op in model.mac_ops for part in self._parts(op))
        self.weights = {name: self._weights(name, w) for name, w in model.weights.items()}
        self.graph = _with_parts(
            model.graph, {op.name for op in self.mac_ops} | {op.name for op in centred}
        )

    def _parts(self, op: MacOp) -> tuple[MacOp, ...]:
        layout = self.layouts.get(op.name)
        if layout is None or not len(layout.digital):
            return (op,)
        digital = op.but(name=f"{op.name}.digital", k=len(layout.digital), kind="activations")
        return op.but(k=len(layout.kept)), digital

    def _weights(self, name: str, w: np.ndarray) -> np.ndarray:
        layout = self.layouts.get(name)
        return w if layout is None else w[:, layout.kept] * layout.scale[layout.kept, None]

    def _sum(self, name: str, layout: Layout) -> np.ndarray:
        """The operator's bias and what the centre of its kept features makes: float32,
        shape (n,).
        """
        made = layout.centre[layout.kept] @ self.model.weights[name][0, layout.kept]
        return np.asarray(self.model.biases.get(name, np.float32(0)) + made, dtype=np.float32)

    def rows(self, inputs: np.ndarray) -> int:
        """Inferences that `inputs` are (unit: inferences)."""
        return self.model.rows(inputs)

    def _top(self, x: np.ndarray) -> np.ndarray | np.float32:
        """Largest magnitude of each row of x, (..., 1), or 1 where tokens are not scaled."""
        if not self.per_token:
            return np.float32(1)
        top = np.abs(x).max(axis=-1, keepdims=True)
        return np.where(top > 0, top, np.float32(1))

    def exact(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """The `multiply` of an ideal machine: float32 products, bias added. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        y = product(x, self.weights[op.name] if w is None else w)
        return y + self.biases[op.name].reshape(op.groups, 1, op.n) if op.name in self.biases else y

    def execute(self, inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs of the model, its operands rearranged on their way to `multiply`. Batch first:
        shape (batch, ...).
        """
        ops = {op.name: op for op in self.mac_ops}

        def rearranged(op: MacOp, x: np.ndarray, w: np.ndarray | None, row: int) -> np.ndarray:
            layout = self.layouts.get(op.name)
            if layout is None:
                return multiply(op, x, w, row)
            kept = (x[..., layout.kept] - layout.centre[layout.kept]) / layout.scale[layout.kept]
            top = self._top(kept)
            y = multiply(ops[op.name], kept / top, None, row)
            y *= top
            if op.name in self._added and op.name not in self.biases:
                y += self._added[op.name]
            for part in _parts(y.shape[1], op.n) if len(layout.digital) else ():
                w = self.model.weights[op.name][:, layout.digital]
                y[:, part] += multiply(
                    ops[f"{op.name}.digital"], x[:, part][..., layout.digital], w, row + part.start
                )
            return y

        return self.model.execute(inputs, rearranged, first)


def _parts(rows: int, outputs: int) -> list[slice]:
    """Rows in slices of at most PRODUCTS outputs: a host may hold each product in 8 bytes,
    twice.
    """
    step = max(1, PRODUCTS // outputs)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


@typed
def outlier_aware(
    model: Model,
    data: Any,
    *,
    digital: int = 0,
    smoothing: float | None = None,
    per_token: bool = False,
    centred: bool = False,
) -> OutlierAware:
    """`model` rearranged by what the calibration split of `data` shows of its input features.

    digital : how many input features of each operator, those of the largest magnitude, the host
    multiplies; 0..k - 1.
    smoothing : strength a of the scales, max|x|**a / max|w|**(1 - a) a feature, 0..1; None for no
    scales.
    per_token : whether each input row is divided by its own largest magnitude, and its outputs
    multiplied by it.
    centred : whether each input feature is taken less its mean over the calibration samples.
    Every operator with constant weights in one group is rearranged. ValueError for numbers outside
    their range.
    """
    if smoothing is not None and not 0 <= smoothing <= 1:
        raise ValueError(
            f"smoothing={smoothing} is outside 0..1; for no scales write smoothing=None"
        )
    return Rearrangement(model, data).model(digital, smoothing, per_token, centred)


class Rearrangement:
    """What the calibration split of `data` shows of a model's input features, looked at once for
    any number of rearranged models.
    """

    def __init__(self, original: Model, data: Any):
        self.original = original
        self.samples = {name: one.sample for name, one in calibrate(original, data).items()}
        self.ops = [op for op in original.mac_ops if op.kind == "weights" and op.groups == 1]

    @property
    def narrowest(self) -> int:
        """Inputs of the operator that has the fewest, 0 without any (unit: features)."""
        return min((op.k for op in self.ops), default=0)

    def model(
        self,
        digital: int,
        smoothing: float | None,
        per_token: bool,
        centred: bool,
        left: Container[str] = (),
    ) -> OutlierAware:
        """As `outlier_aware`, operators named in `left` as they are; ModelError for as many digital
        features as an operator has inputs. Unit of `digital`: features.
        """
        most = max(self.narrowest - 1, 0)
        if not 0 <= digital <= most or not self.ops:
            raise ModelError(
                f"{self.original.name}: digital={digital}; allowed: 0..{most}, fewer than the "
                "inputs of any operator"
            )
        layouts = {
            op.name: layout(
                self.samples[op.name],
                self.original.weights[op.name][0],
                digital,
                smoothing,
                centred,
            )
            for op in self.ops
            if op.name not in left
        }
        return OutlierAware(self.original, layouts, per_token)


def layout(
    sample: np.ndarray, w: np.ndarray, digital: int, smoothing: float | None, centred: bool = False
) -> Layout:
    """The layout of an operator by rows of its inputs float32, shape (rows, k) and its weights (k,
    n).

    A feature that the sample never shows, or that has no weights, keeps the scale 1.
    """
    centre = sample.mean(axis=0) if centred else np.zeros(sample.shape[1], np.float32)
    sample = sample - centre
    x_top, w_top = np.abs(sample).max(axis=0), np.abs(w).max(axis=1)
    largest = np.argsort(-x_top, kind="stable")[:digital]
    scale = np.ones_like(x_top)
    if smoothing is not None:
        seen = (x_top > 0) & (w_top > 0)
        scale[seen] = x_top[seen] ** smoothing / w_top[seen] ** (1 - smoothing)
    return Layout(scale, np.setdiff1d(np.arange(len(x_top)), largest), np.sort(largest), centre)
