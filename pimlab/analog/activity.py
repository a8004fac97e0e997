"""How much charge do bit lines lose in a read? Full inputs times full cells, by actual values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimlab.analog.design import ArrayDesign
from pimlab.analog.mapping import tiles
from pimlab.analog.written import WrittenCells


def activity(
    design: ArrayDesign, written: WrittenCells, steps: list[np.ndarray]
) -> Mapping[str, float]:
    """Amounts that a macro may price beside cells that conduct; {} where it prices neither.

    "discharge": |input| times what a cell holds, both relative to full scale, summed over cells,
    rows and steps (unit: cells at full input); "active read": reads of an array in which any input
    is not 0 (unit: reads).
    steps : inputs of each step relative to full drive, float32, shape (batch, k). A macro whose
    bit lines are charged again before each read pays for what they lost.
    """
    priced = dict(design.costs.constants)
    found = {}
    if "discharge" in priced:
        held = _held(design, written)
        found["discharge"] = float(sum((np.abs(step) @ held).sum() for step in steps))
    if "active read" in priced:
        across = -(-written.n * design.columns_a_weight // design.cols)
        parts = tiles(written.k, design.rows)
        found["active read"] = float(
            across * sum(step[:, part].any(axis=1).sum() for step in steps for part in parts)
        )
    return found


def _held(design: ArrayDesign, written: WrittenCells) -> np.ndarray:
    """What the cells on each input hold together, relative to a full cell, float64, shape (k,)."""
    cell = design.pair_cell
    held = np.zeros(written.k)
    for signed in written.polarities(0):
        for _, cells in signed:
            relative = (cells.programmed - cell.g_min) / (cell.g_max - cell.g_min)
            held += relative.sum(axis=(0, 2), dtype=np.float64)
    return held
