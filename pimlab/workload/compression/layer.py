"""What does a compressed layer hold, and how far are its outputs from the original's?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Compressed:
    """Weights after compression: y = (x / input_scale) @ w.

    w : float32 (k, n), on the format's grid or with zeros.
    input_scale : float32 (k,), what each input is divided by (by the layer before); ones where the method has none.
    scale : float32 scales of quantised weights, as `formats.quantize` stores them; None where nothing is quantised.
    mask : bool (k, n), True where a weight is kept; None where nothing is pruned.
    """

    w: np.ndarray
    input_scale: np.ndarray
    scale: np.ndarray | None = None
    mask: np.ndarray | None = None

    @property
    def effective(self) -> np.ndarray:
        """float32 (k, n) weights for unscaled inputs: x @ effective."""
        return self.w / self.input_scale[:, None]

    @property
    def sparsity(self) -> float:
        """Share of weights that are pruned."""
        return 0.0 if self.mask is None else 1.0 - float(np.mean(self.mask))


def checked(w: np.ndarray, x: np.ndarray | None, what: str) -> tuple[np.ndarray, np.ndarray]:
    """w float32 (k, n) and x float32 (rows, k), finite and joined; ValueError naming `what` otherwise."""
    w = np.ascontiguousarray(w, dtype=np.float32)
    if w.ndim != 2 or 0 in w.shape or not np.isfinite(w).all():
        raise ValueError(f"{what}: weights have shape {w.shape}, allowed (k, n) with finite values, k, n >= 1")
    if x is None:
        return w, np.empty((0, w.shape[0]), np.float32)
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim != 2 or x.shape[1] != w.shape[0] or x.shape[0] == 0 or not np.isfinite(x).all():
        raise ValueError(f"{what}: calibration inputs have shape {x.shape}, allowed (rows, {w.shape[0]}) with finite values, rows >= 1")
    return w, x


def output_error(x: np.ndarray, w: np.ndarray, compressed: Compressed) -> float:
    """Mean square of the change of outputs over the mean square of x @ w (0 = none). x (rows, k), w (k, n)."""
    truth = np.asarray(x, np.float64) @ np.asarray(w, np.float64)
    change = np.asarray(x, np.float64) @ compressed.effective.astype(np.float64) - truth
    return float(np.mean(change**2) / np.mean(truth**2))


def inverse_factor(x: np.ndarray, damping: float, what: str) -> np.ndarray:
    """Upper Cholesky factor float64 (k, k) of the inverse of H = x^T x + damping mean(diag) I.

    Row i of it holds how the weights after i make up for an error in weight i, the weights before i being fixed
    (Frantar et al., GPTQ, arXiv:2210.17323, section 3).
    """
    if not 0 < damping < np.inf:
        raise ValueError(f"{what} damping={damping!r} is not a positive finite number")
    h = x.astype(np.float64).T @ x.astype(np.float64)
    diagonal = np.diag(h).copy()
    load = damping * diagonal.mean() if diagonal.any() else 1.0
    h[np.diag_indices_from(h)] += load
    inverse = np.linalg.inv(h)
    return np.linalg.cholesky((inverse + inverse.T) / 2).T
