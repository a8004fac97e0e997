"""Cells behind selectors: each cell's root, reads, noise, and circuits against SciPy's root of all nodes."""

import numpy as np
import pytest
from scipy.optimize import brentq, root

from pimlab.analog import DAC, Crossbar, Wires, macro, nonlinear_currents
from pimlab.analog.devices import Device, GaussianReadNoise, SelectedCurrent

CURVE = SelectedCurrent(conductance="0.5 uS", v0="40 mV")
CELL = Device(name="1S1R", g_min="1 uS", g_max="50 uS", current=CURVE)
COSTS = macro("generic-22nm").but(read_voltage="0.3 V")
LAWS = ["sinh", "exponential"]


def _selector(curve, u):
    x = np.abs(u) / curve.v0
    return (
        curve.conductance
        * curve.v0
        * np.sign(u)
        * (np.sinh(x) if curve.law == "sinh" else np.expm1(x))
    )


def _alone(curve, g, v):
    """Current of one cell: the voltage across the selector by bisection."""
    if g == 0 or v == 0:
        return 0.0
    return _selector(
        curve, brentq(lambda u: g * (v - u) - _selector(curve, u), *sorted((0, v)), xtol=1e-16)
    )


@pytest.mark.parametrize("law", LAWS)
def test_a_cell_divides_the_voltage_with_its_selector(law):
    curve = CURVE.but(law=law)
    g, v = np.array([0.0, 1e-9, 1e-6, 5e-5, 1.0]), np.array([-0.7, -0.01, 0.0, 0.3])
    found = curve.current(g[:, None], v)
    exact = [[_alone(curve, one, volts) for volts in v] for one in g]
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-22)
    small = 1e-7
    slope = (curve.current(g[1:, None], v + small) - curve.current(g[1:, None], v - small)) / (
        2 * small
    )
    np.testing.assert_allclose(curve.slope(g[1:, None], v), slope, rtol=1e-4)
    step = 1e-4 * g[1:, None]
    reach = (curve.current(g[1:, None] + step, v) - curve.current(g[1:, None] - step, v)) / (
        2 * step
    )
    np.testing.assert_allclose(curve.sensitivity(g[1:, None], v), reach, rtol=1e-4, atol=1e-15)


def test_a_selector_that_conducts_well_is_not_there():
    v = np.linspace(-0.3, 0.3, 7)
    wide = CURVE.but(conductance="1 S")
    np.testing.assert_allclose(wide.current(1e-5, v), 1e-5 * v, rtol=1e-4, atol=1e-20)
    assert CURVE.current(1e-5, np.array(1e3)) == pytest.approx(1e-2, rel=1e-3)  # the cell limits


def _dense(g, v, wires, curve):
    """Currents of topology A: all nodes, and the one between each cell and its selector, at once."""
    rows, n = g.shape
    along, across = np.full((rows, n), wires.r_in), np.full((rows, n), wires.r_out)
    along[:, 0] += wires.rs_in
    across[-1] += wires.rs_out

    def flows(nodes):
        w, b, u = nodes.reshape(3, rows, n)
        into = (np.c_[v, w[:, :-1]] - w) / along
        return (
            g * (w - b - u),
            _selector(curve, u),
            into,
            (b - np.r_[b[1:], np.zeros((1, n))]) / across,
        )

    def kirchhoff(nodes):
        cell, selector, into, down = flows(nodes)
        left = into - np.c_[into[:, 1:], np.zeros(rows)] - cell
        below = np.r_[np.zeros((1, n)), down[:-1]] + cell - down
        return 1e6 * np.r_[left.ravel(), below.ravel(), (cell - selector).ravel()]

    start = np.r_[np.repeat(v, n), np.zeros(2 * rows * n)]
    return flows(root(kirchhoff, start, method="hybr", options={"xtol": 1e-13}).x)[3][-1]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("shape", [(5, 4), (1, 3), (7, 1)])
def test_circuits_equal_a_dense_solve(law, shape):
    rng = np.random.default_rng(1)
    curve = CURVE.but(law=law)
    g, v = rng.uniform(1e-6, 1e-4, shape), rng.uniform(-0.3, 0.3, shape[0])
    g[0, -1] = 0.0
    wires = Wires(r_in="20 ohm", r_out="10 ohm", rs_in="200 ohm", rs_out="100 ohm")
    found = nonlinear_currents(g, v, wires, selector=curve)
    np.testing.assert_allclose(found, _dense(g, v, wires, curve), rtol=1e-6, atol=1e-16)


@pytest.mark.parametrize("encoding", ["amplitude", "pulse width", "bit serial"])
def test_reads_are_sums_of_cells(encoding):
    rng = np.random.default_rng(2)
    w, x = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((12, 3), (4, 12)))
    x[:, 0], w[0, 0] = 1.0, 1.0
    programmed = Crossbar(cell=CELL, dac=DAC(bits=6, encoding=encoding), costs=COSTS).program(w)
    full, empty = (_alone(CURVE, g, 0.3) for g in (CELL.g_max, CELL.g_min))
    codes = np.rint(x * 31) / 31
    expected = np.zeros((4, 3))
    for sign, cells in programmed.polarities[0]:
        for i, j in np.ndindex(w.shape):
            g = cells.programmed[0][i, j]
            if encoding == "amplitude":
                expected[:, j] += [sign * _alone(CURVE, g, 0.3 * one) for one in codes[:, i]]
            else:
                expected[:, j] += sign * codes[:, i] * _alone(CURVE, g, 0.3)
    expected *= np.abs(w).max(axis=0) / (full - empty)
    np.testing.assert_allclose(programmed.matmul(x), expected, rtol=2e-5, atol=2e-5)


def test_full_inputs_of_full_cells_are_what_was_asked_for():
    w, x = np.array([[1.0, -1.0, 0.0]], np.float32), np.ones((1, 1), np.float32)
    found = Crossbar(cell=CELL, costs=COSTS).program(w).matmul(x)
    np.testing.assert_allclose(found, w, atol=1e-6)


def test_noise_reaches_the_current_through_the_selector():
    noisy = CELL.but(read_noise=GaussianReadNoise(absolute="0.05 uS"), g_min="10 uS")
    x = np.ones((4000, 20), np.float32)
    found = Crossbar(cell=noisy, costs=COSTS).program(np.ones((20, 1))).matmul(x, 3).std()
    ends = np.array([noisy.g_min, noisy.g_max])
    reach = CURVE.sensitivity(ends, np.array(0.3))
    window = noisy.window(0.3) * 0.3
    assert found == pytest.approx(np.sqrt(20 * (reach**2).sum()) * 5e-8 / window, rel=0.05)


@pytest.mark.parametrize("topology", ["A", "C"])
def test_behind_wires_of_no_resistance_reads_are_those_of_ideal_ones(topology):
    rng = np.random.default_rng(3)
    w, x = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((9, 4), (3, 9)))
    ideal = Crossbar(cell=CELL, dac=DAC(bits=6), costs=COSTS)
    wired = ideal.but(wires=Wires(r_in=1e-3, r_out=1e-3, topology=topology))
    np.testing.assert_allclose(
        wired.program(w).matmul(x), ideal.program(w).matmul(x), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("wires", [None, Wires(r_in=1e-3, r_out=1e-3)])
def test_a_full_read_dissipates_what_flows(wires):
    x = np.ones((1, 4), np.float32)
    machine = Crossbar(cell=CELL, costs=COSTS, wires=wires)
    programmed = machine.program(np.ones((4, 1), np.float32))
    amperes = 4 * sum(_alone(CURVE, g, 0.3) for g in (CELL.g_min, CELL.g_max))
    joules = programmed.integrals(x)["cell read"]
    assert joules == pytest.approx(amperes * 0.3 * machine.integration_time, rel=1e-4)


def test_what_cannot_be_solved_is_refused_by_name():
    with pytest.raises(ValueError, match="coding='offset'"):
        Crossbar(cell=CELL, coding="offset")
    with pytest.raises(ValueError, match="devices=2, each behind a selector"):
        Crossbar(cell=CELL, devices=2, wires=Wires(r_in=1.0, r_out=1.0))
    with pytest.raises(ValueError, match="conductance"):
        SelectedCurrent(conductance="-1 uS", v0="40 mV")
    with pytest.raises(ValueError, match="'sinh' beside a selector"):
        nonlinear_currents(
            np.ones((2, 2)),
            np.ones(2),
            Wires(r_in=1.0, r_out=1.0),
            law="sinh",
            v0=0.1,
            selector=CURVE,
        )
