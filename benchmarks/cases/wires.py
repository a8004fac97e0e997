"""Cases of `pimlab.kernels.wires`, and of the solvers built on them, against dense and sparse nodal
solves.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.analog.circuit.wires import effective_conductance, wire_currents
from pimlab.kernels import wires as kernels
from pimlab.reference import wires as reference

_RTOL, _ATOL = 1e-10, 1e-15
_OHMS = (2.0, 32.0, 5.0, 45.0)


def _siemens(rng, *shape):
    """1 to 100 uS, and some cells that do not conduct."""
    return rng.uniform(1e-6, 1e-4, shape) * (rng.random(shape) > 0.05)


def _line_port(g, r, r_first):
    admittance, injection = np.zeros((g.size, g.size), order="F"), np.empty(g.size)
    kernels.line_port(g, r, r_first, admittance, injection)
    return admittance, injection


def _line_voltages(g, v, b, source, r, r_first):
    w = np.empty_like(b)
    kernels.line_voltages(g, v, b, source, r, r_first, w)
    return w


def _gated(kernel):
    def run(g, active, *ohms):
        out = np.empty((active.shape[0], g.shape[-1]))
        kernel(g, active, *ohms, out)
        return out

    return run


def _gated_voltages(kernel):
    def run(g, source, supply, *ohms):
        w, b = np.empty_like(g), np.empty(g.shape[1:])
        kernel(g, source, supply, *ohms, w, b)
        return w, b

    return run


def _line(rng, size):
    n = {"tiny": 2, "small": 13, "large": 512}[size]
    return (
        _siemens(rng, n),
        rng.uniform(-1, 1, 3),
        rng.uniform(-1, 1, (3, n)),
        1e-5 * rng.uniform(-1, 1, (3, n)),
        2.0,
        30.0,
    )


def _patterns(lines):
    def make(rng, size):
        rows, n, patterns = {"tiny": (3, 2, 2), "small": (11, 6, 5), "large": (256, 256, 1000)}[
            size
        ]
        g = _siemens(rng, *lines, rows, n)
        active = rng.random((patterns, rows)) < 0.5
        active[0] = False
        return g, active, *_OHMS

    return make


def _sources(rng, size):
    rows, n = {"tiny": (2, 1), "small": (9, 5), "large": (256, 256)}[size]
    g = _siemens(rng, 2, rows, n)
    return g, 1e-5 * rng.uniform(-1, 1, g.shape), np.array([1.0, -1.0]), *_OHMS


def _array(rng, size):
    shape = {"tiny": (2, 3), "small": (9, 7), "large": (256, 256)}[size]
    return (_siemens(rng, *shape),)


def _solved_one_by_one(g):
    return np.array(
        [reference.currents(g[None], v, 1.0, 2.0, 30.0, 40.0) for v in np.eye(g.shape[0])]
    )


def _leaves(lines):
    def make(rng, size):
        blocks, rows, n = {"tiny": (2, 2, 1), "small": (3, 4, 5), "large": (4096, 8, 8)}[size]
        along = rng.uniform(0.1, 2, (blocks, lines, rows, n))
        return _siemens(rng, blocks, lines, rows, n), along, rng.uniform(0.1, 2, (blocks, rows, n))

    return make


def _leaf_blocks(g, along, across):
    blocks, lines, rows, n = g.shape
    out = np.empty((blocks, *[2 * (lines * rows + n)] * 2))
    kernels.leaf_blocks(g, along, across, out)
    return out


CASES = {
    "wires.leaf_blocks": Case(
        _leaf_blocks,
        reference.leaf_blocks,
        _leaves(1),
        _RTOL,
        _ATOL,
        covers=("wires.leaf_blocks",),
    ),
    "wires.leaf_blocks of pairs": Case(
        _leaf_blocks,
        reference.leaf_blocks,
        _leaves(2),
        _RTOL,
        _ATOL,
        covers=("wires.leaf_blocks",),
    ),
    "wires.line_port": Case(
        _line_port,
        reference.line_port,
        lambda rng, size: (_line(rng, size)[0], 2.0, 30.0),
        _RTOL,
        _ATOL,
        covers=("wires.line_port",),
    ),
    "wires.line_voltages": Case(
        _line_voltages,
        reference.line_voltages,
        _line,
        _RTOL,
        1e-13,
        covers=("wires.line_voltages",),
    ),
    "wires.gated_single": Case(
        _gated(kernels.gated_single),
        reference.gated_single,
        _patterns(()),
        _RTOL,
        _ATOL,
        covers=("wires.gated_single",),
    ),
    "wires.gated_pair": Case(
        _gated(kernels.gated_pair),
        reference.gated_pair,
        _patterns((2,)),
        _RTOL,
        _ATOL,
        covers=("wires.gated_pair",),
    ),
    "wires.gated_voltages": Case(
        _gated_voltages(kernels.gated_voltages),
        reference.gated_voltages,
        _sources,
        _RTOL,
        1e-12,
        covers=("wires.gated_voltages",),
    ),
    "wires.gated_near": Case(
        _gated(kernels.gated_near),
        reference.gated_near,
        _patterns((2,)),
        _RTOL,
        _ATOL,
        covers=("wires.gated_near",),
    ),
    "wires.gated_near_single": Case(
        _gated(kernels.gated_near),
        reference.gated_near,
        _patterns((1,)),
        _RTOL,
        _ATOL,
        covers=("wires.gated_near",),
    ),
    "wires.gated_near_voltages": Case(
        _gated_voltages(kernels.gated_near_voltages),
        reference.gated_near_voltages,
        _sources,
        _RTOL,
        1e-12,
        covers=("wires.gated_near_voltages",),
    ),
    "wires.effective_conductance": Case(
        lambda g: effective_conductance(g, 1.0, 2.0, 30.0, 40.0),
        _solved_one_by_one,
        _array,
        1e-9,
        _ATOL,
        covers=("wires.line_port",),
    ),
    "wires.gated_inputs": Case(
        lambda g, active, *_: wire_currents(g, active, 2.0, 5.0, 30.0, 40.0, topology="B"),
        reference.gated_single,
        _patterns(()),
        _RTOL,
        _ATOL,
        covers=("wires.gated_single",),
    ),
}
