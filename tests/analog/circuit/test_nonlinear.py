"""Non-linear cells behind wires: Newton equals the whole nodal matrix, and small voltages are linear."""

import numpy as np
import pytest

from pimlab.analog.circuit.nonlinear import Law, nonlinear_currents
from pimlab.analog.circuit.wires import Wires, wire_currents
from pimlab.reference import wires as reference

OHMS = {"r_in": 30.0, "r_out": 20.0, "rs_in": 100.0, "rs_out": 200.0}


def _case(topology):
    rng = np.random.default_rng(41)
    g, v = rng.uniform(1e-6, 1e-4, (2, 7, 5)), rng.random((3, 7))
    lines = g if topology in "CD" else g[:1]
    return (
        lines,
        v if topology in "AC" else np.rint(v),
        {"g_negative": g[1]} if topology in "CD" else {},
    )


@pytest.mark.parametrize("topology", "ABCD")
@pytest.mark.parametrize(("square", "cube"), [(0.0, -0.25), (0.3, 0.8), (-0.2, 3.0)])
def test_newton_equals_the_whole_nodal_matrix(topology, square, cube):
    lines, v, pair = _case(topology)
    wires = Wires(topology=topology, **OHMS)
    found = nonlinear_currents(lines[0], v, wires, square * lines, cube * lines, **pair)
    for row, currents in zip(v, found, strict=True):
        g = lines if wires.linear else lines * row[:, None]
        drive = wires.signs[:, None] * (row if wires.linear else np.ones(5))
        w, b = reference.solve(g, drive, **OHMS, topology=topology, a2=square * g, a3=cube * g)
        expected = reference.cell_currents(g, w, b, square * g, cube * g).sum(axis=(0, 1))
        np.testing.assert_allclose(currents, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("odd", [True, False])
def test_the_slope_is_that_of_the_current(odd):
    """A wrong slope would only cost Newton steps, and no answer would say so."""
    law = Law(np.float64(2e-5), np.float64(3e-5), np.float64(-1e-5), odd)
    for drop in (-0.3, -0.01, 0.02, 0.4):
        slope = (law.current(drop + 1e-6) - law.current(drop - 1e-6)) / 2e-6
        assert law.slope(np.float64(drop)) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("topology", "ABCD")
def test_linear_cells_are_the_linear_circuit(topology):
    lines, v, pair = _case(topology)
    found = nonlinear_currents(lines[0], v, Wires(topology=topology, **OHMS), **pair)
    expected = wire_currents(lines[0], v, **OHMS, topology=topology, **pair)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_small_voltages_are_linear():
    """A cubic cell is off by 0.25 d^2: 2.5e-7 at 1 mV."""
    lines, v, _ = _case("A")
    wires = Wires(**OHMS)
    found = nonlinear_currents(lines[0], 1e-3 * v, wires, a3=-0.25 * lines)
    np.testing.assert_allclose(found, 1e-3 * wires.currents(lines[0], v), rtol=3e-7)
    gated = nonlinear_currents(
        lines[0], np.rint(v), wires.but(topology="B"), a3=-0.25 * lines, supply=1e-3
    )
    np.testing.assert_allclose(
        gated, 1e-3 * wires.but(topology="B").currents(lines[0], np.rint(v)), rtol=3e-7
    )


def test_ideal_wires_leave_the_law_of_the_cells():
    lines, v, _ = _case("A")
    found = nonlinear_currents(lines[0], v, Wires(r_in=0, r_out=0), 0.1 * lines, -0.25 * lines)
    np.testing.assert_allclose(found, (v + 0.1 * v**2 - 0.25 * v**3) @ lines[0], rtol=1e-12)


def test_sense_at_row_0():
    lines, v, _ = _case("A")
    first = nonlinear_currents(lines[0], v, Wires(sense="first", **OHMS), a3=-0.25 * lines)
    flipped = nonlinear_currents(
        lines[0, ::-1], v[:, ::-1], Wires(**OHMS), a3=-0.25 * lines[:, ::-1]
    )
    np.testing.assert_allclose(first, flipped, rtol=1e-12)


def test_pulse_width_is_immune_and_amplitude_is_not():
    """A cell law I(d) at one voltage scales with time: only amplitude encoding sees its curvature."""
    g, wires = np.full((6, 4), 5e-5), Wires(**OHMS)
    full, half = (nonlinear_currents(g, np.full(6, v), wires, a3=-0.25 * g) for v in (1.0, 0.5))
    assert (half > 0.5 * full * 1.1).all()
    assert nonlinear_currents(g, np.full(6, 0.5), wires) == pytest.approx(
        0.5 * nonlinear_currents(g, np.ones(6), wires)
    )


def test_falling_current_is_refused():
    lines, _, _ = _case("A")
    with pytest.raises(ValueError, match=r"dI/dV=.* S at 1\.5 V; the current must rise"):
        nonlinear_currents(lines[0], np.full(7, 1.5), Wires(**OHMS), a3=-0.25 * lines)


def test_no_convergence_names_the_residual():
    lines, v, _ = _case("A")
    with pytest.raises(
        ValueError, match=r"did not converge in 1 iterations: residual .* A, allowed .* A"
    ):
        nonlinear_currents(lines[0], v, Wires(**OHMS), a3=3 * lines, iterations=1)


def test_coefficients_must_be_finite():
    lines, v, _ = _case("A")
    with pytest.raises(ValueError, match="must be finite"):
        nonlinear_currents(lines[0], v, Wires(**OHMS), a2=np.nan)
