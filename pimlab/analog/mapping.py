"""How do weights become conductances? One differential pair a weight, scaled by layer, tile or column."""

from __future__ import annotations

import numpy as np

from pimlab.analog.devices import Device


def tiles(k: int, rows: int) -> list[slice]:
    """Word-line ranges of the arrays that hold k inputs, in the order in which their partial sums are added."""
    return [slice(first, min(first + rows, k)) for first in range(0, k, rows)]


def weight_scale(w: np.ndarray, scaling: str, rows: int) -> np.ndarray:
    """Weight that full conductance stands for, float64 (k, n)-broadcastable, > 0.

    scaling : "layer", one for all; "column", one an output; "tile", one an array of `rows` word lines.
    """
    magnitude = np.abs(w.astype(np.float64))
    if scaling == "layer":
        scale = np.full((1, w.shape[1]), magnitude.max())
    elif scaling == "column":
        scale = magnitude.max(axis=0, keepdims=True)
    else:
        scale = np.empty((w.shape[0], w.shape[1]))
        for part in tiles(w.shape[0], rows):
            scale[part] = magnitude[part].max()
    return np.where(scale > 0, scale, 1.0)


def differential(relative: np.ndarray, cell: Device) -> tuple[np.ndarray, np.ndarray]:
    """Targets of the positive and negative cells, S: g_min plus the share of the range that |relative| <= 1 asks for."""
    span = cell.g_max - cell.g_min
    return cell.g_min + span * np.maximum(relative, 0.0), cell.g_min + span * np.maximum(-relative, 0.0)
