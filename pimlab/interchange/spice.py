"""Which circuit is an array of cells with its wires? A netlist that SPICE solves.

Nodes `w<line>_<i>_<j>` are on the input (or supply) lines and `b_<i>_<j>` on the output lines, as
`pimlab.analog.Wires` draws them; the current of the voltage source `vsense<j>` is the answer of
column j. A resistance of 0 is a source of 0 V, a cell of 0 S or behind a closed gate is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from pimlab.analog.circuit.wires import Wires, cell_lines
from pimlab.arguments import typed


@typed
def spice_netlist(
    g: np.ndarray,
    v: np.ndarray,
    wires: Wires,
    g_negative: np.ndarray | None = None,
    title: str = "crossbar of pimlab",
) -> str:
    """SPICE netlist of one read of an array; `ngspice -b FILE` prints the currents of its columns.

    g, g_negative : float64, shape (M, N) [S]; the second for topologies "C" and "D".
    v : float64, shape (M,) [V] for "A" and "C"; bits for "B" and "D", whose supplies stand at 1 V.
    wires : resistances and topology. ValueError for other shapes, and for input that is no bit
    where bits are meant. `i(vsense<j>)` is the current [A] into the sense node of column j.

    >>> text = pim.interchange.spice_netlist(
    ...     np.array([[1 / 1024]]), np.array([0.2]), pim.analog.Wires(r_in=1, r_out=1)
    ... )
    >>> text.splitlines()[3]
    'rcell0_0_0 w0_0_0 b_0_0 1024.0'
    """
    lines = cell_lines(wires, g, g_negative)
    count, rows, columns = lines.shape
    v = np.asarray(v, float)
    if v.shape != (rows,) or not np.isfinite(v).all():
        raise ValueError(f"v has shape {v.shape}; allowed: ({rows},), one finite value a row of g")
    if not wires.linear and not np.isin(v, (0, 1)).all():
        raise ValueError(f"v of topology {wires.topology!r} is bits; allowed: 0 and 1")
    parts = [
        *(text for line in range(count) for text in _inputs(wires, lines[line], line, v)),
        *_cells(wires, lines, v),
        *_outputs(wires, rows, columns),
    ]
    currents = " ".join(f"i(vsense{j})" for j in range(columns))
    return "\n".join(
        [f"* {title}", *parts, ".op", f".print op {currents}", ".options numdgt=12", ".end", ""]
    )


def _resistor(name: str, a: str, b: str, ohms: float) -> str:
    return f"v{name} {a} {b} 0" if ohms == 0 else f"r{name} {a} {b} {float(ohms)!r}"


def _inputs(wires: Wires, g: np.ndarray, line: int, v: np.ndarray) -> Iterator[str]:
    """Drivers (or supplies), and the segments of the lines that they feed."""
    rows, columns = g.shape
    sign = (1.0, -1.0)[line]
    along_rows = wires.linear
    for k in range(rows if along_rows else columns):
        volts = sign * (v[k] if along_rows else 1.0)
        source = f"s{line}_{k}"
        yield f"vdrive{line}_{k} {source} 0 {float(volts)!r}"
        length = columns if along_rows else rows
        places = [(k, j) if along_rows else (j, k) for j in range(length)]
        nodes = [f"w{line}_{i}_{j}" for i, j in places]
        yield _resistor(f"first{line}_{k}", source, nodes[0], wires.r_in + wires.rs_in)
        for a, b in itertools.pairwise(nodes):
            yield _resistor(f"in_{a}", a, b, wires.r_in)


def _cells(wires: Wires, lines: np.ndarray, v: np.ndarray) -> Iterator[str]:
    for line, i, j in zip(*np.nonzero(lines), strict=True):
        if wires.linear or v[i] == 1:
            ohms = 1 / float(lines[line, i, j])
            yield _resistor(f"cell{line}_{i}_{j}", f"w{line}_{i}_{j}", f"b_{i}_{j}", ohms)


def _outputs(wires: Wires, rows: int, columns: int) -> Iterator[str]:
    """Segments of the output lines, and the sense nodes at 0 V."""
    order = list(range(rows)) if wires.sense == "last" else list(range(rows))[::-1]
    for j in range(columns):
        nodes = [f"b_{i}_{j}" for i in order]
        for a, b in itertools.pairwise(nodes):
            yield _resistor(f"out_{a}", a, b, wires.r_out)
        yield _resistor(f"last{j}", nodes[-1], f"sense{j}", wires.r_out + wires.rs_out)
        yield f"vsense{j} sense{j} 0 0"
