"""What currents flow in a crossbar with wire resistance? Every node and every segment, in one
sparse nodal solve.

Slow and plain: the specification of `pimlab.kernels.wires` and `pimlab.analog.circuit.wires`. A
zero resistance joins its two nodes into one. Branches are listed for all lines: p is the line of a
differential pair, i the input, j the output.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve

SIGNS = (1.0, -1.0)


def _ladder(terminal, nodes, r, r_first):
    """Branches of a line from `terminal` through `nodes`: arrays of (from, to, ohm)."""
    path = np.concatenate([[terminal], nodes])
    return path[:-1], path[1:], np.concatenate([[r_first], np.full(nodes.size - 1, r)])


def branches(g, r_in, r_out, rs_in, rs_out, topology):
    """(from, to, conductance S (inf for a joined pair), cells first), number of nodes, terminals
    (lines, .), senses (N,).

    g : float64, shape (lines, M, N), S.  Terminals are drivers (lines, M) for A and C, supplies
    (lines, N) for B and D.
    """
    lines, m, n = g.shape
    w = np.arange(lines * m * n).reshape(lines, m, n)
    b = w.size + np.arange(m * n).reshape(m, n)
    per_line = m if topology in "AC" else n
    terminals = w.size + b.size + np.arange(lines * per_line).reshape(lines, per_line)
    senses = w.size + b.size + terminals.size + np.arange(n)
    wires = [_ladder(senses[j], b[::-1, j], r_out, r_out + rs_out) for j in range(n)]
    for p in range(lines):
        along = w[p] if topology in "AC" else w[p].T
        wires += [_ladder(terminals[p, k], along[k], r_in, r_in + rs_in) for k in range(per_line)]
    start, stop, ohm = (np.concatenate(part) for part in zip(*wires, strict=True))
    siemens = np.full(ohm.size, np.inf)
    siemens[ohm > 0] = 1 / ohm[ohm > 0]
    cells = w.ravel(), np.broadcast_to(b, w.shape).ravel(), g.ravel()
    joined = tuple(np.concatenate(pair) for pair in zip(cells, (start, stop, siemens), strict=True))
    return joined, senses[-1] + 1, terminals, senses


def _reduced(joined, nodes, fixed):
    """Incidence (branches, nodes after joining), group of each node, and the groups whose voltage
    is given.
    """
    start, stop, siemens = joined
    short = np.isinf(siemens)
    links = csr_matrix((np.ones(short.sum()), (start[short], stop[short])), shape=(nodes, nodes))
    groups, group = connected_components(links, directed=False)
    row, keep = np.arange(start.size), ~short
    incidence = coo_matrix(
        (
            np.concatenate([np.ones(keep.sum()), -np.ones(keep.sum())]),
            (
                np.concatenate([row[keep], row[keep]]),
                np.concatenate([group[start[keep]], group[stop[keep]]]),
            ),
        ),
        shape=(start.size, groups),
    ).tocsr()
    known = np.zeros(groups, bool)
    known[group[fixed]] = True
    return incidence, group, known


def solve(g, drive, r_in, r_out, rs_in=0.0, rs_out=0.0, topology="A", a2=0.0, a3=0.0, sense=0.0):
    """(w (lines, M, N), b (M, N)) in volts, by Newton on the whole nodal matrix (one step where a2
    = a3 = 0).

    drive : float64, shape (lines, M) for A and C, (lines, N) for B and D: volts of the terminals;
    sense : volts, number or (N,)
    a2, a3 : like g: cell current g d + a2 d^2 + a3 d^3 in amperes at d volts from input to output
    line.
    """
    joined, nodes, terminals, senses = branches(g, r_in, r_out, rs_in, rs_out, topology)
    incidence, group, known = _reduced(joined, nodes, np.concatenate([terminals.ravel(), senses]))
    volts = np.zeros(known.size)
    volts[group[senses]] = sense
    volts[group[terminals.ravel()]] = np.asarray(drive, float).ravel()
    siemens = np.where(np.isinf(joined[2]), 0.0, joined[2])
    square, cube = np.zeros(siemens.size), np.zeros(siemens.size)
    square[: g.size], cube[: g.size] = (
        np.broadcast_to(a2, g.shape).ravel(),
        np.broadcast_to(a3, g.shape).ravel(),
    )
    free = incidence[:, ~known].tocsc()
    used = np.diff(free.tocsr().indptr) > 0
    for _ in range(60):
        drop = incidence @ volts
        current = siemens * drop + square * drop**2 + cube * drop**3
        slope = siemens + 2 * square * drop + 3 * cube * drop**2
        matrix = (free.T @ diags(slope) @ free).tocsc()
        step = np.atleast_1d(spsolve(matrix, -(free.T @ current))) if used.any() else np.zeros(0)
        volts[~known] += step
        if not (np.any(square) or np.any(cube)) or np.abs(step).max(initial=0) < 1e-15:
            break
    every = volts[group]
    return every[: g.size].reshape(g.shape), every[g.size : g.size + g[0].size].reshape(g.shape[1:])


def cell_currents(g, w, b, a2=0.0, a3=0.0):
    """float64, shape (lines, M, N), A, from the input to the output line."""
    drop = w - b
    return g * drop + a2 * drop**2 + a3 * drop**3


def currents(g, v, r_in, r_out, rs_in=0.0, rs_out=0.0, topology="A"):
    """Sense currents float64, shape (N,), A, of g float64, shape (lines, M, N) and one input v
    float64, shape (M,); B and D gate rows by v = 1.
    """
    sign = np.array(SIGNS[: g.shape[0]])[:, None]
    if topology in "BD":
        g = g * np.asarray(v, float)[:, None]
    drive = sign * v if topology in "AC" else sign * np.ones(g.shape[2])
    w, b = solve(g, drive, r_in, r_out, rs_in, rs_out, topology)
    return cell_currents(g, w, b).sum(axis=(0, 1))


def line_port(g, r, r_first):
    """(lower triangle of the admittance (N, N), injection (N,)) in siemens of one input line; see
    the kernel.
    """
    n = g.size
    ports = np.empty((n, n))
    for k in range(n):
        w, _ = _line(g, 0.0, np.eye(n)[k], np.zeros(n), r, r_first)
        ports[:, k] = g * (np.eye(n)[k] - w)
    w, _ = _line(g, 1.0, np.zeros(n), np.zeros(n), r, r_first)
    return np.tril(ports), g * w


def _line(g, v, b, source, r, r_first):
    """Node voltages of one line as a dense nodal solve; `r_first` or `r` of zero joins nodes."""
    n = g.size
    group = np.arange(n) + 1 if r > 0 else np.ones(n, int)
    group = group - 1 if r_first == 0 else group
    count = group.max() + 1
    matrix, right = np.zeros((count, count)), np.zeros(count)
    np.add.at(matrix, (group, group), g)
    np.add.at(right, group, g * b - source)
    for first, second, ohm in [(0, group[0], r_first)] + [
        (group[j], group[j + 1], r) for j in range(n - 1)
    ]:
        if first != second:
            matrix[np.ix_([first, second], [first, second])] += np.array([[1, -1], [-1, 1]]) / ohm
    volts = np.full(count, float(v))
    if count > 1:
        volts[1:] = np.linalg.solve(matrix[1:, 1:], right[1:] - matrix[1:, 0] * v)
    return volts[group], matrix


def line_voltages(g, v, b, source, r, r_first):
    """float64, shape (batch, N), V; see the kernel."""
    return np.array([_line(g, v[t], b[t], source[t], r, r_first)[0] for t in range(v.size)])


def gated_single(g, active, r_in, r_first, r_out, r_last):
    """float64, shape (patterns, N), A; see the kernel."""
    return np.array(
        [currents(g[None], row, r_in, r_out, r_first - r_in, r_last - r_out, "B") for row in active]
    )


def gated_pair(g, active, r_in, r_first, r_out, r_last):
    """float64, shape (patterns, N), A; see the kernel."""
    return np.array(
        [currents(g, row, r_in, r_out, r_first - r_in, r_last - r_out, "D") for row in active]
    )


def gated_near(g, active, r_in, r_first, r_out, r_last):
    """float64, shape (patterns, N), A; see the kernel."""
    supply, ohms = np.array([1.0, -1.0])[: len(g)], (r_in, r_first, r_out, r_last)
    near = [
        gated_near_voltages(g * row[:, None], np.zeros(g.shape), supply, *ohms)[1][0]
        for row in active
    ]
    return np.array(near) / r_last


def gated_near_voltages(g, source, supply, r_in, r_first, r_out, r_last):
    """As `gated_voltages` with the sense at row 0: w float64, shape (lines, M, N) [V], and b
    float64, shape (M, N) [V].
    """
    return _columns(g, source, supply, (r_in, r_first, r_out, r_last), 0)


def gated_voltages(g, source, supply, r_in, r_first, r_out, r_last):
    """Node voltages, columns solved one by one as dense nodal matrices: w float64,
    shape (lines, M, N) [V], and b float64, shape (M, N) [V]; see the kernel.
    """
    return _columns(g, source, supply, (r_in, r_first, r_out, r_last), g.shape[1] - 1)


def _columns(g, source, supply, ohms, sense):
    lines, m, n = g.shape
    w, b = np.empty(g.shape), np.empty((m, n))
    for j in range(n):
        volts = _column(g[:, :, j], source[:, :, j], supply, ohms, sense)
        w[:, :, j], b[:, j] = volts[: lines * m].reshape(lines, m), volts[lines * m :]
    return w, b


def _column(g, source, supply, ohms, sense):
    """Voltages of the lines' nodes then the output's, of one column sensed at row `sense`; positive
    resistances only.
    """
    lines, m = g.shape
    r_in, r_first, r_out, r_last = ohms
    matrix, right = np.zeros(((lines + 1) * m,) * 2), np.zeros((lines + 1) * m)

    def join(first, second, siemens):
        matrix[np.ix_([first, second], [first, second])] += siemens * np.array([[1, -1], [-1, 1]])

    for p in range(lines):
        matrix[p * m, p * m] += 1 / r_first
        right[p * m] += supply[p] / r_first
        for i in range(m):
            join(p * m + i, lines * m + i, g[p, i])
            right[p * m + i] -= source[p, i]
            right[lines * m + i] += source[p, i]
            if i:
                join(p * m + i - 1, p * m + i, 1 / r_in)
    for i in range(1, m):
        join(lines * m + i - 1, lines * m + i, 1 / r_out)
    matrix[lines * m + sense, lines * m + sense] += 1 / r_last
    return np.linalg.solve(matrix, right)


def leaf_blocks(g, along, across):
    """What `kernels.wires.leaf_blocks` writes, by one dense Schur complement a block: float64,
    shape (blocks, terminals, terminals), S.
    """
    return np.array([_leaf(*block) for block in zip(g, along, across, strict=True)])


def _leaf(g, along, across):
    lines, rows, n = g.shape
    w = np.arange(g.size).reshape(rows, lines, n)
    b = w.size + np.arange(rows * n).reshape(rows, n)
    left = b[-1, -1] + 1 + np.arange(rows * lines).reshape(rows, lines)
    bottom = left[-1, -1] + 1 + np.arange(n)
    pairs = [
        (w, np.concatenate([left[:, :, None], w[:, :, :-1]], axis=2), along.transpose(1, 0, 2)),
        (w, np.broadcast_to(b[:, None], w.shape), g.transpose(1, 0, 2)),
        (b, np.concatenate([b[1:], bottom[None]]), across),
    ]
    y = np.zeros((bottom[-1] + 1, bottom[-1] + 1))
    for start, stop, siemens in pairs:
        for one, other, value in zip(start.ravel(), stop.ravel(), siemens.ravel(), strict=True):
            y[one, other] += value
            y[other, one] += value
    ends = np.concatenate([left.ravel(), w[:, :, -1].ravel(), b[0], bottom])
    inner = np.setdiff1d(np.arange(len(y)), ends)
    nodal = np.diag(y.sum(axis=1)) - y
    seen = y[np.ix_(ends, ends)] + y[np.ix_(ends, inner)] @ np.linalg.solve(
        nodal[np.ix_(inner, inner)], y[np.ix_(inner, ends)]
    )
    return seen - np.diag(np.diag(seen))
