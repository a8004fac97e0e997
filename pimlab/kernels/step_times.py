"""What does a step of a language model cost that mixes prompts with decoding? Three tables, looked
up and interpolated.

What is no attention depends on the new tokens alone (`rest`); attention of decoding sequences on
their number and mean context (`decode`), that of a part of a prompt on its tokens and the context
behind them (`prompt`). A step costs the rest of all its tokens and the attention of each part.
Between points tables are linear, and beyond their ends they go on as they ended.
"""

from __future__ import annotations

from pimlab.kernels.jit import lean

COLUMNS = 5
"""Seconds; joules without static power, their low and high ends, and what of them rests on assumed
prices.
"""


@lean
def _place(grid, x):
    """(index of the interval of `grid` that holds x, share of the way through it); the first or
    last interval where x lies outside.
    """
    low, high = 0, grid.size - 1
    if high == 0:
        return 0, 0.0
    while high - low > 1:
        middle = (low + high) // 2
        if grid[middle] <= x:
            low = middle
        else:
            high = middle
    return low, (x - grid[low]) / (grid[low + 1] - grid[low])


@lean
def along(grid, table, x, out):
    """Write to `out` what `table` says at x.

    grid : float64, shape (n,), rising.  table : float64, shape (n, COLUMNS).
    out : float64, shape (COLUMNS,).
    """
    i, share = _place(grid, x)
    j = min(i + 1, grid.size - 1)
    for c in range(COLUMNS):
        out[c] = table[i, c] + share * (table[j, c] - table[i, c])


@lean
def across(rows, columns, table, x, y, out):
    """Write to `out` what `table` says at (x, y).

    rows : float64, shape (n,), columns : float64, shape (m,), rising.
    table : float64, shape (n, m, COLUMNS).
    out : float64, shape (COLUMNS,).
    """
    i, down = _place(rows, x)
    j, right = _place(columns, y)
    below, beside = min(i + 1, rows.size - 1), min(j + 1, columns.size - 1)
    for c in range(COLUMNS):
        upper = table[i, j, c] + right * (table[i, beside, c] - table[i, j, c])
        lower = table[below, j, c] + right * (table[below, beside, c] - table[below, j, c])
        out[c] = upper + down * (lower - upper)
