"""Which codes should weights get once the layer's inputs are known? Rounding, SmoothQuant,
AWQ-style scaling, GPTQ.

Weights are integers with one scale an output column, or one per `group` inputs of a column:
symmetric, or with a zero point as well where the integers are unsigned ("uint4").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pimlab import formats
from pimlab.arguments import typed
from pimlab.formats import IntegerFormat, Quantized
from pimlab.kernels.blas import one_thread
from pimlab.values import truth, unknown
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
    return formats.quantize(w, grid, 1 if group is None else 0, group)


def _of(q: Quantized, input_scale: np.ndarray) -> Compressed:
    """What a layer holds after rounding, with its codes."""
    k, n = q.codes.shape
    scale, zero = (a.reshape(-1, n) for a in (q.scale, q.zero_point))
    index = np.arange(k) // (k // len(scale))
    codes = q.codes.astype(np.int32) - zero[index]
    grid = q.format
    assert isinstance(grid, IntegerFormat)
    return Compressed(q.dequantize(), input_scale, scale, codes=codes, index=index, bits=grid.width)


@typed
def round_to_nearest(w: np.ndarray, format: str = "int4", group: int | None = None) -> Compressed:
    """Each weight float32, shape (k, n) on the nearest code: the baseline of every other method
    here.
    """
    w, _ = checked(w, None, "round_to_nearest")
    q = _quantized(w, _integers(format, "round_to_nearest"), group)
    return _of(q, np.ones(w.shape[0], np.float32))


@typed
def smooth_quant(w: np.ndarray, x: np.ndarray, alpha: float = 0.5) -> Compressed:
    """Large inputs made smaller and their weights larger, so that both quantise well; nothing is
    quantised yet.

    input_scale_i = max|x_i|**alpha / max|w_i|**(1 - alpha), w_i multiplied by it: the outputs stay
    the same. An input that hardly fires in x gets a small scale, and a large one where it fires
    later: on such a layer (the CNN's fc1) smoothing loses. Xiao et al., SmoothQuant, ICML 2023
    (arXiv:2211.10438), equation 4. alpha in 0..1; 0.5 is the paper's default. w : float32,
    shape (k, n);  x : float32, shape (rows, k).
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
    code, searched on all of x. w : float32, shape (k, n);  x : float32, shape (rows, k).
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
        candidate = _of(q, scale)
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
    low, high = (of(scaled.reshape(len(blocks), rows, -1), axis=1) for of in (np.min, np.max))
    scale, least = found.scale.copy(), np.full(found.scale.shape, np.inf)
    zero = np.zeros(scale.shape, np.int32)
    for ratio in _SHRINKS.astype(np.float32):
        steps, middle = found.scale * ratio, zero
        if not grid.signed:
            steps, middle = formats.affine(low * ratio, high * ratio, grid)
        made = _rounded(scaled, grid, group, steps, middle)
        change = (made.dequantize() / found.input_scale[:, None] - w).astype(np.float64)
        change = change.reshape(-1, rows, w.shape[1])
        error = np.sum(change * (blocks @ change), axis=1)
        better = error < least
        scale, zero = np.where(better, steps, scale), np.where(better, middle, zero)
        least = np.minimum(error, least)
    return _of(_rounded(scaled, grid, group, scale, zero), found.input_scale)


def _rounded(
    w: np.ndarray, grid: IntegerFormat, group: int | None, scale: np.ndarray, zero: np.ndarray
) -> Quantized:
    """w (k, n) on the codes of scales and zero points (parts, n)."""
    axis = 1 if group is None else 0
    return formats.quantize(w, grid, axis, group, scale=scale, zero_point=zero)


@typed
def gptq(
    w: np.ndarray,
    x: np.ndarray,
    format: str = "int4",
    group: int | None = None,
    damping: float | None = None,
    *,
    order: bool = False,
    static_groups: bool = False,
    grid: str = "max",
) -> Compressed:
    """Weights rounded input after input, the inputs that follow taking up the error each rounding
    makes in the outputs.

    Scales come from the weights as they stand when their group is reached.
    format : unsigned integers have zero points.  order : whether the inputs that are largest on x
    come first (the authors' act-order); groups are then of inputs in that order, unless
    `static_groups`, whose scales are those of the original weights in their given order.
    grid : "max", which covers every weight, or "mse", the narrower one with the smallest error of
    its weights.
    damping : added to the diagonal of x^T x, in its means; infinite is rounding to nearest; None
    takes the one of `DAMPINGS` that, fitted to the first half of x, serves the second best. The
    paper's 0.01 wants several times k rows: on 64 rows it leaves the layers of the small language
    model with 1.0 to 2.2 times the error of rounding, the choice with 0.68 to 1.0 times. Frantar et
    al., GPTQ, ICLR 2023 (arXiv:2210.17323), algorithm 1; order, static groups and the narrower grid
    are those of the authors' code.
    """
    w, x = checked(w, x, "gptq")
    if grid not in _GRIDS:
        raise ValueError(unknown("gptq grid", grid, _GRIDS))
    how = _How(
        _integers(format, "gptq"),
        group,
        truth("gptq order", order),
        truth("gptq static_groups", static_groups),
        grid,
    )
    with one_thread():  # many small products: woken threads cost more than they carry
        if damping is None:
            damping = chosen(x, w, lambda rows, each: _gptq(w, rows, how, each), DAMPINGS)
        return _gptq(w, x, how, damping)


class _How(NamedTuple):
    """How `gptq` rounds: codes, inputs that share a scale, their order and their grid."""

    grid: IntegerFormat
    group: int | None
    order: bool
    static: bool
    rule: str


def _gptq(w: np.ndarray, x: np.ndarray, how: _How, damping: float) -> Compressed:
    rows, grid = how.group or len(w), how.grid
    _quantized(w, grid, how.group)  # refuses groups that do not divide
    order = np.arange(len(w))
    if how.order:
        order = np.argsort(-np.square(x.astype(np.float64)).sum(axis=0), kind="stable")
    of = (order if how.static else np.arange(len(w))) // rows
    factor = inverse_factor(x[:, order], damping, "gptq")
    left = w[order].astype(np.float64)
    scale = np.ones((len(w) // rows, w.shape[1]), np.float32)
    zero = np.zeros(scale.shape, np.int32)
    if how.static:
        for part in range(len(scale)):
            scale[part], zero[part] = _GRIDS[how.rule](w[part * rows : (part + 1) * rows], grid)
    codes = np.empty(w.shape, np.int32)

    def rounded(i: int) -> np.ndarray:
        part = of[i]
        if i % rows == 0 and not how.static:
            scale[part], zero[part] = _GRIDS[how.rule](left[i : i + rows], grid)
        steps = np.rint(left[i].astype(np.float32) / scale[part]) + zero[part]
        codes[i] = np.clip(steps, grid.lowest, grid.highest) - zero[part]
        return codes[i].astype(np.float32) * scale[part]

    out = made_up(left, factor, how.group or 1, rounded)
    index, w_back, codes_back = np.empty_like(of), np.empty_like(w), np.empty_like(codes)
    index[order], w_back[order], codes_back[order] = of, out.astype(np.float32), codes
    ones = np.ones(len(w), np.float32)
    return Compressed(w_back, ones, scale, codes=codes_back, index=index, bits=grid.width)


def _widest(w: np.ndarray, grid: IntegerFormat) -> tuple[np.ndarray, np.ndarray]:
    """Scale float32 (n,) and zero point int32 (n,) that cover every weight of a group (rows, n)."""
    if grid.signed:
        return formats.symmetric(np.abs(w).max(axis=0), grid), np.zeros(w.shape[1], np.int32)
    return formats.affine(w.min(axis=0), w.max(axis=0), grid)


def _narrowed(w: np.ndarray, grid: IntegerFormat) -> tuple[np.ndarray, np.ndarray]:
    """As `_widest`, over the share of the range whose rounding and clipping lose least, by the
    power 2.4 of errors.
    """
    best, least = _widest(w, grid), np.full(w.shape[1], np.inf)
    for share in _NARROWER:
        scale, zero = _widest(w * share, grid)
        steps = np.clip(np.rint(w / scale) + zero, grid.lowest, grid.highest) - zero
        loss = np.sum(np.abs(steps * scale - w) ** _POWER, axis=0)
        best = np.where(loss < least, scale, best[0]), np.where(loss < least, zero, best[1])
        least = np.minimum(loss, least)
    return best


_GRIDS = {"max": _widest, "mse": _narrowed}
_NARROWER = 1 - np.arange(41) / 50
_POWER = 2.4
"""Of an error, by which the authors' code chooses a grid."""
