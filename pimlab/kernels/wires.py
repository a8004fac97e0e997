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

    g : float64 (N,), S, cells of the line;  r, r_first : ohm, between cells and from the driver to
    the first cell
    admittance : float64 (N, N), S, Fortran order; only the lower triangle is touched
    injection : float64 (N,), S: current into each grounded output line per volt of the driver

    Y = D - D inv(T) D with D = diag(g) and T the line's nodal matrix (tridiagonal, hence inv(T) is
    a ladder's product of voltage ratios). The diagonal is the sum of the row's couplings and its
    injection, which keeps rows exact where Y nearly cancels (Grassmann, Taksar, Heyman, Oper. Res.
    33, 1985, for M-matrices).
    """
    n = g.size
    ratio = np.empty(n)
    right = np.empty(n)
    right[n - 1] = g[n - 1]
    for j in range(n - 2, -1, -1):
        right[j] = g[j] + right[j + 1] / (1.0 + r * right[j + 1])
        ratio[j + 1] = 1.0 / (1.0 + r * right[j + 1])
    ratio[0] = 1.0 / (1.0 + r_first * right[0])
    h = 1.0
    for j in range(n):
        h *= ratio[j]
        injection[j] = g[j] * h
        admittance[j, j] += injection[j]
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
def line_voltages(g, v, b, source, r, r_first, w):
    """Voltages along one input line whose output lines stand at `b`.

    g : float64 (N,), S;  v : float64 (batch,), V, of the driver;  b : float64 (batch, N), V
    source : float64 (batch, N), A, flowing through each cell from the input to the output line
    beside g (w - b)
    r, r_first : ohm;  w : float64 (batch, N), V, replaced
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

    g : float64 (M, N), S;  active : bool (patterns, M): rows whose cells conduct
    r_in, r_out : ohm a segment;  r_first : ohm, supply to row 0;  r_last : ohm, row M-1 to the 0 V
    sense
    out : float64 (patterns, N), A

    Everything above a row is kept in hybrid form, supply line w = e - z i_w + a b and output line
    i_b = u - y b - a i_w (a reciprocal two-port has the same a in both; c = 1 - a is kept beside
    it, uncancelled).
    """
    rows, n = g.shape
    for p in prange(active.shape[0]):
        e, z, a = np.ones(n), np.zeros(n), np.zeros(n)
        c, y, u = np.ones(n), np.zeros(n), np.zeros(n)
        before = -1
        for i in range(rows):
            if not active[p, i]:
                continue
            supply = r_in * (i - before) if before >= 0 else r_first + r_in * i
            r = r_out * (i - before) if before >= 0 else 0.0
            before = i
            for j in range(n):
                q = 1.0 / (1.0 + r * y[j])
                uq, aq = u[j] * q, a[j] * q
                cq = (c[j] + r * y[j]) * q
                zq = z[j] + supply + a[j] * r * aq
                eq = e[j] + a[j] * r * uq
                k = 1.0 / (1.0 + zq * g[i, j])
                drawn = g[i, j] * k * cq
                u[j] = uq + drawn * eq
                y[j] = y[j] * q + drawn * cq
                e[j] = eq * k
                a[j] = (aq + zq * g[i, j]) * k
                c[j] = cq * k
                z[j] = zq * k
        rest = r_last + r_out * (rows - 1 - before) if before >= 0 else 0.0
        for j in range(n):
            out[p, j] = u[j] / (1.0 + rest * y[j])


@parallel
def gated_pair(g, active, r_in, r_first, r_out, r_last, out):
    """Sense currents of topology D at supplies of +1 V and -1 V, one circuit for each input
    pattern.

    g : float64 (2, M, N), S, cells of the +1 V and of the -1 V line;  the rest as `gated_single`.
    The hybrid form has two supply lines: z is a symmetric 2 x 2 matrix, e and a are pairs.
    """
    rows, n = g.shape[1], g.shape[2]
    for p in prange(active.shape[0]):
        e, f, u, y = np.ones(n), -np.ones(n), np.zeros(n), np.zeros(n)
        z, x, s = np.zeros(n), np.zeros(n), np.zeros(n)
        a, b, c, d = np.zeros(n), np.zeros(n), np.ones(n), np.ones(n)
        before = -1
        for i in range(rows):
            if not active[p, i]:
                continue
            supply = r_in * (i - before) if before >= 0 else r_first + r_in * i
            r = r_out * (i - before) if before >= 0 else 0.0
            before = i
            for j in range(n):
                q = 1.0 / (1.0 + r * y[j])
                uq, yq, aq, bq = u[j] * q, y[j] * q, a[j] * q, b[j] * q
                cq, dq = (c[j] + r * y[j]) * q, (d[j] + r * y[j]) * q
                eq, fq = e[j] + a[j] * r * uq, f[j] + b[j] * r * uq
                zq = z[j] + supply + a[j] * r * aq
                xq = x[j] + a[j] * r * bq
                sq = s[j] + supply + b[j] * r * bq
                k = 1.0 / (1.0 + zq * g[0, i, j])
                drawn = g[0, i, j] * k
                uq += drawn * cq * eq
                yq += drawn * cq * cq
                fq -= drawn * xq * eq
                bq += drawn * xq * cq
                dq -= drawn * xq * cq
                sq -= drawn * xq * xq
                eq, aq, cq, zq, xq = eq * k, (aq + zq * g[0, i, j]) * k, cq * k, zq * k, xq * k
                k = 1.0 / (1.0 + sq * g[1, i, j])
                drawn = g[1, i, j] * k
                u[j] = uq + drawn * dq * fq
                y[j] = yq + drawn * dq * dq
                e[j] = eq - drawn * xq * fq
                a[j] = aq + drawn * xq * dq
                c[j] = cq - drawn * xq * dq
                z[j] = zq - drawn * xq * xq
                f[j], b[j], d[j] = fq * k, (bq + sq * g[1, i, j]) * k, dq * k
                s[j], x[j] = sq * k, xq * k
        rest = r_last + r_out * (rows - 1 - before) if before >= 0 else 0.0
        for j in range(n):
            out[p, j] = u[j] / (1.0 + rest * y[j])


@parallel
def gated_voltages(g, source, supply, r_in, r_first, r_out, r_last, w, b):
    """Node voltages of one supply-line circuit (topologies B and D) with a current source beside
    each cell.

    g : float64 (lines, M, N), S, zero where a cell does not conduct
    source : float64 (lines, M, N), A, from the supply line to the output line;  supply : float64
    (lines,), V
    r_in, r_first, r_out, r_last : ohm, as in `gated_single`
    w : float64 (lines, M, N), V, supply-line nodes;  b : float64 (M, N), V, output-line nodes; both
    replaced
    """
    lines, rows, n = g.shape
    for j in prange(n):
        e, a, c, z = (
            np.empty((rows, lines)),
            np.empty((rows, lines)),
            np.ones(lines),
            np.empty((rows, lines, lines)),
        )
        before_y, before_u = np.empty(rows), np.empty(rows)
        now_e, now_a, now_z = supply.copy(), np.zeros(lines), np.zeros((lines, lines))
        y, u = 0.0, 0.0
        for i in range(rows):
            r = r_out if i else 0.0
            q = 1.0 / (1.0 + r * y)
            for p in range(lines):
                now_e[p] += now_a[p] * r * u * q
                c[p] = (c[p] + r * y) * q
                for o in range(lines):
                    now_z[p, o] += now_a[p] * r * now_a[o] * q
            for p in range(lines):
                now_a[p] *= q
                now_z[p, p] += r_in if i else r_first
            y, u = y * q, u * q
            for p in range(lines):
                k = 1.0 / (1.0 + now_z[p, p] * g[p, i, j])
                drive = (g[p, i, j] * now_e[p] + source[p, i, j]) * k
                drawn = g[p, i, j] * k * c[p]
                u += c[p] * drive
                y += c[p] * drawn
                column = now_z[:, p].copy()
                for o in range(lines):
                    now_e[o] -= column[o] * drive
                    now_a[o] += column[o] * drawn
                    if o != p:
                        c[o] -= column[o] * drawn
                    for m in range(lines):
                        now_z[o, m] -= column[o] * column[m] * g[p, i, j] * k
                c[p] *= k
            e[i], a[i], z[i] = now_e, now_a, now_z
            before_y[i], before_u[i] = y, u
        b[rows - 1, j] = u / (1.0 + r_last * y) * r_last
        beyond = np.zeros(lines)
        for i in range(rows - 1, -1, -1):
            for p in range(lines):
                w[p, i, j] = e[i, p] + a[i, p] * b[i, j]
                for o in range(lines):
                    w[p, i, j] -= z[i, p, o] * beyond[o]
            for p in range(lines):
                beyond[p] += g[p, i, j] * (w[p, i, j] - b[i, j]) + source[p, i, j]
            if i:
                flow = before_u[i - 1]
                for p in range(lines):
                    flow -= a[i - 1, p] * beyond[p]
                b[i - 1, j] = (b[i, j] + r_out * flow) / (1.0 + r_out * before_y[i - 1])


@inline
def _behind_segment(state, r_in, r_out):
    """Put a segment before `state`, in place; returns what divides vectors: 1 + r_in (a + b) +
    r_in^2 D, and 1 + r_out (p + q).

    state : float64 (6,), of a symmetric port of two lines over the output line: conductances a and
    b of each line, what they share m (the off-diagonal is -m), the determinant D = a b - m^2, and
    the row sums p = a - m, q = b - m. None of these steps subtracts, so no digits are lost however
    large the resistances are.
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

    g : float64 (lines, M, N), S, of one line or of the +1 V and the -1 V line;  r_last : ohm, row 0
    to the 0 V sense; the rest as there. From the far end to row 0 all cells are one port: see
    `_behind_segment`.
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
    """As `gated_voltages`, with the sense at row 0, where the supplies are."""
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
