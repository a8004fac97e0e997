"""Is the netlist the circuit that the array's own solver solves?"""

import re
import shutil
import subprocess

import numpy as np
import pytest

from pimlab.analog import Wires, wire_currents
from pimlab.interchange import spice_netlist

G = np.array([[1e-5, 2e-5, 0.0], [3e-5, 5e-6, 1e-5]])
MINUS = np.array([[0.0, 1e-5, 4e-6], [2e-6, 0.0, 1e-5]])
CASES = {
    "A": (Wires(r_in=10, r_out=20, rs_in=5, rs_out=40), np.array([0.2, -0.1])),
    "A first": (Wires(r_in=10, r_out=20, sense="first"), np.array([0.2, 0.1])),
    "A without input wires": (Wires(r_in=0, r_out=20, rs_out=3), np.array([0.2, 0.1])),
    "B": (Wires(r_in=10, r_out=20, rs_in=5, rs_out=40, topology="B"), np.array([1, 0])),
    "C": (Wires(r_in=10, r_out=20, rs_in=5, topology="C"), np.array([0.2, -0.1])),
    "D": (Wires(r_in=10, r_out=20, rs_out=9, topology="D"), np.array([1, 1])),
}


def solved(netlist):
    """Currents of the sources `vsense*`, by modified nodal analysis of the text alone."""
    parts = [line.split() for line in netlist.splitlines() if re.match("[rv]", line)]
    nodes = sorted({node for _, a, b, _ in parts for node in (a, b)} - {"0"})
    sources = [part for part in parts if part[0].startswith("v")]
    place = {name: i for i, name in enumerate(nodes)} | {
        part[0]: len(nodes) + i for i, part in enumerate(sources)
    }
    matrix, right = np.zeros((len(place),) * 2), np.zeros(len(place))
    for name, a, b, value in parts:
        ends = [(place[node], sign) for node, sign in ((a, 1), (b, -1)) if node != "0"]
        for i, sign in ends:
            if name in place:
                matrix[i, place[name]] += sign
                matrix[place[name], i] += sign
            else:
                for j, other in ends:
                    matrix[i, j] += sign * other / float(value)
        if name in place:
            right[place[name]] = float(value)
    x = np.linalg.solve(matrix, right)
    return np.array([x[at] for name, at in place.items() if name.startswith("vsense")])


@pytest.mark.parametrize("case", CASES)
def test_the_netlist_gives_the_solvers_currents(case, tmp_path):
    wires, v = CASES[case]
    pair = (MINUS,) if wires.differential else ()
    text = spice_netlist(G, v, wires, *pair)
    ours = wires.currents(G, v.astype(float)[None], *pair)[0]
    np.testing.assert_allclose(solved(text), ours, rtol=1e-9)
    if shutil.which("ngspice"):
        np.testing.assert_allclose(simulated(text, tmp_path), ours, rtol=1e-5, atol=1e-12)


def simulated(text, folder):
    """Currents as ngspice finds them."""
    (folder / "array.cir").write_text(text)
    done = subprocess.run(
        ["ngspice", "-b", "array.cir"], cwd=folder, capture_output=True, text=True, check=True
    )
    found = dict(re.findall(r"^\s*(vsense\d+)#branch\s+(\S+)", done.stdout, re.MULTILINE))
    return np.array([float(found[f"vsense{j}"]) for j in range(len(found))])


def test_the_reader_of_netlists_would_see_a_wrong_one():
    wires, v = CASES["A"]
    text = spice_netlist(G, v, wires)
    wrong = text.replace("rlast0 b_1_0 sense0 60.0", "rlast0 b_1_0 sense0 6000.0")
    assert wrong != text
    assert not np.allclose(solved(wrong), solved(text), rtol=1e-3)
    assert solved(text) == pytest.approx(
        wire_currents(G, v[None], wires.r_in, wires.r_out, wires.rs_in, wires.rs_out)[0]
    )


def test_wrong_inputs_are_named():
    with pytest.raises(ValueError, match=r"v has shape \(3,\); allowed: \(2,\)"):
        spice_netlist(G, np.ones(3), CASES["A"][0])
    with pytest.raises(ValueError, match="is bits; allowed: 0 and 1"):
        spice_netlist(G, np.array([0.2, 1]), CASES["B"][0])
