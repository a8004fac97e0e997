"""Node voltages obey Kirchhoff's law at every node, and the power of the sources goes to named parts."""

import numpy as np
import pytest

from pimlab.analog.circuit.nodes import node_voltages
from pimlab.analog.circuit.power import PARTS, dissipation, power_matrices
from pimlab.analog.circuit.wires import Wires, wire_currents
from pimlab.reference import wires as reference

CIRCUITS = [
    ("A", "last"),
    ("A", "first"),
    ("B", "last"),
    ("C", "last"),
    ("C", "first"),
    ("D", "last"),
]
OHMS = {"r_in": 1.0, "r_out": 2.0, "rs_in": 30.0, "rs_out": 40.0}


def _case(topology, shape=(12, 9), batch=3):
    rng = np.random.default_rng(21)
    g = rng.uniform(1e-6, 1e-4, (2, *shape))
    v = rng.random((batch, shape[0]))
    return g[0], v if topology in "AC" else np.rint(v), g[1] if topology in "CD" else None


def _cells(g, v, wires, negative, drop):
    lines = g[None] if negative is None else np.stack([g, negative])
    return lines * drop * (1 if wires.linear else v[:, None, :, None])


@pytest.mark.parametrize(("topology", "sense"), CIRCUITS)
def test_kirchhoff_at_every_node(topology, sense):
    g, v, negative = _case(topology)
    wires = Wires(topology=topology, sense=sense, **OHMS)
    w, b = nodes = node_voltages(g, v, wires, negative)
    cells = _cells(g, v, wires, negative, nodes.drop)
    order = slice(None, None, -1 if sense == "first" else None)
    ends = np.concatenate([np.full((3, 1, 9), np.nan), b[:, order], np.zeros((3, 1, 9))], axis=1)
    flows = (
        -np.diff(ends, axis=1)
        / np.array([np.inf, *[OHMS["r_out"]] * 11, OHMS["r_out"] + OHMS["rs_out"]])[:, None]
    )
    flows[:, 0] = 0
    assert (
        np.abs(flows[:, :-1] + cells.sum(1)[:, order] - flows[:, 1:]).max()
        < 1e-10 * np.abs(cells).max()
    )
    axis = 3 if wires.linear else 2
    w, cells = np.moveaxis(w, axis, -1), np.moveaxis(cells, axis, -1)
    drive = (v[:, None] if wires.linear else np.ones((3, 1, 9))) * wires.signs[:, None]
    along = -np.diff(np.concatenate([drive[..., None], w], axis=-1), axis=-1) / OHMS["r_in"]
    along[..., 0] *= OHMS["r_in"] / (OHMS["r_in"] + OHMS["rs_in"])
    beyond = np.concatenate([along[..., 1:], np.zeros_like(along[..., :1])], axis=-1)
    assert np.abs(along - cells - beyond).max() < 1e-10 * np.abs(cells).max()


@pytest.mark.parametrize(("topology", "sense"), CIRCUITS)
def test_voltages_equal_the_nodal_solve(topology, sense):
    g, v, negative = _case(topology)
    wires = Wires(topology=topology, sense=sense, **OHMS)
    nodes = node_voltages(g, v, wires, negative)
    order = slice(None, None, -1 if sense == "first" else None)
    lines = (g[None] if negative is None else np.stack([g, negative]))[:, order]
    for t, row in enumerate(v):
        gate = 1 if wires.linear else row[order, None]
        drive = wires.signs[:, None] * (row[order] if wires.linear else np.ones(9))
        w, b = reference.solve(lines * gate, drive, **OHMS, topology=topology)
        np.testing.assert_allclose(nodes.w[t][:, order], w, rtol=0, atol=1e-12)
        np.testing.assert_allclose(nodes.b[t][order], b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("topology", "sense"), CIRCUITS)
@pytest.mark.parametrize(
    "ideal", [(), ("rs_in", "rs_out"), ("r_in",), ("r_out",), ("r_in", "r_out")]
)
def test_power_balance(topology, sense, ideal):
    g, v, negative = _case(topology)
    wires = Wires(
        topology=topology,
        sense=sense,
        **{name: 0.0 if name in ideal else ohm for name, ohm in OHMS.items()},
    )
    watts = dissipation(g, v, wires, negative)
    np.testing.assert_allclose(sum(watts[part] for part in PARTS), watts["sources"], rtol=1e-12)
    assert all((watts[part] >= 0).all() for part in PARTS)
    currents = wire_currents(
        g, v, wires.r_in, wires.r_out, wires.rs_in, wires.rs_out, negative, topology, sense
    )
    np.testing.assert_allclose(watts["sense"], wires.rs_out * (currents**2).sum(1), rtol=1e-9)


@pytest.mark.parametrize(("topology", "sense"), [case for case in CIRCUITS if case[0] in "AC"])
@pytest.mark.parametrize("shape", [(12, 9), (5, 11)])
def test_power_matrices_are_the_dissipation(topology, sense, shape):
    g, v, negative = _case(topology, shape)
    wires = Wires(topology=topology, sense=sense, **OHMS)
    matrices, watts = power_matrices(g, wires, negative), dissipation(g, v, wires, negative)
    assert matrices.keys() == watts.keys()
    for part, matrix in matrices.items():
        np.testing.assert_allclose(np.einsum("ti,ij,tj->t", v, matrix, v), watts[part], rtol=1e-10)


@pytest.mark.parametrize(
    ("topology", "sense"), [("B", "last"), ("B", "first"), ("D", "last"), ("D", "first")]
)
@pytest.mark.parametrize("ohms", [(0.0, 1e3), (1e3, 0.0), (1e3, 1e3), (1e-3, 1e5)])
def test_long_and_resistive_columns_keep_kirchhoff_and_power(topology, sense, ohms):
    g, v, negative = _case(topology, (300, 3))
    wires = Wires(r_in=ohms[0], r_out=ohms[1], topology=topology, sense=sense)
    watts, nodes = dissipation(g, v, wires, negative), node_voltages(g, v, wires, negative)
    np.testing.assert_allclose(sum(watts[part] for part in PARTS), watts["sources"], rtol=1e-9)
    cells = _cells(g, v, wires, negative, nodes.drop)
    currents = wire_currents(g, v, *ohms, g_negative=negative, topology=topology, sense=sense)
    np.testing.assert_allclose(
        cells.sum(axis=(1, 2)), currents, rtol=0, atol=1e-9 * np.abs(currents).max()
    )


def test_gated_circuits_have_no_power_matrices():
    with pytest.raises(ValueError, match=r"'B' has no power matrices.*use dissipation"):
        power_matrices([[1e-5]], Wires(r_in=1, r_out=1, topology="B"))


def test_parts_by_hand():
    """1 V through 100, 200, 1000, 300 and 400 ohm in series: 0.5 mA, so 0.25 uW an ohm."""
    watts = dissipation([[1e-3]], [1.0], Wires(r_in=200, r_out=300, rs_in=100, rs_out=400))
    expected = {
        "drivers": 25e-6,
        "input lines": 50e-6,
        "cells": 250e-6,
        "output lines": 75e-6,
        "sense": 100e-6,
        "sources": 500e-6,
    }
    assert {part: pytest.approx(value[0]) for part, value in watts.items()} == expected


def test_ideal_wires_leave_all_power_to_the_cells():
    g, v, _ = _case("A")
    watts = dissipation(g, v, Wires(r_in=0, r_out=0))
    np.testing.assert_allclose(watts["cells"], (v**2 @ g).sum(1), rtol=1e-13)
    assert not watts["output lines"].any()


def test_opposite_sense_burns_the_same_in_a_symmetric_array():
    g = np.full((8, 5), 5e-5)
    last, first = (
        dissipation(g, np.ones(8), Wires(r_in=1, r_out=1, sense=end)) for end in ("last", "first")
    )
    assert {part: pytest.approx(value) for part, value in last.items()} == first
