"""Joining blocks gives the matrix that eliminating row by row gives, and that of a dense nodal solve."""

import numpy as np
import pytest

from pimlab.analog import Wires
from pimlab.analog.circuit import dissection
from pimlab.analog.circuit.dissection import dissected, segmented
from pimlab.analog.circuit.elimination import Grid, Ohms

OHMS = [
    Ohms(1.0, 1.0, 1.0, 1.0),
    Ohms(2.0, 32.0, 5.0, 45.0),
    Ohms(1e-6, 1e-6, 1e-6, 1e-6),
    Ohms(1e4, 1e4, 1e-3, 1e-3),
    Ohms(1e-3, 1e6, 1e3, 1e6),
]


def _cells(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(1e-6, 1e-4, shape) * (rng.random(shape) > 0.1)


@pytest.mark.parametrize("ohms", OHMS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 40), (1, 37, 9), (2, 18, 33), (1, 130, 110)])
def test_equal_to_elimination_row_by_row(shape, ohms):
    g, signs = _cells(shape), np.array([1.0, -1.0])[: shape[0]]
    expected = Grid(g, signs, ohms).conductance()
    error = np.abs(dissected(g, signs, ohms) - expected).max()
    assert error < 5e-12 * np.abs(expected).max()


def test_every_conductance_keeps_its_digits():
    """Far cells of resistive wires give currents 1000s of times smaller than near ones."""
    g, ohms, one = _cells((1, 40, 40)) + 1e-6, Ohms(1e5, 1e5, 1e5, 1e5), np.ones(1)
    expected = Grid(g, one, ohms).conductance()
    assert expected.max() > 1e3 * expected.min()
    np.testing.assert_allclose(dissected(g, one, ohms), expected, rtol=1e-11)


def _nodal(g, along, across):
    """Dense nodal matrix: nodes w (M, N), b (M, N), drivers, senses; far ends of drivers given."""
    rows, n = g.shape
    w, b = np.arange(rows * n).reshape(rows, n), rows * n + np.arange(rows * n).reshape(rows, n)
    drivers, senses = 2 * rows * n + np.arange(rows), 2 * rows * n + rows + np.arange(n)
    matrix = np.zeros((senses[-1] + 1, senses[-1] + 1))
    befores, belows = np.c_[drivers, w[:, :-1]], np.r_[b[1:], senses[None]]
    for starts, stops, siemens in ((w, b, g), (w, befores, along), (b, belows, across)):
        for s, t, y in zip(starts.ravel(), stops.ravel(), siemens.ravel(), strict=True):
            matrix[[s, t], [s, t]] += y
            matrix[[s, t], [t, s]] -= y
    free, ends = slice(2 * rows * n), np.r_[drivers, senses]
    matrix[range(2 * rows * n), range(2 * rows * n)] += 1e-30  # isolated nodes
    seen = (
        matrix[np.ix_(ends, ends)]
        - matrix[ends, free]
        @ np.linalg.lstsq(matrix[free, free], matrix[free, ends], rcond=None)[0]
    )
    return -seen[:rows, rows:]


@pytest.mark.parametrize("seed", range(4))
def test_broken_and_uneven_lines(seed):
    rng = np.random.default_rng(seed)
    g = _cells((1, 19, 21), seed)
    along, across = rng.uniform(0.01, 1, g.shape), rng.uniform(0.01, 1, g.shape[1:])
    along[0, 5, 7] = along[0, 5, 8] = along[0, 11, 0] = 0.0
    across[9, 3] = across[18, 4] = across[2, 3] = 0.0
    found = segmented(g, np.ones(1), along, across)
    assert (found[5, 8:] < 0.05 * found[4, 8:].max()).all()
    assert not found[:, 4].any()
    assert not found[11].any()
    np.testing.assert_allclose(found, _nodal(g[0], along[0], across), atol=1e-12, rtol=1e-7)


@pytest.mark.parametrize("sense", ["last", "first"])
def test_large_arrays_are_dissected(monkeypatch, sense):
    from pimlab.analog.circuit import wires as module

    g, wires = _cells((24, 30)), Wires(r_in=3.0, r_out=2.0, rs_in=50.0, rs_out=20.0, sense=sense)
    expected = wires.conductance(g)
    monkeypatch.setattr(module, "FROM", 20)
    monkeypatch.setattr(module, "grid", _without_elimination(module.grid, monkeypatch))
    np.testing.assert_allclose(wires.conductance(g), expected, rtol=1e-11)
    assert dissection.FROM > 24


def _without_elimination(grid, monkeypatch):
    def made(*arguments):
        monkeypatch.setattr(Grid, "conductance", None)
        return grid(*arguments)

    return made
