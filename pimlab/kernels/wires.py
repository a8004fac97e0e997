"""What do cells and wire resistance make of one line, or of one gated column, of a crossbar?

Every recursion here joins resistances and conductances by sums, products and quotients of
non-negative numbers (series z + r, shunt z / (1 + z g)), so that a resistance of exactly zero needs
no special case, nothing divides by zero, and no digits cancel. The circuits are drawn in
`pimlab.analog.circuit.wires`.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from pimlab.kernels.jit import inline, kernel, parallel


@kernel
def line_port(g, r, r_first, admittance, injection):
    """One input line as its output lines see it: admittance is added to, injection is replaced.

    g : float64, shape (N,), S, cells of the line;  r, r_first : ohm, between cells and from the
    driver to the first cell
    admittance : float64, shape (N, N), S, Fortran order; only the lower triangle is touched
    injection : float64, shape (N,), S: current into each grounded output line per volt of the
    driver

    Y = D - D inv(T) D with D = diag(g) and T the line's nodal matrix (tridiagonal, hence inv(T) is
    a ladder's product of voltage ratios). The diagonal is the sum of the row's couplings and its
    injection, which keeps rows exact where Y nearly cancels (Grassmann, Taksar, Heyman, Oper. Res.
    33, 1985, for M-matrices).
    """
    n = g.size
    ratio = np.empty(n)
    right = np.empty(n)
    right[n - 1] = g[n - 1]
    # right[j]: conductance of all cells from j on, seen from the line at j
    for j in range(n - 2, -1, -1):
        right[j] = g[j] + right[j + 1] / (1.0 + r * right[j + 1])
        ratio[j + 1] = 1.0 / (1.0 + r * right[j + 1])
    ratio[0] = 1.0 / (1.0 + r_first * right[0])
    h = 1.0
    for j in range(n):
        h *= ratio[j]
        injection[j] = g[j] * h
        admittance[j, j] += injection[j]
    # z: resistance of all that lies towards the driver, cells of earlier columns included
    z = r_first
    for j in range(n):
        coupling = g[j] * z / (1.0 + z * right[j])
        total = 0.0
        for k in range(j + 1, n):
            coupling *= ratio[k]
            y = coupling * g[k]
            admittance[k, j] -= y
            admittance[k, k] += y
            total += y
        admittance[j, j] += total
        z = r + z / (1.0 + g[j] * z)


@kernel
def _leaf(g, along, across, y):
    """Conductances between all nodes of one leaf, the inner ones eliminated.

    g, along : float64, shape (lines, rows, n), S;  across : float64, shape (rows, n), S;  y :
    float64, shape (nodes, nodes), S, replaced. Nodes: drivers' ends, first output nodes row by row
    from the sense ends up, then those beside the cells.
    """
    lines, rows, n = g.shape
    ins = lines * rows
    first = ins + n
    y[:] = 0.0
    for i in range(rows):
        for j in range(n):
            output = first + (lines + 1) * (i * n + j)
            below = output + (lines + 1) * n if i < rows - 1 else ins + j
            y[output, below] += across[i, j]
            y[below, output] += across[i, j]
            for p in range(lines):
                node = output + 1 + p
                before = node - (lines + 1) if j else i * lines + p
                y[node, before] += along[p, i, j]
                y[before, node] += along[p, i, j]
                y[node, output] += g[p, i, j]
                y[output, node] += g[p, i, j]
    near = np.empty(len(y), np.int64)
    for i in range(rows):
        for j in range(n):
            for p in range(lines + 1):
                # output nodes of the first row and input nodes of the last column are terminals
                if (p == 0 and i == 0) or (p > 0 and j == n - 1):
                    continue
                _eliminate(y, first + (lines + 1) * (i * n + j) + p, near)


@kernel
def _eliminate(y, node, near):
    """Takes `node` out of y: a star becomes a mesh. near : int64, shape (nodes,), written."""
    count, total = 0, 0.0
    for k in range(len(y)):
        if y[node, k] > 0.0:
            near[count] = k
            count += 1
            total += y[node, k]
    for a in range(count):
        one = near[a]
        share = y[node, one] / total
        for b in range(a):
            y[one, near[b]] += share * y[node, near[b]]
            y[near[b], one] = y[one, near[b]]
    for a in range(count):
        y[node, near[a]] = 0.0
        y[near[a], node] = 0.0


@parallel
def leaf_blocks(g, along, across, out):
    """Small blocks of cells as conductances between the ends of their lines.

    g, along : float64, shape (blocks, lines, rows, n), S, cells and the segments that end at
    them, coming from the left;  across : float64, shape (blocks, rows, n), S, segments that leave
    the output nodes downwards;  out : float64, shape (blocks, terminals, terminals), S, replaced:
    left and right ends of the input lines (row by row), top and bottom ends of the output lines.
    """
    blocks, lines, rows, n = g.shape
    ins = lines * rows
    for block in prange(blocks):
        y = np.empty((ins + n + (lines + 1) * rows * n, ins + n + (lines + 1) * rows * n))
        _leaf(g[block], along[block], across[block], y)
        at = np.empty(2 * (ins + n), np.int64)
        for i in range(ins):
            at[i] = i
            at[ins + i] = ins + n + (lines + 1) * (i // lines * n + n - 1) + 1 + i % lines
        for j in range(n):
            at[2 * ins + j] = ins + n + (lines + 1) * j
            at[2 * ins + n + j] = ins + j
        for a in range(len(at)):
            for b in range(len(at)):
                out[block, a, b] = y[at[a], at[b]]


@kernel
def line_voltages(g, v, b, source, r, r_first, w):
    """Voltages along one input line whose output lines stand at `b`.

    g : float64, shape (N,), S;  v : float64, shape (batch,), V, of the driver;  b : float64,
    shape (batch, N), V;  source : float64, shape (batch, N), A, flowing through each cell from the
    input to the output line beside g (w - b)
    r, r_first : ohm;  w : float64, shape (batch, N), V, replaced
    """
    batch, n = b.shape
    z = np.empty(n)
    for t in range(batch):
        e, ahead = v[t], r_first
        for j in range(n):
            k = 1.0 / (1.0 + ahead * g[j])
            e = (e + ahead * (g[j] * b[t, j] - source[t, j])) * k
            z[j] = ahead * k
            w[t, j] = e
            ahead = z[j] + r
        current = 0.0
        for j in range(n - 1, -1, -1):
            w[t, j] -= z[j] * current
            current += g[j] * (w[t, j] - b[t, j]) + source[t, j]


@parallel
def gated_single(g, active, r_in, r_first, r_out, r_last, out):
    """Sense currents of topology B at a supply of 1 V, one circuit for each input pattern.

    g : float64, shape (M, N), S;  active : bool, shape (patterns, M): rows whose cells conduct
    r_in, r_out : ohm a segment;  r_first : ohm, supply to row 0;  r_last : ohm, row M-1 to the 0 V
    sense
    out : float64, shape (patterns, N), A

    All cells above a row are one two-port in hybrid form. With the voltage V_s of the supply line
    and the current I_s drawn from it, and V_o and I_o of the output line:
    V_s = open_volts - series I_s + ratio V_o and I_o = injected - shunt V_o - ratio I_s. A
    reciprocal two-port has the same ratio in both; `loss` = 1 - ratio is kept beside it, so that no
    digits cancel.
    """
    rows, n = g.shape
    for pattern in prange(active.shape[0]):
        open_volts, series, ratio = np.ones(n), np.zeros(n), np.zeros(n)
        loss, shunt, injected = np.ones(n), np.zeros(n), np.zeros(n)
        before = -1
        for i in range(rows):
            if not active[pattern, i]:
                continue
            supply = r_in * (i - before) if before >= 0 else r_first + r_in * i
            output = r_out * (i - before) if before >= 0 else 0.0
            before = i
            for j in range(n):
                passed = 1.0 / (1.0 + output * shunt[j])
                injected_next, ratio_next = injected[j] * passed, ratio[j] * passed
                loss_next = (loss[j] + output * shunt[j]) * passed
                series_next = series[j] + supply + ratio[j] * output * ratio_next
                volts_next = open_volts[j] + ratio[j] * output * injected_next
                share = 1.0 / (1.0 + series_next * g[i, j])
                drawn = g[i, j] * share * loss_next
                injected[j] = injected_next + drawn * volts_next
                shunt[j] = shunt[j] * passed + drawn * loss_next
                open_volts[j] = volts_next * share
                ratio[j] = (ratio_next + series_next * g[i, j]) * share
                loss[j] = loss_next * share
                series[j] = series_next * share
        rest = r_last + r_out * (rows - 1 - before) if before >= 0 else 0.0
        for j in range(n):
            out[pattern, j] = injected[j] / (1.0 + rest * shunt[j])


@parallel
def gated_pair(g, active, r_in, r_first, r_out, r_last, out):
    """Sense currents of topology D at supplies of +1 V and -1 V, one circuit for each input
    pattern.

    g : float64, shape (2, M, N), S, cells of the +1 V and of the -1 V line;  the rest as
    `gated_single`. The hybrid form has two supply lines, called plus and minus: `series` is a
    symmetric 2 x 2 matrix (plus, mutual, minus); open_volts, ratio and loss are pairs.
    """
    rows, n = g.shape[1], g.shape[2]
    for pattern in prange(active.shape[0]):
        volts_plus, volts_minus = np.ones(n), -np.ones(n)
        injected, shunt = np.zeros(n), np.zeros(n)
        series_plus, mutual, series_minus = np.zeros(n), np.zeros(n), np.zeros(n)
        ratio_plus, ratio_minus = np.zeros(n), np.zeros(n)
        loss_plus, loss_minus = np.ones(n), np.ones(n)
        before = -1
        for i in range(rows):
            if not active[pattern, i]:
                continue
            supply = r_in * (i - before) if before >= 0 else r_first + r_in * i
            output = r_out * (i - before) if before >= 0 else 0.0
            before = i
            for j in range(n):
                # the segments of all three lines
                passed = 1.0 / (1.0 + output * shunt[j])
                u, y = injected[j] * passed, shunt[j] * passed
                lost_plus = (loss_plus[j] + output * shunt[j]) * passed
                lost_minus = (loss_minus[j] + output * shunt[j]) * passed
                to_plus, to_minus = ratio_plus[j] * passed, ratio_minus[j] * passed
                v_plus = volts_plus[j] + ratio_plus[j] * output * u
                v_minus = volts_minus[j] + ratio_minus[j] * output * u
                z_plus = series_plus[j] + supply + ratio_plus[j] * output * to_plus
                z_mutual = mutual[j] + ratio_plus[j] * output * to_minus
                z_minus = series_minus[j] + supply + ratio_minus[j] * output * to_minus
                # the cell of the +1 V line
                share = 1.0 / (1.0 + z_plus * g[0, i, j])
                drawn = g[0, i, j] * share
                u += drawn * lost_plus * v_plus
                y += drawn * lost_plus * lost_plus
                v_minus -= drawn * z_mutual * v_plus
                to_minus += drawn * z_mutual * lost_plus
                lost_minus -= drawn * z_mutual * lost_plus
                z_minus -= drawn * z_mutual * z_mutual
                to_plus = (to_plus + z_plus * g[0, i, j]) * share
                v_plus, lost_plus = v_plus * share, lost_plus * share
                z_plus, z_mutual = z_plus * share, z_mutual * share
                # the cell of the -1 V line
                share = 1.0 / (1.0 + z_minus * g[1, i, j])
                drawn = g[1, i, j] * share
                injected[j] = u + drawn * lost_minus * v_minus
                shunt[j] = y + drawn * lost_minus * lost_minus
                volts_plus[j] = v_plus - drawn * z_mutual * v_minus
                ratio_plus[j] = to_plus + drawn * z_mutual * lost_minus
                loss_plus[j] = lost_plus - drawn * z_mutual * lost_minus
                series_plus[j] = z_plus - drawn * z_mutual * z_mutual
                volts_minus[j], loss_minus[j] = v_minus * share, lost_minus * share
                ratio_minus[j] = (to_minus + z_minus * g[1, i, j]) * share
                series_minus[j], mutual[j] = z_minus * share, z_mutual * share
        rest = r_last + r_out * (rows - 1 - before) if before >= 0 else 0.0
        for j in range(n):
            out[pattern, j] = injected[j] / (1.0 + rest * shunt[j])


@parallel
def gated_voltages(g, source, supply, r_in, r_first, r_out, r_last, w, b):
    """Node voltages of one supply-line circuit (topologies B and D) with a current source beside
    each cell.

    g : float64, shape (lines, M, N), S, zero where a cell does not conduct
    source : float64, shape (lines, M, N), A, from the supply line to the output line;  supply :
    float64, shape (lines,), V
    r_in, r_first, r_out, r_last : ohm, as in `gated_single`
    w : float64, shape (lines, M, N), V, supply-line nodes;  b : float64, shape (M, N), V,
    output-line nodes; both replaced

    The hybrid form of `gated_single`, kept of every row on the way down; voltages follow on the way
    up.
    """
    lines, rows, n = g.shape
    for j in prange(n):
        open_volts, ratio = np.empty((rows, lines)), np.empty((rows, lines))
        series, loss = np.empty((rows, lines, lines)), np.ones(lines)
        shunt_above, injected_above = np.empty(rows), np.empty(rows)
        volts_now, ratio_now = supply.copy(), np.zeros(lines)
        series_now = np.zeros((lines, lines))
        shunt, injected = 0.0, 0.0
        for i in range(rows):
            output = r_out if i else 0.0
            passed = 1.0 / (1.0 + output * shunt)
            for p in range(lines):
                volts_now[p] += ratio_now[p] * output * injected * passed
                loss[p] = (loss[p] + output * shunt) * passed
                for other in range(lines):
                    series_now[p, other] += ratio_now[p] * output * ratio_now[other] * passed
            for p in range(lines):
                ratio_now[p] *= passed
                series_now[p, p] += r_in if i else r_first
            shunt, injected = shunt * passed, injected * passed
            for p in range(lines):
                share = 1.0 / (1.0 + series_now[p, p] * g[p, i, j])
                drive = (g[p, i, j] * volts_now[p] + source[p, i, j]) * share
                drawn = g[p, i, j] * share * loss[p]
                injected += loss[p] * drive
                shunt += loss[p] * drawn
                column = series_now[:, p].copy()
                for other in range(lines):
                    volts_now[other] -= column[other] * drive
                    ratio_now[other] += column[other] * drawn
                    if other != p:
                        loss[other] -= column[other] * drawn
                    for third in range(lines):
                        series_now[other, third] -= (
                            column[other] * column[third] * g[p, i, j] * share
                        )
                loss[p] *= share
            for p in range(lines):
                open_volts[i, p], ratio[i, p] = volts_now[p], ratio_now[p]
                for other in range(lines):
                    series[i, p, other] = series_now[p, other]
            shunt_above[i], injected_above[i] = shunt, injected
        b[rows - 1, j] = injected / (1.0 + r_last * shunt) * r_last
        beyond = np.zeros(lines)
        # from the far end back, so that what lies behind a row is one port
        for i in range(rows - 1, -1, -1):
            for p in range(lines):
                w[p, i, j] = open_volts[i, p] + ratio[i, p] * b[i, j]
                for other in range(lines):
                    w[p, i, j] -= series[i, p, other] * beyond[other]
            for p in range(lines):
                beyond[p] += g[p, i, j] * (w[p, i, j] - b[i, j]) + source[p, i, j]
            if i:
                flow = injected_above[i - 1]
                for p in range(lines):
                    flow -= ratio[i - 1, p] * beyond[p]
                b[i - 1, j] = (b[i, j] + r_out * flow) / (1.0 + r_out * shunt_above[i - 1])


@inline
def _behind_segment(state, r_in, r_out):
    """Put a segment before `state`, in place; returns what divides vectors: 1 + r_in (a + b) +
    r_in^2 D, and 1 + r_out (p + q).

    state : float64, shape (6,), of a symmetric port of two lines over the output line: conductances
    a and b of each line, what they share m (the off-diagonal is -m), the determinant D = a b - m^2,
    and the row sums p = a - m, q = b - m. None of these steps subtracts, so no digits are lost
    however large the resistances are.
    """
    a, b, m, d, p, q = state[0], state[1], state[2], state[3], state[4], state[5]
    along = 1.0 + r_in * (a + b) + r_in * r_in * d
    a, b, m = (a + r_in * d) / along, (b + r_in * d) / along, m / along
    p, q, d = (p + r_in * d) / along, (q + r_in * d) / along, d / along
    across = 1.0 + r_out * (p + q)
    state[0], state[1], state[2] = (
        (a + r_out * d) / across,
        (b + r_out * d) / across,
        (m + r_out * d) / across,
    )
    state[3], state[4], state[5] = d / across, p / across, q / across
    return along, across


@inline
def _add_cells(state, first, second):
    """Add cells of `first` and `second` siemens beside the port."""
    state[3] += first * state[1] + second * state[0] + first * second
    state[0] += first
    state[1] += second
    state[4] += first
    state[5] += second


@parallel
def gated_near(g, active, r_in, r_first, r_out, r_last, out):
    """As `gated_single` and `gated_pair`, with the sense at row 0, where the supplies are.

    g : float64, shape (lines, M, N), S, of one line or of the +1 V and the -1 V line;  r_last :
    ohm, row 0 to the 0 V sense; the rest as there. From the far end to row 0 all cells are one
    port: see `_behind_segment`.
    """
    lines, rows, n = g.shape
    for t in prange(active.shape[0]):
        state = np.empty(6)
        for j in range(n):
            state[:] = 0.0
            for i in range(rows - 1, -1, -1):
                if active[t, i]:
                    _add_cells(state, g[0, i, j], g[1, i, j] if lines == 2 else 0.0)
                _behind_segment(state, r_in if i else r_first, r_out if i else r_last)
            out[t, j] = state[0] - state[1] if lines == 2 else state[0]


@parallel
def gated_near_voltages(g, source, supply, r_in, r_first, r_out, r_last, w, b):
    """As `gated_voltages`, with the sense at row 0, where the supplies are.

    g : float64, shape (lines, M, N), S;  source : the same shape, A;  supply : float64,
    shape (lines,), V;  w : float64, shape (lines, M, N), V;  b : float64, shape (M, N), V; both
    replaced;  the resistances [ohm] as in `gated_near`.
    """
    lines, rows, n = g.shape
    for j in prange(n):
        ports, state, pushed = np.empty((rows, 5)), np.zeros(6), np.zeros(2)
        for i in range(rows - 1, -1, -1):
            _add_cells(state, g[0, i, j], g[1, i, j] if lines == 2 else 0.0)
            for p in range(lines):
                pushed[p] += source[p, i, j]
            one, other, shared = state[0], state[1], state[2]
            along, across = _behind_segment(state, r_in if i else r_first, r_out if i else r_last)
            r = r_in if i else r_first
            first = ((1.0 + r * other) * pushed[0] + r * shared * pushed[1]) / along
            second = ((1.0 + r * one) * pushed[1] + r * shared * pushed[0]) / along
            turned = (r_out if i else r_last) * (state[5] * first - state[4] * second)
            pushed[0], pushed[1] = first / across + turned, second / across - turned
            ports[i, 0], ports[i, 1], ports[i, 2], ports[i, 3], ports[i, 4] = (
                state[0],
                state[1],
                state[2],
                pushed[0],
                pushed[1],
            )
        d0, d1 = supply[0], supply[1] if lines == 2 else 0.0
        for i in range(rows):
            i0 = ports[i, 0] * d0 - ports[i, 2] * d1 + ports[i, 3]
            i1 = ports[i, 1] * d1 - ports[i, 2] * d0 + ports[i, 4]
            b[i, j] = (b[i - 1, j] if i else 0.0) + (r_out if i else r_last) * (i0 + i1)
            w[0, i, j] = (w[0, i - 1, j] if i else supply[0]) - (r_in if i else r_first) * i0
            d0 = w[0, i, j] - b[i, j]
            if lines == 2:
                w[1, i, j] = (w[1, i - 1, j] if i else supply[1]) - (r_in if i else r_first) * i1
                d1 = w[1, i, j] - b[i, j]
