"""Where does the power of a read go, and does it balance? From the solved node voltages."""

from __future__ import annotations

import numpy as np

from pimlab.analog.circuit.elimination import one_blas_thread
from pimlab.analog.circuit.nodes import solve_nodes
from pimlab.analog.circuit.wires import Wires, cell_lines, grid, inputs
from pimlab.arguments import typed

PARTS = ("cells", "input lines", "output lines", "drivers", "sense")


@typed
def dissipation(
    g: np.ndarray, v: np.ndarray, wires: Wires, g_negative: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Where the power of a read goes: watts by part, from the solved node voltages.

    g, g_negative : float64, shape (M, N), S;  v : float64, shape (M,) or (batch, M), V for A and C,
    0 or 1 for B and D (supply 1 V)
    Returns float64, shape (batch,) W for "cells", "input lines" (segments of input or supply
    lines), "output lines", "drivers" (rs_in), "sense" (rs_out) and "sources". What the sources
    deliver is the sum of the parts (to 1e-9; a test holds it), since voltages come from the
    elimination and currents from Ohm's law at the cells. Multiply by the read time for joules; a
    supply of V volts multiplies B and D by V^2. For many reads of A and C `power_matrices` is the
    cheaper form: this one holds every node voltage of the batch.
    """
    lines = cell_lines(wires, g, g_negative)
    v, _ = inputs(wires, v, lines.shape[1])
    drop = solve_nodes(wires, lines, v).drop
    cells = lines * drop if wires.linear else lines * drop * v[:, None, :, None]
    along, entering = _collected(cells, 3 if wires.linear else 2, 0)
    down, sensed = _collected(cells.sum(axis=1), 1, 0 if wires.sense == "first" else -1)
    volts = (
        v[:, None] * wires.signs[:, None]
        if wires.linear
        else np.ones_like(entering) * wires.signs[:, None]
    )
    return {
        "cells": _joules_a_second(cells, drop),
        "input lines": wires.r_in * _joules_a_second(along, along),
        "output lines": wires.r_out * _joules_a_second(down, down),
        "drivers": wires.rs_in * _joules_a_second(entering, entering),
        "sense": wires.rs_out * _joules_a_second(sensed, sensed),
        "sources": _joules_a_second(volts, entering),
    }


@typed
def power_matrices(
    g: np.ndarray, wires: Wires, g_negative: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """float64, shape (M, M), S, by part: `dissipation` of any input of A and C is the quadratic
    form v @ matrix @ v.

    g, g_negative : float64, shape (M, N), S.  Parts as in `dissipation`; "sources" is their sum.
    The mean power of a data set needs only the mean of the outer products of its inputs: (matrix *
    mean(v v')).sum().
    """
    if not wires.linear:
        raise ValueError(
            f"topology {wires.topology!r} has no power matrices: each input pattern is its own "
            "circuit; use dissipation"
        )
    lines = cell_lines(wires, g, g_negative)
    crossing, out = (
        grid(wires, lines),
        dict.fromkeys(PARTS, np.zeros((lines.shape[1], lines.shape[1]))),
    )
    with one_blas_thread():
        down = crossing.conductance()
        out["sense"] = wires.rs_out * down @ down.T
        for i, w, b in crossing.solve(np.eye(crossing.rows)):
            cells = crossing.g[:, i, None] * (w - b)
            along, entering = _collected(cells, 2, 0)
            out["cells"] = out["cells"] + _products(cells, w - b)
            out["input lines"] = out["input lines"] + wires.r_in * _products(along, along)
            out["drivers"] = out["drivers"] + wires.rs_in * _products(
                entering[..., None], entering[..., None]
            )
            out["output lines"] = out["output lines"] + wires.r_out * down @ down.T
            down = down - cells.sum(axis=0)
    order = slice(None, None, -1 if wires.sense == "first" else None)
    parts = {name: matrix[order, order] for name, matrix in out.items()}
    return {**parts, "sources": np.sum(list(parts.values()), axis=0)}


def _products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64, shape (M, M): sum over lines of first @ second.T, each (lines, M, N)."""
    return (first @ second.transpose(0, 2, 1)).sum(axis=0)


def _collected(cells: np.ndarray, axis: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Current of every segment of lines that collect `cells` along `axis` towards index `end` (0 or
    -1), and at that end.
    """
    flows = (
        np.cumsum(cells, axis)
        if end == -1
        else np.flip(np.cumsum(np.flip(cells, axis), axis), axis)
    )
    return flows, np.take(flows, end, axis)


def _joules_a_second(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64, shape (batch,): sum of the products over all axes but the first."""
    return np.einsum(
        "ti,ti->t", first.reshape(first.shape[0], -1), second.reshape(first.shape[0], -1)
    )
