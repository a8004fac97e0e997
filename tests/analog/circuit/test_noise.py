"""Spread of the cells seen through the wires: first-order sensitivity against full solves."""

import numpy as np
import pytest

from pimlab.analog.circuit.noise import read_variance, variance_matrix
from pimlab.analog.circuit.wires import Wires, effective_conductance

CIRCUITS = [
    ("A", "last"),
    ("A", "first"),
    ("B", "last"),
    ("C", "last"),
    ("C", "first"),
    ("D", "last"),
]


def _pair(topology, *arrays):
    return arrays if topology in "CD" else (None,) * len(arrays)


@pytest.mark.parametrize(("topology", "sense"), CIRCUITS)
def test_sensitivity_is_the_derivative(topology, sense):
    """One cell at a time: the standard deviation is |dI/dg| sigma, here by central differences of full solves."""
    rng = np.random.default_rng(31)
    g, (v,) = rng.uniform(1e-6, 1e-4, (2, 6, 5)), rng.random((1, 6))
    v = v if topology in "AC" else np.array([1.0, 0, 1, 1, 0, 1])
    wires = Wires(r_in=20, r_out=30, rs_in=100, rs_out=200, topology=topology, sense=sense)
    for line, i, k in [(0, 0, 0), (0, 2, 3), (0, 5, 4), (1, 3, 1)][: 4 if topology in "CD" else 3]:
        step = np.zeros_like(g)
        step[line, i, k] = 1e-10
        above, below = (
            wires.currents(each[0], v, *_pair(topology, each[1])) for each in (g + step, g - step)
        )
        found = read_variance(g[0], step[0], v, wires, *_pair(topology, g[1], step[1])) ** 0.5
        np.testing.assert_allclose(
            found, np.abs(above - below) / 2, rtol=0, atol=1e-6 * found.max()
        )


def test_spread_equals_full_solves():
    """4000 arrays solved in full: 12 columns of one array, wires that take away 5..8 % of the current, sigma 4 uS.

    Sampling error of one standard deviation 1.1 %, of their mean 0.3 %; the first-order error itself is below both.
    """
    rng = np.random.default_rng(32)
    g, v = rng.uniform(2e-5, 1e-4, (16, 12)), rng.random(16)
    wires = Wires(r_in=8, r_out=8)
    currents = v @ effective_conductance(g + 4e-6 * rng.standard_normal((4000, 16, 12)), 8, 8)
    ratio = currents.std(axis=0) / read_variance(g, np.full_like(g, 4e-6), v, wires) ** 0.5
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert np.abs(ratio - 1).max() < 0.045
    ideal = np.sqrt(v**2 @ np.full_like(g, 4e-6) ** 2)
    assert (
        currents.std(axis=0) / ideal
    ).mean() < 0.95  # without the wires the spread would be off by far more


def test_ideal_wires_give_the_plain_variance():
    rng = np.random.default_rng(33)
    g, sigma, v = rng.uniform(1e-6, 1e-4, (7, 4)), rng.uniform(0, 1e-6, (7, 4)), rng.random((3, 7))
    wires = Wires(r_in=0, r_out=0)
    np.testing.assert_allclose(read_variance(g, sigma, v, wires), v**2 @ sigma**2, rtol=1e-12)
    np.testing.assert_allclose(variance_matrix(g, sigma, wires), sigma**2, rtol=1e-12)
    bits = np.rint(v)
    np.testing.assert_allclose(
        read_variance(g, sigma, bits, wires.but(topology="B")), bits @ sigma**2, rtol=1e-12
    )
    np.testing.assert_allclose(
        read_variance(g, sigma, bits, wires.but(topology="D"), g, sigma),
        2 * bits @ sigma**2,
        rtol=1e-12,
    )


def test_variance_matrix_is_exact_at_the_typical_read():
    rng = np.random.default_rng(34)
    g, sigma, v = (
        rng.uniform(1e-6, 1e-4, (2, 9, 6)),
        rng.uniform(0, 1e-6, (2, 9, 6)),
        rng.uniform(0.1, 1, 9),
    )
    for wires in (
        Wires(r_in=9, r_out=5),
        Wires(r_in=9, r_out=5, sense="first"),
        Wires(r_in=9, r_out=5, topology="C"),
    ):
        pair, spread = _pair(wires.topology, g[1], sigma[1])
        matrix = variance_matrix(g[0], sigma[0], wires, v, pair, spread)
        np.testing.assert_allclose(
            v**2 @ matrix, read_variance(g[0], sigma[0], v, wires, pair, spread), rtol=1e-11
        )


def test_variance_matrix_within_its_stated_error():
    """32 x 32, 1..100 uS, 1 ohm: 3 % for inputs of one sign around the typical read, 2 % for both signs without one."""
    rng = np.random.default_rng(35)
    g, sigma, wires = (
        rng.uniform(1e-6, 1e-4, (32, 32)),
        np.full((32, 32), 5e-6),
        Wires(r_in=1, r_out=1),
    )
    for v, typical, share in (
        (rng.random((50, 32)), np.full(32, 0.5), 0.03),
        (rng.uniform(-1, 1, (50, 32)), None, 0.02),
    ):
        exact = read_variance(g, sigma, v, wires)
        assert np.abs(v**2 @ variance_matrix(g, sigma, wires, typical) / exact - 1).max() < share


def test_bad_input():
    g, wires = np.full((3, 2), 1e-5), Wires(r_in=1, r_out=1)
    with pytest.raises(ValueError, match=r"sigma\[0, 0\]=-1e-05 S"):
        read_variance(g, -g, np.ones(3), wires)
    with pytest.raises(ValueError, match=r"typical has shape \(3,\) and 1 zeros"):
        variance_matrix(g, g, wires, np.array([0.0, 1, 1]))
    with pytest.raises(ValueError, match=r"sigma has shape \(2, 2\); allowed: the shape of g"):
        read_variance(g, g[:2], np.ones(3), wires)
    with pytest.raises(ValueError, match=r"'D' has no variance matrix"):
        variance_matrix(g, g, wires.but(topology="D"))
    with pytest.raises(ValueError, match=r"'C' needs sigma_negative"):
        read_variance(g, g, np.ones(3), wires.but(topology="C"), g)
