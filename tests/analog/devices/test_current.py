"""Steep cells: their curve, reads of them, and circuits against a dense Newton written for this test."""

import numpy as np
import pytest
from scipy.optimize import root

from pimlab.analog import DAC, Crossbar, Wires, macro, nonlinear_currents
from pimlab.analog.devices import Device, GaussianReadNoise, SteepCurrent

CELL = Device(name="steep", g_min="1 uS", g_max="50 uS", current=SteepCurrent(v0="0.1 V"))
COSTS = macro("generic-22nm").but(read_voltage="0.3 V")
LAWS = ["sinh", "exponential"]


def _law(law, v0):
    if law == "sinh":
        return lambda d: v0 * np.sinh(d / v0)
    return lambda d: v0 * np.sign(d) * (np.exp(np.abs(d) / v0) - 1)


def _dense(g, v, wires, bend):
    """Currents of topology A: all node voltages by SciPy's root of Kirchhoff's law."""
    rows, n = g.shape
    along = np.full((rows, n), wires.r_in)
    along[:, 0] += wires.rs_in
    across = np.full((rows, n), wires.r_out)
    across[-1] += wires.rs_out

    def flows(nodes):
        w, b = nodes.reshape(2, rows, n)
        cell = g * bend(w - b)
        into = (np.c_[v, w[:, :-1]] - w) / along
        down = (b - np.r_[b[1:], np.zeros((1, n))]) / across
        return cell, into, down

    def kirchhoff(nodes):
        cell, into, down = flows(nodes)
        left = into - np.c_[into[:, 1:], np.zeros(rows)] - cell
        below = np.r_[np.zeros((1, n)), down[:-1]] + cell - down
        return 1e6 * np.r_[left.ravel(), below.ravel()]

    start = np.r_[np.repeat(v, n), np.zeros(rows * n)]
    return flows(root(kirchhoff, start, method="hybr", options={"xtol": 1e-13}).x)[2][-1]


@pytest.mark.parametrize("law", LAWS)
def test_circuits_equal_a_dense_solve(law):
    rng = np.random.default_rng(1)
    g, v = rng.uniform(1e-6, 1e-4, (5, 4)), rng.uniform(-0.3, 0.3, 5)
    g[1, 2] = g[4, 0] = 0.0
    wires = Wires(r_in="20 ohm", r_out="10 ohm", rs_in="200 ohm", rs_out="100 ohm")
    found = nonlinear_currents(g, v, wires, law=law, v0=0.08)
    np.testing.assert_allclose(found, _dense(g, v, wires, _law(law, 0.08)), rtol=1e-7)


@pytest.mark.parametrize("law", LAWS)
def test_the_curve_is_that_of_small_voltages_and_then_steep(law):
    curve = SteepCurrent(v0="0.1 V", law=law)
    v = np.array([-0.25, 1e-7, 0.25])
    np.testing.assert_allclose(curve.current(2e-6, v), 2e-6 * _law(law, 0.1)(v), rtol=1e-6)
    with pytest.raises(ValueError, match="40 times v0=0.1 V"):
        curve.current(1e-6, np.array(4.1))
    with pytest.raises(ValueError, match="outside its I-V curve"):
        Crossbar(cell=CELL, costs=COSTS.but(read_voltage="5 V")).program(np.eye(2)).matmul(
            np.eye(2)
        )


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("encoding", ["amplitude", "pulse width", "bit serial"])
def test_reads_and_their_energy(law, encoding):
    rng = np.random.default_rng(2)
    w, x = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((30, 4), (6, 30)))
    x[:, 0] = 1.0
    bend, dac = _law(law, 0.1), DAC(bits=6, encoding=encoding)
    machine = Crossbar(cell=CELL.but(current=CELL.current.but(law=law)), dac=dac, costs=COSTS)
    programmed = machine.program(w)
    codes = np.rint(x * 31)
    if encoding == "amplitude":
        volts = 0.3 * codes / 31
        relative, energy = bend(volts) / 0.3, (bend(volts) * volts).sum(axis=0)
    else:
        relative = codes / 31 * bend(0.3) / 0.3
        on = np.abs(codes) / 31
        if encoding == "bit serial":
            on = sum((np.abs(codes).astype(int) >> bit) & 1 for bit in range(5))
        energy = (on * 0.3 * bend(0.3)).sum(axis=0)
    np.testing.assert_allclose(programmed.matmul(x), relative @ w, rtol=2e-5, atol=2e-5)
    siemens = sum(bank.programmed[0].sum(axis=1) for _, bank in programmed.polarities[0])
    window = machine.integration_time
    joules = programmed.integrals(x)["cell read"]
    assert joules == pytest.approx(energy @ siemens * window, rel=1e-5)


def test_noise_is_bent_with_the_current():
    noisy = CELL.but(read_noise=GaussianReadNoise(absolute="0.5 uS"), g_min="10 uS")
    x = np.full((4000, 20), 1.0, np.float32)
    spread = []
    for cell in (noisy, noisy.but(current=None)):
        spread.append(Crossbar(cell=cell, costs=COSTS).program(np.ones((20, 1))).matmul(x, 3).std())
    assert spread[0] / spread[1] == pytest.approx(_law("sinh", 0.1)(0.3) / 0.3, rel=1e-4)


@pytest.mark.parametrize("topology", ["A", "C"])
def test_behind_wires_of_no_resistance_reads_are_those_of_ideal_ones(topology):
    rng = np.random.default_rng(3)
    w, x = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((9, 4), (3, 9)))
    ideal = Crossbar(cell=CELL, dac=DAC(bits=6), costs=COSTS)
    wired = ideal.but(wires=Wires(r_in=1e-3, r_out=1e-3, topology=topology))
    np.testing.assert_allclose(
        wired.program(w).matmul(x), ideal.program(w).matmul(x), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"law": "cosh"}, "not one of polynomial"),
        ({"law": "sinh"}, "v0=None"),
        ({"v0": 0.1}, "law='polynomial' with v0=0.1"),
        ({"law": "sinh", "v0": -1.0}, "above 0 V"),
    ],
)
def test_bad_laws(arguments, message):
    with pytest.raises(ValueError, match=message):
        nonlinear_currents(np.ones((2, 2)), np.ones(2), Wires(r_in=1.0, r_out=1.0), **arguments)
