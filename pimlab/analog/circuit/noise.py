"""How far do independent spreads of the cells move the currents of a crossbar with wires?
First-order sensitivity.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pimlab.analog.circuit.elimination import one_blas_thread
from pimlab.analog.circuit.nodes import gated_nodes, solve_nodes
from pimlab.analog.circuit.wires import Wires, cell_lines, grid, inputs
from pimlab.arguments import typed


@typed
def read_variance(
    g: np.ndarray,
    sigma: np.ndarray,
    v: np.ndarray,
    wires: Wires,
    g_negative: np.ndarray | None = None,
    sigma_negative: np.ndarray | None = None,
) -> np.ndarray:
    """Variance of each sense current when every cell's conductance has its own independent spread,
    to first order.

    g, sigma (and the pair's) : float64, shape (M, N), S;  v : float64, shape (M,) or (batch, M), as
    in `wire_currents`
    Returns float64, shape (N,) or (batch, N), A^2: sum over cells of (dI_j/dg)^2 sigma^2, where
    dI_j/dg is the product of the voltages across the cell in the read and in the adjoint circuit (1
    V at sense j, drivers at 0; Director and Rohrer 1969). Costs M times a read; `variance_matrix`
    is the form for many reads.

    The error is second order in the spread: against 4000 full solves of 16 x 12 arrays whose wires
    take away 5..8 % of the current, sigma 4 uS in 20..100 uS, the mean ratio of standard deviations
    is within 1 % (tests/analog/circuit/test_noise.py).
    """
    lines = cell_lines(wires, g, g_negative)
    spread = _spread(wires, lines, sigma, sigma_negative)
    v, single = inputs(wires, v, lines.shape[1])
    drop = solve_nodes(wires, lines, v).drop
    if wires.linear:
        out = np.zeros((v.shape[0], lines.shape[2]))
        for i, adjoint in _adjoint(wires, lines):
            out += np.einsum(
                "tpk,pjk->tj", (drop[:, :, i] * spread[:, i]) ** 2, adjoint**2, optimize=True
            )
    else:
        other = gated_nodes(wires, lines, v, -np.ones(wires.signs.size)).drop
        out = np.einsum("tpij,ti->tj", (drop * other * spread) ** 2, v)
    return out[0] if single else out


@typed
def variance_matrix(
    g: np.ndarray,
    sigma: np.ndarray,
    wires: Wires,
    typical: np.ndarray | None = None,
    g_negative: np.ndarray | None = None,
    sigma_negative: np.ndarray | None = None,
) -> np.ndarray:
    """float64, shape (M, N), S^2: `v**2 @ matrix` approximates `read_variance` for any number of
    reads (A and C).

    g, sigma (and the pair's) : float64, shape (M, N), S
    typical : float64, shape (M,), V, no zeros: inputs of a usual read, at which the matrix is
    exact; None: every input alone What one input's cells lose to the wires depends on all inputs;
    here that loss is taken from `typical` (right for inputs of one sign), or from the input's own
    current alone (right on average for inputs of both signs). Largest error of the variance at
    1..100 uS, 1 ohm a segment: for inputs 0..1 V with typical = 0.5 V, 2.1 % at 32 x 32 and
    5.7 % at 64 x 64; for inputs -1..1 V without typical, 1.3 % and 2.9 %.
    """
    if not wires.linear:
        raise ValueError(
            f"topology {wires.topology!r} has no variance matrix: each input pattern is its own "
            "circuit; use read_variance"
        )
    lines = cell_lines(wires, g, g_negative)
    spread = _spread(wires, lines, sigma, sigma_negative)
    share = _own_drop(wires, lines) if typical is None else _typical_drop(wires, lines, typical)
    out = np.zeros(lines.shape[1:])
    for i, adjoint in _adjoint(wires, lines):
        out[i] = np.einsum(
            "pk,pjk->j", (share[:, i] * spread[:, i]) ** 2, adjoint**2, optimize=True
        )
    return out


def _spread(
    wires: Wires, lines: np.ndarray, sigma: np.ndarray, sigma_negative: np.ndarray | None
) -> np.ndarray:
    spread = cell_lines(wires, sigma, sigma_negative, "sigma")
    if spread.shape != lines.shape:
        raise ValueError(
            f"sigma has shape {spread.shape[1:]}; allowed: the shape of g, {lines.shape[1:]}"
        )
    return spread


def _adjoint(wires: Wires, lines: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each row i with float64, shape (lines, N outputs, N cells): volts across its cells with 1 V
    at one sense, all drivers at 0.
    """
    crossing = grid(wires, lines)
    with one_blas_thread():
        for i, w, b in crossing.solve(
            np.zeros((crossing.columns, crossing.rows)), sense=np.eye(crossing.columns)
        ):
            yield (crossing.rows - 1 - i if wires.sense == "first" else i), w - b


def _typical_drop(wires: Wires, lines: np.ndarray, typical: np.ndarray) -> np.ndarray:
    try:
        v, _ = inputs(wires, typical, lines.shape[1])
    except ValueError as error:
        raise ValueError(f"typical: {error}") from None
    if v.shape[0] != 1 or not v.all():
        zeros = int((v == 0).sum())
        raise ValueError(
            f"typical has shape {np.shape(typical)} and {zeros} zeros; allowed: "
            f"({lines.shape[1]},) volts, none of them 0"
        )
    return solve_nodes(wires, lines, v).drop[0] / v[0][:, None]


def _own_drop(wires: Wires, lines: np.ndarray) -> np.ndarray:
    """float64, shape (lines, M, N): volts across each cell per volt of its own input, the others at
    0.
    """
    nodes = solve_nodes(wires, lines, np.eye(lines.shape[1])).drop
    return np.stack([nodes[i, :, i] for i in range(lines.shape[1])], axis=1)
