"""Wires inside a crossbar: the same currents, noise and power as the solved circuit, tile by tile."""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, Wires, dissipation, wire_currents
from pimlab.analog.circuit.nonlinear import nonlinear_currents
from pimlab.analog.devices import CubicCurrent, Device, GaussianReadNoise
from pimlab.keys import Key

CELL = Device(name="wired", g_min="1 uS", g_max="50 uS")
OHMS = {"r_in": "2 ohm", "r_out": "3 ohm", "rs_in": "20 ohm", "rs_out": "30 ohm"}


@pytest.fixture(scope="module")
def operands():
    rng = np.random.default_rng(8)
    return rng.standard_normal((20, 9)).astype(np.float32), rng.uniform(-1, 1, (6, 20)).astype(
        np.float32
    )


def _expected(programmed, x, solve):
    """Sum of the tiles' solved currents, in units of the weights."""
    (_, plus), (_, minus) = programmed.polarities[0]
    total = np.zeros((len(x), programmed.n))
    for rows in (slice(0, 12), slice(12, 20)):
        for cols in (slice(0, 5), slice(5, 9)):
            total[:, cols] += solve(
                plus.programmed[0, rows, cols], minus.programmed[0, rows, cols], x[:, rows]
            )
    return total / (CELL.g_max - CELL.g_min) * programmed.written.scale


@pytest.mark.parametrize("topology", ["A", "C"])
def test_linear_wires_are_the_solved_circuit(operands, topology):
    w, x = operands
    programmed = Crossbar(
        rows=12, cols=5, cell=CELL, wires=Wires(topology=topology, **OHMS)
    ).program(w)
    full = np.abs(x).max(axis=1, keepdims=True)

    def solve(plus, minus, v):
        if topology == "C":
            return wire_currents(plus, v, **OHMS, g_negative=minus, topology="C")
        return wire_currents(plus, v, **OHMS, topology="A") - wire_currents(
            minus, v, **OHMS, topology="A"
        )

    exact = _expected(programmed, x, lambda p, m, v: solve(p, m, v / full) * full)
    assert np.abs(programmed.matmul(x) - exact).max() < 3e-6 * np.abs(exact).max()


@pytest.mark.parametrize("topology", ["B", "D"])
def test_gated_wires_are_solved_bit_by_bit(operands, topology):
    w, _ = operands
    x = np.random.default_rng(1).integers(-3, 4, (5, 20)).astype(np.float32)
    x[:, 0] = 3
    machine = Crossbar(
        rows=12,
        cols=5,
        cell=CELL,
        wires=Wires(topology=topology, **OHMS),
        dac=DAC(bits=3, encoding="bit serial"),
    )
    programmed = machine.program(w)

    def solve(plus, minus, v):
        total = 0.0
        for bit in (0, 1):
            for sign in (1, -1):
                on = ((np.abs(v).astype(int) >> bit) & 1) * (np.sign(v) == sign)
                pair = (
                    wire_currents(plus, on.astype(float), **OHMS, g_negative=minus, topology="D")
                    if topology == "D"
                    else (
                        wire_currents(plus, on.astype(float), **OHMS, topology="B")
                        - wire_currents(minus, on.astype(float), **OHMS, topology="B")
                    )
                )
                total = total + sign * 2**bit * pair
        return total

    exact = _expected(programmed, x, solve)
    assert np.abs(programmed.matmul(x) - exact).max() < 3e-6 * np.abs(exact).max()


def test_no_resistance_is_no_wires(operands):
    w, x = operands
    plain = Crossbar(rows=12, cols=5, cell=CELL)
    thin = plain.but(wires=Wires(r_in=0, r_out=0))
    assert thin.program(w).matmul(x) == pytest.approx(
        plain.program(w).matmul(x), rel=1e-5, abs=1e-5
    )
    assert thin.causes == ("wires",)
    assert thin.with_causes(()).wires is None


def test_wires_take_from_signal_and_noise(operands):
    w, x = np.ones((20, 4), np.float32), np.ones((20_000, 20), np.float32)
    noisy = CELL.but(read_noise=GaussianReadNoise(relative=0.05))
    clean, wired = (
        Crossbar(cell=noisy, wires=wires, scaling="layer").program(w)
        for wires in (None, Wires(topology="C", **OHMS))
    )
    y = [programmed.matmul(x, Key(seed=2))[:, 0] for programmed in (clean, wired)]
    assert y[1].mean() < 0.98 * y[0].mean()
    assert 0.9 < y[1].std() / y[0].std() < 0.99


def test_power_balances_the_sources(operands):
    w, x = operands
    wires = Wires(topology="C", **OHMS)
    machine = Crossbar(rows=12, cols=5, cell=CELL, wires=wires, scaling="layer")
    programmed = machine.program(w)
    joules = programmed.integrals(x)
    ideal = machine.but(wires=None).program(w).integrals(x)
    assert 0.8 * ideal["cell read"] < joules["cell read"] < ideal["cell read"]
    assert 0 < joules["wire read"] < 0.2 * joules["cell read"]
    assert sum(joules.values()) < ideal["cell read"]
    assert set(joules) <= set(machine.prices)


def test_pulses_through_wires_dissipate_while_they_last():
    machine = Crossbar(
        cell=CELL, wires=Wires(topology="A", **OHMS), dac=DAC(bits=8, encoding="pulse width")
    )
    programmed = machine.program(np.ones((3, 2), np.float32))
    full = programmed.integrals(np.ones((1, 3), np.float32))["cell read"]
    assert programmed.integrals(np.array([[1, 1, 0]], np.float32))["cell read"] < full


@pytest.mark.parametrize("topology", ["B", "D"])
def test_switched_cells_dissipate_what_their_circuits_do(topology):
    w = np.random.default_rng(3).standard_normal((20, 9)).astype(np.float32)
    x = np.random.default_rng(1).integers(-3, 4, (5, 20)).astype(np.float32)
    x[:, 0] = 3
    wires = Wires(topology=topology, **OHMS)
    machine = Crossbar(
        rows=12, cols=5, cell=CELL, wires=wires, dac=DAC(bits=3, encoding="bit serial")
    )
    programmed = machine.program(w)
    (_, plus), (_, minus) = programmed.polarities[0]
    expected = dict.fromkeys(("cells", "sources"), 0.0)
    for rows in (slice(0, 12), slice(12, 20)):
        for cols in (slice(0, 5), slice(5, 9)):
            for bit, sign in ((0, 1), (1, 1), (0, -1), (1, -1)):
                on = (
                    ((np.abs(x[:, rows]).astype(int) >> bit) & 1) * (np.sign(x[:, rows]) == sign)
                ).astype(float)
                pair = plus.programmed[0, rows, cols], minus.programmed[0, rows, cols]
                for found in (
                    [dissipation(pair[0], on, wires, pair[1])]
                    if topology == "D"
                    else [dissipation(g, on, wires) for g in pair]
                ):
                    expected = {
                        part: joules + found[part].sum() for part, joules in expected.items()
                    }
    unit = machine.costs.read_voltage**2 * machine.costs.integration_time
    joules = programmed.integrals(x)
    assert joules["cell read"] == pytest.approx(unit * expected["cells"], rel=1e-9)
    assert sum(joules.values()) == pytest.approx(unit * expected["sources"], rel=1e-9)


def test_reference_columns_stand_in_their_arrays():
    rng = np.random.default_rng(3)
    w, x = (
        rng.uniform(-1, 1, (10, 7)).astype(np.float32),
        rng.uniform(-1, 1, (4, 10)).astype(np.float32),
    )
    w[0] = 1
    x[:, 0] = 1
    ohms = {"r_in": 100.0, "r_out": 50.0}
    programmed = Crossbar(cols=3, cell=CELL, coding="offset column", wires=Wires(**ohms)).program(w)
    ((_, bank),) = programmed.polarities[0]
    assert bank.programmed.shape == (1, 10, 7 + 3)
    expected = []
    for first, count in ((0, 4), (4, 4), (8, 2)):
        current = wire_currents(bank.programmed[0, :, first : first + count], x, **ohms)
        expected.append(2 * (current[:, :-1] - current[:, -1:]) / (CELL.g_max - CELL.g_min))
    np.testing.assert_allclose(programmed.matmul(x), np.hstack(expected), atol=2e-6)


def test_wires_keep_threads_and_chunks(operands):
    w, x = operands
    machine = Crossbar(
        rows=12,
        cols=5,
        cell=CELL.but(read_noise=GaussianReadNoise(relative=0.05)),
        adc=ADC(bits=8),
        wires=Wires(topology="C", **OHMS),
    )
    programmed = machine.program(w)
    whole = programmed.matmul(x, Key(seed=1))
    assert np.array_equal(
        np.vstack([programmed.matmul(x[i : i + 2], Key(seed=1).rows(i)) for i in (0, 2, 4)]), whole
    )


def test_errors_teach():
    pair = Wires(topology="D", **OHMS)
    with pytest.raises(ValueError, match="encoding='bit serial'"):
        Crossbar(wires=pair)
    with pytest.raises(ValueError, match="carry pairs"):
        Crossbar(
            wires=Wires(topology="C", **OHMS), coding="offset", slices=Slices(bits=4, per_cell=2)
        )


NONLINEAR = CELL.but(current=CubicCurrent(second=(2e-6,), third=(3e-5,), limit=0.5))
ENCODINGS = {
    "A": [
        None,
        DAC(bits=3),
        DAC(bits=3, encoding="pulse width"),
        DAC(bits=3, encoding="bit serial"),
    ],
    "B": [DAC(bits=3, encoding="bit serial")],
}
ENCODINGS |= {"C": ENCODINGS["A"], "D": ENCODINGS["B"]}


def _bent_currents(plus, minus, x, topology, volts=0.2):
    """Currents of nonlinear cells over volts, of amplitudes (A, C) or bits (B, D), each tile by itself."""
    wires = Wires(topology=topology, **OHMS)
    laws = [
        np.full((len(g), *plus.shape), row[0])
        for g, row in (([0], NONLINEAR.current.second), ([0], NONLINEAR.current.third))
    ]
    if wires.differential:
        pair = [np.concatenate([law, law]) for law in laws]
        return nonlinear_currents(plus, x, wires, *pair, minus, supply=volts, odd=True) / volts
    single = [nonlinear_currents(g, x, wires, *laws, supply=volts, odd=True) for g in (plus, minus)]
    return (single[0] - single[1]) / volts


@pytest.mark.parametrize(
    ("topology", "dac"), [(t, dac) for t, dacs in ENCODINGS.items() for dac in dacs]
)
def test_bent_cells_behind_wires_are_solved_input_by_input(operands, topology, dac):
    w = operands[0]
    x = (
        np.random.default_rng(2)
        .integers(-3, 4, (3 if topology in "AC" else 1, 20))
        .astype(np.float32)
    )
    x[:, 0] = 3
    machine = Crossbar(
        rows=12, cols=5, cell=NONLINEAR, wires=Wires(topology=topology, **OHMS), dac=dac
    )

    def solve(plus, minus, codes):
        if dac is None or dac.encoding == "amplitude":
            return 3 * _bent_currents(plus, minus, 0.2 * codes / 3, topology)
        if dac.encoding == "pulse width":
            return sum(
                _bent_currents(
                    plus, minus, 0.2 * np.sign(codes) * (np.abs(codes) >= slot), topology
                )
                for slot in (1, 2, 3)
            )
        total = 0.0
        for bit in (0, 1):
            digit = np.sign(codes) * ((np.abs(codes).astype(int) >> bit) & 1)
            if topology in "AC":
                total = total + 2**bit * _bent_currents(plus, minus, 0.2 * digit, topology)
            else:
                signed = [
                    sign * _bent_currents(plus, minus, (digit == sign).astype(float), topology)
                    for sign in (1, -1)
                ]
                total = total + 2**bit * (signed[0] + signed[1])
        return total

    exact = _expected(machine.program(w), x, solve)
    assert np.abs(machine.program(w).matmul(x) - exact).max() < 3e-6 * np.abs(exact).max()


def test_bent_cells_behind_ideal_wires_are_bent_cells(operands):
    w, x = operands
    ideal = Wires(r_in=0, r_out=0)
    for dac in (None, DAC(bits=4, encoding="pulse width")):
        wired, plain = (
            Crossbar(rows=12, cell=NONLINEAR, dac=dac, wires=wires).program(w).matmul(x)
            for wires in (ideal, None)
        )
        np.testing.assert_allclose(wired, plain, atol=2e-6 * np.abs(plain).max())
    noisy = NONLINEAR.but(read_noise=GaussianReadNoise(absolute="0.5 uS"))
    seen = (
        Crossbar(rows=12, cell=noisy, wires=ideal)
        .program(w)
        .matmul(np.repeat(x[:1], 4000, axis=0), 3)
    )
    expected = Crossbar(rows=12, cell=noisy).program(w).matmul(np.repeat(x[:1], 4000, axis=0), 3)
    assert seen.std(axis=0) == pytest.approx(expected.std(axis=0), rel=0.05)


@pytest.mark.parametrize("sense", ["last", "first"])
@pytest.mark.parametrize("topology", "ABCD")
def test_a_matrix_at_the_far_corner_is_part_of_the_whole_array(topology, sense):
    """As a whole array whose unused cells are open, solved without this placing."""
    rng = np.random.default_rng(7)
    w, x = rng.uniform(-1, 1, (5, 4)), (rng.random((6, 5)) < 0.6).astype(np.float32)
    wires = Wires(r_in=30.0, r_out=20.0, rs_in=200.0, rs_out=90.0, topology=topology, sense=sense)
    machine = Crossbar(
        rows=8, cols=3, cell=CELL, wires=wires, dac=DAC(bits=2, encoding="bit serial")
    )
    machine = machine.but(cell=CELL.but(g_min=0.0, read_noise=None, programming=None))
    programmed = machine.but(corner="far").program(w.astype(np.float32), 0)
    (_, plus), (_, minus) = programmed.polarities[0]
    expected = []
    for first in (0, 3):
        width = min(3, 4 - first)
        pair = []
        for bank in (plus, minus):
            g = np.zeros((8, 3))
            rows = slice(0, 5) if sense == "last" else slice(3, 8)
            columns = slice(3 - width, 3) if topology in "AC" else slice(0, width)
            g[rows, columns] = bank.programmed[0, :, first : first + width]
            pair.append(g)
        v = np.zeros((6, 8))
        v[:, rows] = x
        if topology in "CD":
            current = wires.currents(pair[0], v, pair[1])
        else:
            current = wires.currents(pair[0], v) - wires.currents(pair[1], v)
        expected.append(current[:, columns])
    span = machine.cell.g_max / programmed.written.scale
    np.testing.assert_allclose(
        programmed.matmul(x), np.hstack(expected) / span, rtol=2e-5, atol=1e-7
    )
    assert not np.allclose(programmed.matmul(x), machine.program(w.astype(np.float32)).matmul(x))
