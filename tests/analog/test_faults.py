"""Broken cells and lines: by hand, against a dense circuit, and where they may not be."""

import numpy as np
import pytest

from pimlab.analog import Crossbar, Wires, device
from pimlab.analog.faults import ArrayFaults, CellFaults, matrix_with_gaps
from pimlab.keys import Key


@pytest.fixture(scope="module")
def operands():
    rng = np.random.default_rng(4)
    w = rng.standard_normal((20, 12)).astype(np.float32)
    return w, rng.random((6, 20), np.float32)


def _read(operands, key=3, x=None, **parts):
    w, inputs = operands
    machine = Crossbar(rows=8, cols=5, **parts)
    return machine.program(w, key).matmul(inputs if x is None else x)


def test_no_faults_change_nothing(operands):
    np.testing.assert_array_equal(_read(operands, faults=ArrayFaults()), _read(operands))


def test_open_cells_conduct_nothing(operands):
    assert not _read(operands, faults=ArrayFaults(opens=1.0)).any()
    cell = device("gaussian")
    noisy = Crossbar(cell=cell, faults=ArrayFaults(opens=1.0)).program(operands[0], 0)
    assert not noisy.matmul(operands[1], 0).any()  # nor do they add noise
    assert not noisy.integrals(operands[1])["cell read"]


def test_shorted_pairs_cancel_and_draw_power(operands):
    """All cells shorted: both columns of a pair carry the same current, V^2 G t in every cell."""
    machine = Crossbar(faults=ArrayFaults(shorts=1.0, short="50 uS"))
    short = machine.program(operands[0], 0)
    assert np.abs(short.matmul(operands[1])).max() < 1e-5
    joules = short.integrals(operands[1])["cell read"]
    relative = operands[1] / operands[1].max(axis=1, keepdims=True)
    seconds, volts = machine.integration_time, machine.read_voltage
    cells = 2 * 12 * float(np.square(relative, dtype=float).sum())
    assert joules == pytest.approx(50e-6 * volts**2 * seconds * cells, rel=1e-5)


def test_shares_are_those_asked_for():
    faults = ArrayFaults(shorts=0.02, opens=0.05, broken_inputs=0.1)
    one = Crossbar(rows=512, cols=256, faults=faults).program(np.ones((512, 256), np.float32), 2)
    ((_, plus), (_, minus)) = one.written.polarities(0)[0]
    g = one.conductances()[0][1][0]
    whole = ~plus.faults.cut
    for found, share in ((g == 1e-3, 0.02), (g == 0, 0.05)):
        assert found[whole].mean() == pytest.approx(share, abs=4 * (share / whole.sum()) ** 0.5)
    inputs, outputs = plus.faults.gaps(0, 0, 512, 256)
    assert (inputs >= 0).mean() == pytest.approx(0.1, abs=4 * (0.09 / 512) ** 0.5)
    assert (outputs < 0).all()
    np.testing.assert_array_equal(plus.faults.cut, minus.faults.cut)  # a pair shares its input


def test_a_gap_cuts_what_lies_behind_it(operands):
    w, x = operands
    broken = Crossbar(rows=8, cols=5, faults=ArrayFaults(broken_inputs=0.5, broken_outputs=0.3))
    programmed = broken.program(w, 3)
    cut = [cells.faults.cut for _, cells in programmed.written.polarities(0)[0]]
    kept = np.where(cut[0], 0, np.maximum(w, 0)) - np.where(cut[1], 0, np.maximum(-w, 0))
    np.testing.assert_allclose(programmed.matmul(x), x @ kept, atol=2e-6)
    inputs, outputs = programmed.written.polarities(0)[0][0][1].faults.gaps(0, 0, 8, 5)
    for i, j in np.ndindex(8, 5):
        behind = 0 <= inputs[i] <= j or i <= outputs[j]
        assert cut[0][i, j] == behind


@pytest.mark.parametrize("kind", ["broken_inputs", "broken_outputs"])
@pytest.mark.parametrize("topology", ["A", "C"])
def test_wires_of_little_resistance_are_ideal(operands, kind, topology):
    wires = Wires(r_in="1 mohm", r_out="1 mohm", topology=topology, sense="first")
    faults = ArrayFaults(**{kind: 0.4})
    solved = Crossbar(rows=8, cols=5, wires=wires, faults=faults).program(operands[0], 3)
    signed = solved.written.polarities(0)[0]
    w = operands[0]
    kept = [np.where(c.faults.cut, 0, np.maximum(s * w, 0)) for s, c in signed]
    np.testing.assert_allclose(
        solved.matmul(operands[1]), operands[1] @ (kept[0] - kept[1]), rtol=1e-4, atol=1e-4
    )


def _dense(g, along, across, sense):
    """Sense currents per volt at each input: one matrix of all nodes of one array, float64."""
    rows, cols = g.shape
    count = 2 * rows * cols
    node = np.arange(count).reshape(2, rows, cols)
    matrix, drive = np.zeros((count, count)), np.zeros((count, rows))

    def join(a, b, siemens):
        for one, other in ((a, b), (b, a)):
            matrix[one, one] += siemens
            matrix[one, other] -= siemens

    sensed = np.zeros((cols, count))
    order = range(rows) if sense == "last" else range(rows)[::-1]
    for i, j in np.ndindex(rows, cols):
        join(node[0, i, j], node[1, i, j], g[i, j])
        if j:
            join(node[0, i, j - 1], node[0, i, j], along[i, j])
        else:
            matrix[node[0, i, 0], node[0, i, 0]] += along[i, 0]
            drive[node[0, i, 0], i] += along[i, 0]
    for j in range(cols):
        for i, following in zip(order, list(order)[1:], strict=False):
            join(node[1, i, j], node[1, following, j], across[i, j])
        end = list(order)[-1]
        matrix[node[1, end, j], node[1, end, j]] += across[end, j]
        sensed[j, node[1, end, j]] = across[end, j]
    return (sensed @ np.linalg.solve(matrix, drive)).T


@pytest.mark.parametrize("sense", ["last", "first"])
def test_gaps_and_unequal_segments_against_all_nodes_at_once(sense):
    """Two arrays side by side, with everything at once: 1e-11 of the largest element."""
    rng = np.random.default_rng(8)
    wires = Wires(r_in="20 ohm", r_out="35 ohm", rs_in="100 ohm", rs_out="60 ohm", sense=sense)
    machine = Crossbar(
        rows=7,
        cols=6,
        wires=wires,
        faults=ArrayFaults(broken_inputs=0.4, broken_outputs=0.4, resistance_spread=0.5),
    )
    g = rng.uniform(1e-6, 1e-4, (7, 11))
    faults = CellFaults(machine.faults, g.shape, Key(seed=5), "plus", "plus", machine.place, sense)
    found = matrix_with_gaps(wires, machine.place, 0, [(1.0, g)], [faults])
    lines = [faults.segments(wires, 0, array, 7, n) for array, n in ((0, 6), (1, 5))]
    assert sum((a == 0).sum() for pair in lines for a in pair) > 4  # there are gaps
    dense = [
        _dense(part, *pair, sense)
        for part, pair in zip(np.split(g, [6], axis=1), lines, strict=True)
    ]
    np.testing.assert_allclose(found, np.hstack(dense), rtol=1e-9, atol=1e-11 * g.max())


def test_segments_have_the_resistance_asked_for_on_average():
    wires = Wires(r_in="2 ohm", r_out="3 ohm", rs_out="5 ohm")
    machine = Crossbar(rows=200, cols=200, wires=wires, faults=ArrayFaults(resistance_spread=0.3))
    one = CellFaults(machine.faults, (200, 200), Key(seed=1), "plus", "plus", machine.place, "last")
    along, across = one.segments(wires, 0, 0, 200, 200)
    error = 4 * np.expm1(0.09) ** 0.5 / 200
    assert (1 / along).mean() == pytest.approx(2, rel=error)
    assert np.log(1 / along).std() == pytest.approx(0.3, rel=0.02)
    assert (1 / across[:-1]).mean() == pytest.approx(3, rel=error)
    assert (1 / across[-1]).mean() == pytest.approx(8, rel=0.1)


def test_faults_stay_when_weights_are_written_again(operands):
    faults = ArrayFaults(opens=0.3)
    written = Crossbar(faults=faults, cell=device("gaussian")).program(operands[0], 2).written
    first, again = (written.polarities(cycle)[0][0][1] for cycle in (0, 1))
    faulty = first.faulty(slice(None))
    assert 0.2 < faulty.mean() < 0.4
    assert not again.at(0.0)[faulty].any()
    assert (first.at(0.0) != again.at(0.0)).any()


def test_a_waterfall_can_leave_them_out(operands):
    machine = Crossbar(faults=ArrayFaults(opens=0.1))
    assert machine.causes == ("faults",)
    assert machine.varies
    assert machine.with_causes(()).faults is None


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"faults": {"shorts": 0.6, "opens": 0.6}}, "add to more than 1"),
        ({"faults": {"opens": 1.1}}, r"opens=1.1"),
        ({"faults": {"short": "0 S", "shorts": 0.1}}, "short"),
        ({"faults": {"resistance_spread": 0.1}}, "needs wires"),
        (
            {
                "faults": {"broken_inputs": 0.1},
                "wires": Wires(r_in="0 ohm", r_out="1 ohm"),
            },
            "segments have a resistance",
        ),
        (
            {
                "faults": {"broken_inputs": 0.1},
                "wires": Wires(r_in="1 ohm", r_out="1 ohm"),
                "cell": device("reram-milo2021"),
            },
            "linear cells",
        ),
    ],
)
def test_what_cannot_be(parts, words):
    with pytest.raises(ValueError, match=words):
        Crossbar(**{**parts, "faults": ArrayFaults(**parts["faults"])})
