"""What does a compressed layer hold, and how far are its outputs from the original's?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack

from pimlab.arguments import typed

BLOCK = 128
"""Inputs between two updates of all that follow, and between two choices of what to prune."""


@dataclass(frozen=True)
class Compressed:
    """Weights after compression: y = (x / input_scale) @ w.

    w : float32, shape (k, n), on the format's grid or with zeros.
    input_scale : float32, shape (k,), what each input is divided by (by the layer before); ones
    where the method has none.
    scale : float32 scales of quantised weights, as `formats.quantize` stores them; None where
    nothing is quantised.
    mask : bool, shape (k, n), True where a weight is kept; None where nothing is pruned.
    codes : integers, shape (k, n), less their zero points, of `bits` bits; index : int, shape
    (k,), which scale, shape (parts, n), an input has: w = codes scale[index]. None where nothing
    is quantised.
    """

    w: np.ndarray
    input_scale: np.ndarray
    scale: np.ndarray | None = None
    mask: np.ndarray | None = None
    codes: np.ndarray | None = None
    index: np.ndarray | None = None
    bits: int | None = None

    @property
    def effective(self) -> np.ndarray:
        """float32, shape (k, n) weights for unscaled inputs: x @ effective."""
        return self.w / self.input_scale[:, None]

    @property
    def sparsity(self) -> float:
        """Share of weights that are pruned (unit 1)."""
        return 0.0 if self.mask is None else 1.0 - float(np.mean(self.mask))


def checked(w: np.ndarray, x: np.ndarray | None, what: str) -> tuple[np.ndarray, np.ndarray]:
    """w float32, shape (k, n) and x float32, shape (rows, k), finite and joined; ValueError naming
    `what` otherwise.
    """
    w = np.ascontiguousarray(w, dtype=np.float32)
    if w.ndim != 2 or 0 in w.shape or not np.isfinite(w).all():
        raise ValueError(
            f"{what}: weights have shape {w.shape}, allowed (k, n) with finite values, k, n >= 1"
        )
    if x is None:
        return w, np.empty((0, w.shape[0]), np.float32)
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim != 2 or x.shape[1] != w.shape[0] or x.shape[0] == 0 or not np.isfinite(x).all():
        raise ValueError(
            f"{what}: calibration inputs have shape {x.shape}, allowed (rows, {w.shape[0]}) with "
            "finite values in x, rows >= 1"
        )
    return w, x


@typed
def output_error(x: np.ndarray, w: np.ndarray, compressed: Compressed) -> float:
    """Mean square of the change of outputs over the mean square of x @ w (0 = none). x,
    shape (rows, k), w (k, n).
    """
    w, x = checked(w, x, "output_error")
    truth = np.asarray(x, np.float64) @ np.asarray(w, np.float64)
    change = np.asarray(x, np.float64) @ compressed.effective.astype(np.float64) - truth
    return float(np.mean(change**2) / np.mean(truth**2))


def chosen(
    x: np.ndarray,
    w: np.ndarray,
    make: Callable[[np.ndarray, Any], Compressed],
    candidates: Sequence[Any],
) -> Any:
    """The candidate that changes outputs least on rows its compression has not seen: one half of x
    fits, the other judges.

    make : (rows of x, candidate) -> Compressed. The halves are the first and the last rows, because
    neighbouring rows (places of one image, tokens of one text) are alike. Of equals the later
    candidate; with a single row the last one.
    """
    fit, judge = x[: len(x) // 2], x[len(x) // 2 :]
    if len(fit) == 0:
        return candidates[-1]
    errors = [_change(judge, w, make(fit, each)) for each in candidates]
    return candidates[len(errors) - 1 - int(np.argmin(errors[::-1]))]


def _change(x: np.ndarray, w: np.ndarray, compressed: Compressed) -> float:
    return float(
        np.sum((x.astype(np.float64) @ (compressed.effective.astype(np.float64) - w)) ** 2)
    )


DAMPINGS = (0.01, 0.1, 1.0, 10.0, np.inf)
"""What `gptq` and `sparse_gpt` choose from: the value of their papers, to no correlation at all."""


def inverse_factor(x: np.ndarray, damping: float, what: str) -> np.ndarray:
    """Upper Cholesky factor float64, shape (k, k) of the inverse of H = x^T x + damping mean(diag)
    I; of I for infinite damping.

    Row i of it holds how the weights after i make up for an error in weight i, the weights before i
    being fixed (Frantar et al., GPTQ, arXiv:2210.17323, section 3).
    """
    if isinstance(damping, bool) or not damping > 0:
        raise ValueError(
            f"{what} damping={damping!r} is not a positive number (infinite: no correlation; None: "
            "chosen on x)"
        )
    if damping == np.inf:
        return np.eye(x.shape[1])
    h = x.astype(np.float64).T @ x.astype(np.float64)
    diagonal = np.diag(h).copy()
    load = damping * diagonal.mean() if diagonal.any() else 1.0
    h[np.diag_indices_from(h)] += load
    # H = R R^T with R upper (Cholesky from the last row up), so H^-1 = (R^-1)^T R^-1 without an
    # inverse in between.
    return lapack.dtrtri(np.linalg.cholesky(h[::-1, ::-1])[::-1, ::-1], lower=0)[0]


def made_up(
    left: np.ndarray, factor: np.ndarray, unit: int, settle: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Weights float64, shape (k, n) settled input after input, the inputs that follow taking up
    each error; `left` is used up.

    settle : i -> what row i of `left` becomes. It may read the rows of its `unit` of inputs; rows
    of later blocks (whole units, 128 inputs or more) learn of the errors of a block when it is
    done, in one product.
    """
    out, block = np.empty_like(left), unit * max(1, BLOCK // unit)
    for first in range(0, len(left), block):
        last = min(first + block, len(left))
        errors = np.empty((last - first, left.shape[1]))
        for i in range(first, last):
            out[i] = settle(i)
            errors[i - first] = (left[i] - out[i]) / factor[i, i]
            # at once within the block; later blocks learn of it in one product, which is where the
            # time goes
            left[i + 1 : last] -= factor[i, i + 1 : last, None] * errors[i - first]
        left[last:] -= factor[first:last, last:].T @ errors
    return out
