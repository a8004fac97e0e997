"""Which codes should weights get once the layer's inputs are known? Rounding, SmoothQuant,
AWQ-style scaling, GPTQ.

Weights are symmetric integers with one scale an output column, or one per `group` inputs of a
column.
"""

from __future__ import annotations

import numpy as np

from pimlab import formats
from pimlab.arguments import typed
from pimlab.formats import IntegerFormat, Quantized
from pimlab.kernels.blas import one_thread
from pimlab.values import truth
from pimlab.workload.transform.layer import (
    DAMPINGS,
    Compressed,
    checked,
    chosen,
    inverse_factor,
    made_up,
)

_SHARES = 20
_SHRINKS = 1 - np.arange(11) / 20
_SMALLEST = 1e-4


def _integers(name: str | formats.NumberFormat, what: str) -> IntegerFormat:
    grid = formats.format(name)
    if not isinstance(grid, IntegerFormat):
        raise ValueError(f"{what} format {grid.name} is not an integer format, such as 'int4'")
    return grid


def _quantized(w: np.ndarray, grid: IntegerFormat, group: int | None) -> Quantized:
    return formats.quantize(w, grid, 1 if group is None else 0, group, symmetric=True)


@typed
def round_to_nearest(w: np.ndarray, format: str = "int4", group: int | None = None) -> Compressed:
    """Each weight float32, shape (k, n) on the nearest code: the baseline of every other method
    here.
    """
    w, _ = checked(w, None, "round_to_nearest")
    q = _quantized(w, _integers(format, "round_to_nearest"), group)
    return Compressed(q.dequantize(), np.ones(w.shape[0], np.float32), q.scale)


@typed
def smooth_quant(w: np.ndarray, x: np.ndarray, alpha: float = 0.5) -> Compressed:
    """Large inputs made smaller and their weights larger, so that both quantise well; nothing is
    quantised yet.

    input_scale_i = max|x_i|**alpha / max|w_i|**(1 - alpha), w_i multiplied by it: the outputs stay
    the same. An input that hardly fires in x gets a small scale, and a large one where it fires
    later: on such a layer (the CNN's fc1) smoothing loses. Xiao et al., SmoothQuant, ICML 2023
    (arXiv:2211.10438), equation 4. alpha in 0..1; 0.5 is the paper's default.
    """
    w, x = checked(w, x, "smooth_quant")
    if not 0 <= alpha <= 1:
        raise ValueError(f"smooth_quant alpha={alpha!r} is outside 0..1")
    inputs, weights = (
        np.abs(x).max(axis=0).astype(np.float64),
        np.abs(w).max(axis=1).astype(np.float64),
    )
    live = (inputs > 0) & (weights > 0)
    scale = np.ones(w.shape[0])
    scale[live] = inputs[live] ** alpha / weights[live] ** (1 - alpha)
    scale = scale.astype(np.float32)
    return Compressed(w * scale[:, None], scale)


@typed
def awq(
    w: np.ndarray,
    x: np.ndarray,
    format: str = "int4",
    group: int | None = None,
    *,
    clip: bool = True,
) -> Compressed:
    """Weights of large inputs scaled up before rounding, so that they lose less; the inputs are
    scaled down by as much.

    input_scale = (mean|x_i|)**share, normalised to max min = 1; of 20 shares 0, 1/20, ... the one
    with the smallest output error on x (share 0 is rounding to nearest).
    clip : whether each step of the codes is then shrunk by 1, 0.95, ... or 0.5, whichever changes
    the outputs on x least: the few weights beyond lose, all others gain.
    Lin et al., AWQ, MLSys 2024 (arXiv:2306.00978), section 3; the clipping is that of the authors'
    code, searched on all of x.
    """
    w, x = checked(w, x, "awq")
    grid, clip = _integers(format, "awq"), truth("awq clip", clip)
    mean = np.maximum(np.abs(x).mean(axis=0, dtype=np.float64), _SMALLEST)
    gram = x.astype(np.float64).T @ x.astype(np.float64)
    best, smallest = None, np.inf
    for share in np.arange(_SHARES) / _SHARES:
        scale = mean**share
        scale = (scale / np.sqrt(scale.max() * scale.min())).astype(np.float32)
        q = _quantized(w * scale[:, None], grid, group)
        candidate = Compressed(q.dequantize(), scale, q.scale)
        change = candidate.effective.astype(np.float64) - w
        error = float(np.sum(change * (gram @ change)))
        if error < smallest:
            best, smallest = candidate, error
    assert best is not None
    return _clipped(w, gram, best, grid, group) if clip else best


def _clipped(
    w: np.ndarray, gram: np.ndarray, found: Compressed, grid: IntegerFormat, group: int | None
) -> Compressed:
    """`found` with each of its scales shrunk by the ratio that changes the outputs of its own
    inputs least.
    """
    assert found.scale is not None
    scaled, rows = w * found.input_scale[:, None], group or len(w)
    blocks = np.stack([gram[i : i + rows, i : i + rows] for i in range(0, len(w), rows)])
    scale, least = found.scale.copy(), np.full(found.scale.shape, np.inf)
    for ratio in _SHRINKS.astype(np.float32):
        q = formats.quantize(
            scaled, grid, 1 if group is None else 0, group, scale=found.scale * ratio
        )
        change = (
            (q.dequantize() / found.input_scale[:, None] - w)
            .astype(np.float64)
            .reshape(-1, rows, w.shape[1])
        )
        error = np.sum(change * (blocks @ change), axis=1)
        scale, least = np.where(error < least, q.scale, scale), np.minimum(error, least)
    q = formats.quantize(scaled, grid, 1 if group is None else 0, group, scale=scale)
    return Compressed(q.dequantize(), found.input_scale, scale)


@typed
def gptq(
    w: np.ndarray,
    x: np.ndarray,
    format: str = "int4",
    group: int | None = None,
    damping: float | None = None,
) -> Compressed:
    """Weights rounded input after input, the inputs that follow taking up the error each rounding
    makes in the outputs.

    Scales come from the weights as they stand when their group is reached.
    damping : added to the diagonal of x^T x, in its means; infinite is rounding to nearest; None
    takes the one of `DAMPINGS` that, fitted to the first half of x, serves the second best. The
    paper's 0.01 wants several times k rows: on 64 rows it leaves the layers of the small language
    model with 1.0 to 2.2 times the error of rounding, the choice with 0.68 to 1.0 times. Frantar et
    al., GPTQ, ICLR 2023 (arXiv:2210.17323), algorithm 1, inputs in their given order.
    """
    w, x = checked(w, x, "gptq")
    grid = _integers(format, "gptq")
    with one_thread():  # many small products: woken threads cost more than they carry
        if damping is None:
            damping = chosen(x, w, lambda rows, each: _gptq(w, rows, grid, group, each), DAMPINGS)
        return _gptq(w, x, grid, group, damping)


def _gptq(
    w: np.ndarray, x: np.ndarray, grid: IntegerFormat, group: int | None, damping: float
) -> Compressed:
    factor = inverse_factor(x, damping, "gptq")
    scales = _quantized(w, grid, group).scale
    rows, left = group or w.shape[0], w.astype(np.float64)

    def rounded(i: int) -> np.ndarray:
        if i % rows == 0:
            scales[i // rows] = formats.symmetric(np.abs(left[i : i + rows]).max(axis=0), grid)
        codes = np.clip(
            np.rint(left[i].astype(np.float32) / scales[i // rows]), grid.lowest, grid.highest
        )
        return codes.astype(np.float32) * scales[i // rows]

    out = made_up(left, factor, group or 1, rounded)
    return Compressed(out.astype(np.float32), np.ones(w.shape[0], np.float32), scales)
