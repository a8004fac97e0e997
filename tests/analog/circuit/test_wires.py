"""Wire resistance: equal to nodal solves, ngspice and badcrossbar, exact in every limit, and teaching in its errors."""

from functools import partial
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab.analog.circuit.nodes import node_voltages
from pimlab.analog.circuit.wires import (
    Wires,
    effective_conductance,
    first_order_loss,
    read_time,
    settling_time,
    wire_currents,
)
from pimlab.reference import wires as reference

DATA = Path(__file__).parents[3] / "datasets" / "reference" / "analog" / "crossbar"
FILES = sorted(DATA.glob("xbar_*.npz"))
OHMS = ("r_in", "r_out", "rs_in", "rs_out")
SETTINGS = settings(deadline=None, max_examples=40)


def _close(found, expected, share=1e-9):
    """Equal to `share` of the largest expected current."""
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=share * np.abs(expected).max(initial=1e-30)
    )


def _siemens(seed, *shape):
    return np.random.default_rng(seed).uniform(1e-6, 1e-4, shape)


def _inputs(seed, rows, topology, batch=3):
    v = np.random.default_rng(seed).random((batch, rows))
    return v if topology in "AC" else np.rint(v)


@st.composite
def arrays(draw, pair=False):
    """(g (lines, M, N), ohms) with conductances over six decades, open cells, and resistances of zero."""
    shape = (2 if pair else 1, draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    g = 10 ** rng.uniform(-9, -3, shape) * (rng.random(shape) > draw(st.sampled_from([0.0, 0.3])))
    ohm = st.sampled_from([0.0, 0.01, 1.0, 7.5, 300.0])
    return g, dict(zip(OHMS, draw(st.tuples(ohm, ohm, ohm, ohm)), strict=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reference_circuits(path):
    with np.load(path) as case:
        topology, ohms = path.stem.split("_")[1], {name: float(case[name]) for name in OHMS}
        negative = case["Gneg"] if topology in "CD" else None
        found = wire_currents(case["G"], case["V"], **ohms, g_negative=negative, topology=topology)
        _close(found, case["I_nodal"], 1e-11)
        if not np.isnan(case["I_ngspice"]).any():
            _close(found, case["I_ngspice"], 1e-11)
        if topology in "AC":
            _close(
                case["V"] @ effective_conductance(case["G"], **ohms, g_negative=negative),
                case["I_nodal"],
                1e-11,
            )


def test_all_reference_circuits_are_here():
    assert len(FILES) == 32


@pytest.mark.parametrize("size", ["8x5", "32x24", "64x64"])
def test_badcrossbar(size):
    with np.load(DATA / "badcrossbar_A.npz") as case:
        _close(
            wire_currents(case[f"G_{size}"], case[f"V_{size}"], *case[f"r_{size}"]),
            case[f"I_{size}"],
            1e-11,
        )


def test_current_printed_in_the_readme_of_badcrossbar():
    ohm = np.array(
        [[345.0, 903, 755, 257, 646], [652, 401, 508, 166, 454], [442, 874, 190, 244, 635]]
    )
    nodes = node_voltages(1 / ohm, np.array([2.6, 1.1, 3.3]), Wires(r_in=0.5, r_out=0.5))
    assert nodes.drop[0, 0, 0, 3] / ohm[0, 3] == pytest.approx(0.009856197822795886, rel=1e-14)


def test_two_cells_by_hand():
    """One input, one output: V through rs_in + r_in, the cell, r_out + rs_out; then two cells in one column without r_in."""
    assert wire_currents([[1e-3]], [1.0], 100, 200, 300, 400) == pytest.approx([1 / 2000])
    # Output line of 1 kohm segments: b1 = 1 kohm * I, I = (1 - b0) mS + (1 - b1) mS, b0 - b1 = 1 kohm * (1 - b0) mS: I = 3/5 mA.
    assert wire_currents([[1e-3], [1e-3]], [1.0, 1.0], 0, 1000) == pytest.approx([6e-4])


@pytest.mark.parametrize("topology", "ABCD")
@given(case=st.data())
@SETTINGS
def test_equal_to_the_nodal_solve(topology, case):
    g, ohms = case.draw(arrays(pair=topology in "CD"))
    v = _inputs(1, g.shape[1], topology)
    expected = np.array([reference.currents(g, row, **ohms, topology=topology) for row in v])
    found = wire_currents(
        g[0], v, **ohms, g_negative=g[1] if topology in "CD" else None, topology=topology
    )
    # The twin itself loses about eps * (largest over smallest conductance, segments included).
    largest = np.abs(g).max(initial=0)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e-9 * max(np.abs(expected).max(), 1e-3 * largest) + 1e-30
    )


@given(case=arrays())
@SETTINGS
def test_transposed_array_with_swapped_drivers_is_the_transposed_matrix(case):
    g, ohms = case
    matrix = effective_conductance(g[0], **ohms)
    swapped = effective_conductance(
        g[0, ::-1, ::-1].T, ohms["r_out"], ohms["r_in"], ohms["rs_out"], ohms["rs_in"]
    )
    _close(swapped[::-1, ::-1].T, matrix)


@given(case=arrays(pair=True))
@SETTINGS
def test_superposition_and_pairs(case):
    (plus, minus), ohms = case
    v = _inputs(2, plus.shape[0], "A")
    single = wire_currents(plus, v, **ohms)
    _close(wire_currents(plus, 3 * v[:1] - 2 * v[1:2], **ohms), 3 * single[:1] - 2 * single[1:2])
    both = wire_currents(plus, v, **ohms, g_negative=minus, topology="C")
    _close(wire_currents(minus, v, **ohms, g_negative=plus, topology="C"), -both)
    bits = np.rint(v)
    gated = wire_currents(plus, bits, **ohms, g_negative=minus, topology="D")
    scale = np.abs(wire_currents(plus + minus, bits, **ohms, topology="B")).max() + 1e-30
    np.testing.assert_allclose(
        wire_currents(minus, bits, **ohms, g_negative=plus, topology="D"),
        -gated,
        rtol=0,
        atol=1e-9 * scale,
    )


@given(case=arrays())
@SETTINGS
def test_wires_only_take_current_away(case):
    g, ohms = case
    ones = np.ones(g.shape[1])
    assert (wire_currents(g[0], ones, **ohms) <= g[0].sum(0) * (1 + 1e-12)).all()
    assert (effective_conductance(g[0], **ohms) >= 0).all()


@pytest.mark.parametrize("topology", "ABCD")
def test_zero_resistance_is_the_product(topology):
    g = _siemens(3, 2, 6, 4)
    v = _inputs(4, 6, topology)
    negative = g[1] if topology in "CD" else None
    expected = v @ (g[0] - (g[1] if topology in "CD" else 0))
    np.testing.assert_allclose(
        wire_currents(g[0], v, 0, 0, g_negative=negative, topology=topology), expected, rtol=1e-13
    )


def test_zero_resistance_gives_the_conductances_bit_for_bit():
    g = _siemens(5, 6, 4)
    assert np.array_equal(effective_conductance(g, 0, 0), g)


@pytest.mark.parametrize("topology", "ABCD")
@pytest.mark.parametrize(
    "ohms",
    [
        (0, 2, 0, 0),
        (2, 0, 0, 0),
        (0, 0, 30, 0),
        (0, 0, 0, 40),
        (0, 2, 30, 0),
        (2, 0, 0, 40),
        (0, 0, 30, 40),
    ],
)
def test_zero_is_the_limit_of_small_resistances(topology, ohms):
    g = _siemens(6, 2, 5, 6)
    v = _inputs(7, 5, topology)
    negative = g[1] if topology in "CD" else None
    exact = wire_currents(g[0], v, *ohms, g_negative=negative, topology=topology)
    near = wire_currents(
        g[0], v, *(ohm or 1e-9 for ohm in ohms), g_negative=negative, topology=topology
    )
    _close(near, exact, 1e-10)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1), (3, 40), (40, 3)])
@pytest.mark.parametrize("topology", "ABCD")
def test_any_shape(topology, shape):
    g = _siemens(8, 2 if topology in "CD" else 1, *shape)
    v = _inputs(9, shape[0], topology)
    expected = np.array([reference.currents(g, row, 1.0, 2.0, 3.0, 4.0, topology) for row in v])
    _close(
        wire_currents(
            g[0], v, 1, 2, 3, 4, g_negative=g[1] if topology in "CD" else None, topology=topology
        ),
        expected,
        1e-11,
    )


@pytest.mark.parametrize("ratio", [10, 999, 1001, 1e6])
@pytest.mark.parametrize("end", ["rs_in", "rs_out"])
def test_ends_far_more_resistive_than_segments(ratio, end):
    """Both sides of the switch between the short and the digit-saving form of the series step.

    At 1e6 the twin is the one that errs (1.3e-9 against an elimination in long doubles, which the solver meets to 1e-15).
    """
    g = _siemens(10, 1, 20, 12)
    ohms = {"r_in": 0.5, "r_out": 0.5, "rs_in": 0.0, "rs_out": 0.0, end: 0.5 * (ratio - 1)}
    v = _inputs(11, 20, "A")
    _close(
        wire_currents(g[0], v, **ohms),
        np.array([reference.currents(g, row, **ohms) for row in v]),
        1e-14 * max(ratio, 1e3),
    )


def test_sense_at_row_0_is_the_flipped_array():
    g, v = _siemens(12, 2, 6, 4), _inputs(13, 6, "C")
    for negative, turned in ((None, None), (g[1], g[1, ::-1])):
        first = effective_conductance(g[0], 1, 2, 3, 4, negative, sense="first")
        _close(first, effective_conductance(g[0, ::-1], 1, 2, 3, 4, turned)[::-1], 1e-13)
        _close(
            wire_currents(
                g[0], v, 1, 2, 3, 4, negative, "A" if negative is None else "C", sense="first"
            ),
            v @ first,
            1e-13,
        )


def test_stacks_and_threads_do_not_matter():
    g = _siemens(14, 2, 3, 9, 5)
    stacked = effective_conductance(g, "1 ohm", "2 ohm", rs_out="40 ohm")
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    alone = effective_conductance(g, 1, 2, rs_out=40)
    numba.set_num_threads(before)
    assert np.array_equal(stacked, alone)
    _close(stacked[1, 2], effective_conductance(g[1, 2], 1, 2, rs_out=40), 1e-15)


@pytest.mark.parametrize("topology", "BD")
def test_gated_circuits_do_not_depend_on_threads(topology):
    g, bits = _siemens(19, 2, 12, 7), _inputs(20, 12, "B", batch=9)
    solve = partial(
        wire_currents,
        g[0],
        bits,
        1,
        2,
        g_negative=g[1] if topology == "D" else None,
        topology=topology,
    )
    many, before = solve(), numba.get_num_threads()
    numba.set_num_threads(1)
    one = solve()
    numba.set_num_threads(before)
    assert np.array_equal(one, many)


def test_equal_patterns_give_equal_currents_in_any_batch():
    g, bits = _siemens(15, 9, 5), np.rint(np.random.default_rng(16).random((4, 9)))
    once = wire_currents(g, bits, 1, 2, topology="B")
    assert np.array_equal(
        wire_currents(g, np.tile(bits, (3, 1))[::-1], 1, 2, topology="B"),
        np.tile(once, (3, 1))[::-1],
    )
    assert np.array_equal(wire_currents(g, bits[2].astype(bool), 1, 2, topology="B"), once[2])
    assert not wire_currents(g, np.zeros(9), 1, 2, topology="B").any()


@pytest.mark.parametrize(("r", "n"), [(0.01, 16), (0.1, 32), (0.01, 64), (0.01, 128)])
def test_first_order_law_while_the_loss_is_below_1_percent(r, n):
    g = np.full((n, n), 1e-5)
    lost = 1 - wire_currents(g, np.ones(n), r, r).mean() / (n * 1e-5)
    law = first_order_loss(r, "10 uS", n)
    assert law < 0.01
    assert lost == pytest.approx(law, rel=0.01)


def test_settling():
    assert settling_time("1 ohm", "1 fF", 256) == pytest.approx(256**2 / 2 * 1e-15)
    assert read_time(8, settling_time(2, 3e-15, 100)) == pytest.approx(9 * np.log(2) * 3e-11)
    residue = np.exp(-read_time(8, "1 ns") / 1e-9)
    assert residue == pytest.approx(0.5 / 2**8)


@pytest.mark.parametrize(
    ("segments", "driver", "bits"), [(60, 50.0, 7), (20, 0.0, 5), (33, 4e3, 9)]
)
def test_a_line_has_settled_by_the_time_that_is_charged(segments, driver, bits):
    """Against the exact decay of the ladder of segments, whose far end starts a full step away: the
    delay of Elmore is an upper bound of the slowest decay, by less than a fifth."""
    r, c = 2.0, 1e-15
    ladder = np.zeros((segments, segments))
    for i in range(segments):
        left = 1 / (r + (driver if i == 0 else 0))
        ladder[i, i] += left
        if i:
            ladder[i - 1, i - 1] += left
            ladder[i, i - 1] = ladder[i - 1, i] = -left
    rates, shapes = np.linalg.eigh(ladder / c)
    start = shapes.T @ np.ones(segments)

    def left_over(seconds):
        return shapes[-1] @ (np.exp(-rates * seconds) * start)

    charged = Wires(r_in=r, r_out=0.0, rs_in=driver, c=c).settling(1, segments, bits)
    assert left_over(charged) <= 0.5 / 2**bits < left_over(0.8 * charged)


def test_wires_value_solves_what_its_topology_is():
    g, v = _siemens(17, 2, 6, 4), _inputs(18, 6, "A")
    wires = Wires(r_in="1 ohm", r_out="500 mohm", topology="C")
    assert wires.linear
    assert wires.differential
    _close(wires.currents(g[0], v, g[1]), v @ wires.conductance(g[0], g[1]), 1e-13)
    assert wires.but(topology="A").conductance(g[0]).shape == (6, 4)


G = np.full((3, 2), 1e-5)
BAD = {
    "r_in": (lambda: effective_conductance(G, -1, 1), r"r_in=-1.*0\.\.inf ohm"),
    "nan": (lambda: effective_conductance(G, 1, float("nan")), r"r_out=nan.*finite"),
    "inf": (lambda: effective_conductance(G, 1, 1, rs_out=np.inf), r"rs_out=inf.*finite"),
    "unit": (lambda: effective_conductance(G, "1 uS", 1), r"r_in='1 uS' is not a resistance"),
    "g negative": (
        lambda: effective_conductance(-G, 1, 1),
        r"g\[0, 0\]=-1e-05 S is not a conductance; allowed: 0 or more",
    ),
    "g nan": (lambda: effective_conductance(np.where(G > 0, np.nan, G), 1, 1), r"g\[0, 0\]=nan S"),
    "g flat": (lambda: effective_conductance(G[0], 1, 1), r"g has shape \(2,\); allowed: \(M, N\)"),
    "g empty": (lambda: effective_conductance(G[:0], 1, 1), r"g has shape \(0, 2\)"),
    "pair shape": (
        lambda: effective_conductance(G, 1, 1, g_negative=G[:2]),
        r"g_negative has shape \(2, 2\); allowed: the shape of g, \(3, 2\)",
    ),
    "v length": (
        lambda: wire_currents(G, np.ones(2), 1, 1),
        r"v has shape \(2,\); allowed: \(3,\) or \(batch, 3\)",
    ),
    "v nan": (lambda: wire_currents(G, [1, np.nan, 1], 1, 1), r"v\[1\]=nan; allowed: finite volts"),
    "v volts": (
        lambda: wire_currents(G, [1, 0.5, 1], 1, 1, topology="B"),
        r"v\[1\]=0\.5; allowed: 0 or 1, since inputs gate",
    ),
    "topology": (
        lambda: wire_currents(G, np.ones(3), 1, 1, topology="E"),
        r"topology='E' is not one of A, B, C, D",
    ),
    "lower case": (
        lambda: wire_currents(G, np.ones(3), 1, 1, topology="b"),
        r"topology='b' is not one of A, B, C, D",
    ),
    "no pair": (
        lambda: wire_currents(G, np.ones(3), 1, 1, topology="D"),
        r"topology 'D' needs g_negative",
    ),
    "pair": (
        lambda: wire_currents(G, np.ones(3), 1, 1, g_negative=G),
        r"topology 'A' takes no g_negative",
    ),
    "sense": (lambda: effective_conductance(G, 1, 1, sense="frist"), r"did you mean 'first'"),
    "gated matrix": (
        lambda: Wires(r_in=1, r_out=1, topology="B").conductance(G),
        r"'B' has no one matrix",
    ),
    "stack": (lambda: wire_currents(G[None], np.ones(3), 1, 1), r"allowed: \(M, N\)"),
    "singular": (
        lambda: effective_conductance(np.full((3, 2), 1e300), 1e10, 1e10),
        r"singular|double precision",
    ),
    "gated range": (
        lambda: wire_currents(np.full((3, 2), 1e300), np.ones(3), 1e10, 1e10, topology="B"),
        r"beyond double precision",
    ),
    "n": (lambda: first_order_loss(1, 1e-5, 0), r"n=0"),
    "c": (lambda: settling_time(1, -1e-15, 4), r"c=-1e-15"),
    "bits": (lambda: read_time(-1, 1e-9), r"bits=-1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    run, text = BAD[name]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=text):
        run()
