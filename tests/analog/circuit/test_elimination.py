"""Random odd circuits (lines of one cell, open cells, zero ohms anywhere) equal a dense nodal matrix written for this test."""

import itertools

import numpy as np
import pytest

from pimlab.analog import (
    Wires,
    dissipation,
    effective_conductance,
    nonlinear_currents,
    read_variance,
    wire_currents,
)


class Netlist:
    """Nodes joined by zero ohms are one node; the rest is a nodal matrix."""

    def __init__(self):
        self.joined, self.parts, self.fixed = {}, [], {}

    def root(self, node):
        while self.joined.setdefault(node, node) != node:
            node = self.joined[node]
        return node

    def wire(self, a, b, ohm):
        if ohm == 0:
            self.joined[self.root(a)] = self.root(b)
        else:
            self.part(a, b, 1 / ohm)

    def part(self, a, b, siemens):
        self.root(a), self.root(b)
        self.parts.append((a, b, siemens))

    def current_into(self, sinks):
        """Amperes into each of `sinks`, which stand at 0 V."""
        volts = {
            self.root(node): value
            for node, value in {**self.fixed, **dict.fromkeys(sinks, 0.0)}.items()
        }
        free = {
            node: i
            for i, node in enumerate(n for n in self.joined if self.root(n) == n and n not in volts)
        }
        matrix, right = np.zeros((len(free), len(free))), np.zeros(len(free))
        parts = [(self.root(a), self.root(b), g) for a, b, g in self.parts]
        for a, b, g in (*parts, *((b, a, g) for a, b, g in parts)):
            if a in free and a != b:
                matrix[free[a], free[a]] += g
                if b in free:
                    matrix[free[a], free[b]] -= g
                else:
                    right[free[a]] += g * volts[b]
        floating = np.diag(matrix) == 0
        matrix[floating, floating] = 1.0
        solved = np.linalg.solve(matrix, right)
        solved += np.linalg.solve(
            matrix, (right - matrix.astype(np.longdouble) @ solved).astype(float)
        )
        volts |= {node: solved[i] for node, i in free.items()}
        ends = [self.root(sink) for sink in sinks]
        return np.array(
            [
                sum(g * (volts[a] + volts[b]) for a, b, g in parts if a != b and end in (a, b))
                for end in ends
            ]
        )


def _nodal(lines, v, r_in, r_out, rs_in, rs_out, topology, sense):
    """Sense currents of one input; lines float64 (lines, M, N)."""
    net, (_, rows, columns) = Netlist(), lines.shape
    for p, g in enumerate(lines):
        along, across = (rows, columns) if topology in "AC" else (columns, rows)
        for i in range(along):
            net.fixed["source", p, i] = (1, -1)[p] * (v[i] if topology in "AC" else 1.0)
            last = "source", p, i
            for j in range(across):
                here = ("w", p, i, j) if topology in "AC" else ("w", p, j, i)
                net.wire(last, here, r_in + (rs_in if j == 0 else 0))
                last = here
        for i, j in np.ndindex(rows, columns):
            if g[i, j] > 0 and (topology in "AC" or v[i]):
                net.part(("w", p, i, j), ("b", i, j), g[i, j])
    for j in range(columns):
        order = range(rows) if sense == "last" else range(rows - 1, -1, -1)
        chain = [("b", i, j) for i in order] + [("sense", j)]
        for a, b in itertools.pairwise(chain):
            net.wire(a, b, r_out + (rs_out if b[0] == "sense" else 0))
    return net.current_into([("sense", j) for j in range(columns)])


def _case(rng, topology):
    rows, columns = [(1, rng.integers(1, 10)), (rng.integers(1, 10), 1), rng.integers(1, 10, 2)][
        rng.integers(3)
    ]
    open_share = rng.choice([0.0, 0.3, 0.9, 1.0], p=[0.5, 0.3, 0.15, 0.05])
    lines = 10 ** rng.uniform(-7, -3.5, (2 if topology in "CD" else 1, rows, columns))
    lines *= rng.random(lines.shape) >= open_share
    ohms = [0.0 if rng.random() < 0.3 else 10 ** rng.uniform(-3, 3) for _ in range(4)]
    v = rng.uniform(-1, 1, (2, rows)) if topology in "AC" else np.rint(rng.random((2, rows)))
    return lines, ohms, v, str(rng.choice(["last", "first"]))


@pytest.mark.parametrize("topology", "ABCD")
def test_random_circuits_equal_the_nodal_matrix(topology):
    rng = np.random.default_rng("ABCD".index(topology))
    for _ in range(25):
        lines, ohms, v, sense = _case(rng, topology)
        pair = lines[1] if len(lines) == 2 else None
        expected = np.array([_nodal(lines, row, *ohms, topology, sense) for row in v])
        found = wire_currents(lines[0], v, *ohms, g_negative=pair, topology=topology, sense=sense)
        np.testing.assert_allclose(
            found, expected, rtol=0, atol=1e-9 * max(np.abs(expected).max(), 1e-12)
        )
        if topology in "AC":
            matrix = effective_conductance(lines[0], *ohms, g_negative=pair, sense=sense)
            np.testing.assert_allclose(
                v @ matrix, expected, rtol=0, atol=1e-9 * max(np.abs(expected).max(), 1e-12)
            )


@pytest.mark.parametrize("topology", "BD")
def test_supplies_and_senses_at_one_end_agree_in_power_noise_and_newton(topology):
    rng = np.random.default_rng(3)
    g, bits = rng.uniform(1e-6, 1e-4, (2, 6, 4)), np.rint(rng.random((3, 6)))
    wires = Wires(r_in=30, r_out=20, rs_in=100, rs_out=50, topology=topology, sense="first")
    pair = {"g_negative": g[1]} if topology == "D" else {}
    currents = wires.currents(g[0], bits, **pair)
    watts = dissipation(g[0], bits, wires, **pair)
    parts = sum(
        watts[part] for part in ("cells", "input lines", "output lines", "drivers", "sense")
    )
    np.testing.assert_allclose(parts, watts["sources"], rtol=1e-9)
    np.testing.assert_allclose(
        nonlinear_currents(g[0], bits, wires, **pair),
        currents,
        rtol=0,
        atol=1e-12 * np.abs(currents).max(),
    )
    step, variance = 1e-10, np.zeros_like(currents)
    for p, i, j in np.ndindex(len(pair) + 1, 6, 4):
        moved = g.copy()
        moved[p, i, j] += step
        other = {"g_negative": moved[1]} if pair else {}
        variance += ((wires.currents(moved[0], bits, **other) - currents) / step * 1e-6) ** 2
    sigma = np.full((6, 4), 1e-6)
    seen = read_variance(g[0], sigma, bits, wires, *((g[1], sigma) if pair else ()))
    np.testing.assert_allclose(seen, variance, rtol=1e-4, atol=1e-8 * variance.max())
