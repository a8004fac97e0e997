"""Which voltage does every node of a crossbar with wire resistance take? In all four topologies of
`pimlab.analog.circuit.wires`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pimlab.analog.circuit.elimination import one_blas_thread
from pimlab.analog.circuit.wires import Wires, cell_lines, finite, grid, inputs
from pimlab.arguments import typed
from pimlab.kernels import wires as kernels


class Nodes(NamedTuple):
    """Node voltages of a batch: w float64, shape (batch, lines, M, N) beside the input or supply, b
    float64, shape (batch, M, N); V.
    """

    w: np.ndarray
    b: np.ndarray

    @property
    def drop(self) -> np.ndarray:
        """float64, shape (batch, lines, M, N), V across each cell."""
        return self.w - self.b[:, None]


@typed
def node_voltages(
    g: np.ndarray, v: np.ndarray, wires: Wires, g_negative: np.ndarray | None = None
) -> Nodes:
    """Every node voltage of the circuit for inputs v (M,) or (batch, M).

    g, g_negative : float64, shape (M, N), S;  v : V for A and C, 0 or 1 for B and D (supply 1 V)
    Returns `Nodes`. In B and D the nodes beside an open cell belong to their lines.
    """
    lines = cell_lines(wires, g, g_negative)
    return solve_nodes(wires, lines, inputs(wires, v, lines.shape[1])[0])


def gated_nodes(
    wires: Wires,
    lines: np.ndarray,
    v: np.ndarray,
    supply: np.ndarray,
    source: np.ndarray | None = None,
) -> Nodes:
    """Node voltages [V] of the supply-line circuits (B and D) at inputs v, shape (batch, M), of 0
    or 1.

    lines : float64, shape (lines, M, N) [S];  supply : float64, shape (lines,) [V];  source :
    float64, shape (lines, M, N) [A], beside the cells.
    """
    nodes = Nodes(np.empty((v.shape[0], *lines.shape)), np.empty((v.shape[0], *lines.shape[1:])))
    beside = np.zeros_like(lines) if source is None else source
    voltages = kernels.gated_near_voltages if wires.sense == "first" else kernels.gated_voltages
    for t, row in enumerate(v):
        voltages(
            lines * row[:, None], beside * row[:, None], supply, *wires.ohms, nodes.w[t], nodes.b[t]
        )
    return nodes


def _crossing_nodes(
    wires: Wires, lines: np.ndarray, v: np.ndarray, source: np.ndarray | None = None
) -> Nodes:
    order = slice(None, None, -1 if wires.sense == "first" else None)
    nodes = Nodes(np.empty((v.shape[0], *lines.shape)), np.empty((v.shape[0], *lines.shape[1:])))
    with one_blas_thread():
        for i, w, b in grid(wires, lines).solve(
            np.ascontiguousarray(v[:, order]), None if source is None else source[:, order]
        ):
            nodes.w[:, :, order][:, :, i], nodes.b[:, order][:, i] = w.transpose(1, 0, 2), b
    return nodes


def solve_nodes(
    wires: Wires, lines: np.ndarray, v: np.ndarray, source: np.ndarray | None = None
) -> Nodes:
    """Node voltages [V] of any topology at inputs v, shape (batch, M).

    lines : float64, shape (lines, M, N) [S];  source : float64, shape (lines, M, N) [A], beside the
    cells.
    """
    nodes = (
        _crossing_nodes(wires, lines, v, source)
        if wires.linear
        else gated_nodes(wires, lines, v, wires.signs, source)
    )
    finite(wires, lines, nodes.b)
    return nodes
