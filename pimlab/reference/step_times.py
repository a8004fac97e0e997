"""Step tables in plain NumPy: what `pimlab.kernels.step_times` must equal."""

from __future__ import annotations

import numpy as np


def _place(grid, x):
    """(interval of `grid`, share of the way through it)."""
    if grid.size == 1:
        return 0, 0.0
    i = int(np.clip(np.searchsorted(grid, x, side="right") - 1, 0, grid.size - 2))
    return i, (x - grid[i]) / (grid[i + 1] - grid[i])


def along(grid, table, x, out):
    """As `pimlab.kernels.step_times.along`. grid : float64, shape (points,);  x, out : float64,
    shape (n,).
    """
    i, share = _place(grid, x)
    ends = table[[i, min(i + 1, grid.size - 1)]]
    out[:] = ends[0] + share * (ends[1] - ends[0])


def across(rows, columns, table, x, y, out):
    """As `pimlab.kernels.step_times.across`: along the columns of two rows, then between them."""
    i, share = _place(rows, x)
    upper, lower = np.empty(out.size), np.empty(out.size)
    along(columns, table[i], y, upper)
    along(columns, table[min(i + 1, rows.size - 1)], y, lower)
    out[:] = upper + share * (lower - upper)
