"""What becomes of a tile's conductances when its wires have resistance? A matrix, its noise, and
its power, array by array.

Input lines that carry the current (A and C) are linear: one matrix for any input. Where inputs gate
the cells (B and D) each pattern of bits is a circuit of its own, and reads go through `Gated`;
where the cells' I-V curves are nonlinear, each input is, and reads go through `NonlinearWires`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pimlab.analog.circuit.noise import read_variance, variance_matrix
from pimlab.analog.circuit.nonlinear import nonlinear_currents
from pimlab.analog.circuit.power import dissipation, power_matrices
from pimlab.analog.circuit.wires import Wires
from pimlab.analog.devices.selector import SelectedCurrent

_PATTERNS = 16
"""Patterns of bits whose node voltages are held at a time."""
Polarities = list[tuple[float, np.ndarray]]
"""(sign, conductances (k, n), S) of each polarity of a tile."""


class Place(NamedTuple):
    """Arrays of rows x cols cells, and whether a matrix that is smaller stands at their far corner:
    unused lines then lie between it and the drivers and senses, their cells open.
    """

    rows: int
    cols: int
    far: bool = False

    def arrays(self, wires: Wires, k: int, n: int) -> Iterator[tuple[slice, Wires]]:
        """Columns of each array that a tile of k x n cells takes, and its wires as seen from there.
        Unit: columns.
        """
        for first in range(0, n, self.cols):
            part = slice(first, min(first + self.cols, n))
            yield part, self._wires(wires, self.rows - k, self.cols - part.stop + part.start)

    def _wires(self, wires: Wires, rows: int, cols: int) -> Wires:
        """`wires` behind so many unused rows and columns: further segments before each line."""
        if not self.far:
            return wires
        # a supply line (B, D) runs along its column, from the end at which it is sensed or not
        before = cols if wires.linear else rows * (wires.sense == "first")
        return wires.but(
            rs_in=wires.rs_in + wires.r_in * before, rs_out=wires.rs_out + wires.r_out * rows
        )


def effective(wires: Wires, place: Place, polarities: Polarities) -> np.ndarray:
    """What the tile's wires make of its signed conductances, S, float64, shape (k, n)."""
    return _joined(
        wires, place, polarities, lambda seen, one: _circuit(seen, one, seen.conductance)
    )


def variance(
    wires: Wires, place: Place, polarities: Polarities, sigmas: list[np.ndarray], positive: bool
) -> np.ndarray:
    """Variance of a read per squared input, S^2, float64, shape (k, n), of independent cells of
    standard deviation `sigmas`, S.

    positive : inputs have one sign, so that what the wires take is that of a read with all inputs
    at half of full scale.
    """
    k, n = polarities[0][1].shape
    typical = np.full(k, 0.5) if positive else None
    out = np.empty((k, n))
    for part, seen in place.arrays(wires, k, n):
        g, sigma = [a[:, part] for _, a in polarities], [a[:, part] for a in sigmas]
        if wires.differential:
            out[:, part] = variance_matrix(
                g[0], sigma[0], seen, typical, *_second(wires, g), *_second(wires, sigma)
            )
        else:
            out[:, part] = sum(
                variance_matrix(a, s, seen, typical) for a, s in zip(g, sigma, strict=True)
            )
    return out


def power(wires: Wires, place: Place, polarities: Polarities) -> tuple[np.ndarray, np.ndarray]:
    """(cells, wires and drivers), S, float64, shape (k, k): inputs v give v @ matrix @ v watts."""
    k, n = polarities[0][1].shape
    cells, lines = np.zeros((k, k)), np.zeros((k, k))
    for part, seen in place.arrays(wires, k, n):
        g = [a[:, part] for _, a in polarities]
        circuits = (
            [power_matrices(g[0], seen, *_second(wires, g))]
            if wires.differential
            else [power_matrices(a, seen) for a in g]
        )
        for watts in circuits:
            cells += watts["cells"]
            lines += watts["sources"] - watts["cells"]
    return cells, lines


def gated_power(
    wires: Wires, place: Place, polarities: Polarities, bits: np.ndarray
) -> tuple[float, float]:
    """(cells, wires and supplies), W at 1 V of supply, summed over reads `bits` (batch, k) of -1,
    0, 1, which switch the cells (B, D). Unit: W, of bits with shape (batch, k).
    """
    cells = lines = 0.0
    for sign in (1.0, -1.0):
        patterns, counts = np.unique(bits == sign, axis=0, return_counts=True)
        for part, seen in place.arrays(wires, *polarities[0][1].shape):
            g = [a[:, part] for _, a in polarities]
            circuits = [(g[0], *_second(wires, g))] if wires.differential else [(a,) for a in g]
            for first in range(0, len(patterns), _PATTERNS):
                on, times = (
                    patterns[first : first + _PATTERNS].astype(np.float64),
                    counts[first : first + _PATTERNS],
                )
                for one in circuits:
                    watts = dissipation(one[0], on, seen, *one[1:])
                    cells += float(times @ watts["cells"])
                    lines += float(times @ (watts["sources"] - watts["cells"]))
    return cells, lines


@dataclass(frozen=True)
class Gated:
    """A tile whose inputs switch its cells: every pattern of bits is solved (equal patterns
    once).
    """

    wires: Wires
    place: Place
    polarities: Polarities
    sigmas: list[np.ndarray] | None
    span: float

    def read(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Currents and their variance, float32, shape (batch, n), relative to the range; bits
        float32, shape (batch, k) of -1, 0, 1.

        A negative bit is a second read whose result is subtracted.
        """
        rows, back = np.unique(bits, axis=0, return_inverse=True)
        currents, noise = self._read(rows)
        return currents[back.reshape(-1)], None if noise is None else noise[back.reshape(-1)]

    def _read(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        total, spread = np.zeros(1), np.zeros(1)
        for sign in (1.0, -1.0):
            on = (bits == sign).astype(np.float64)
            if on.any():
                total = total + sign * self._currents(on)
                if self.sigmas is not None:
                    spread = spread + self._variance(on)
        shape = (len(bits), self.polarities[0][1].shape[1])
        noise = (
            None
            if self.sigmas is None
            else np.broadcast_to(spread / self.span**2, shape).astype(np.float32)
        )
        return np.broadcast_to(total / self.span, shape).astype(np.float32), noise

    def _currents(self, on: np.ndarray) -> np.ndarray:
        def solve(seen: Wires, one: Polarities) -> np.ndarray:
            def currents(g: np.ndarray, g_negative: np.ndarray | None = None) -> np.ndarray:
                return seen.currents(g, on, g_negative)

            return _circuit(seen, one, currents)

        return _joined(self.wires, self.place, self.polarities, solve)

    def _variance(self, on: np.ndarray) -> np.ndarray:
        assert self.sigmas is not None
        shape = self.polarities[0][1].shape
        out = np.empty((len(on), shape[1]))
        for part, seen in self.place.arrays(self.wires, *shape):
            g, sigma = [a[:, part] for _, a in self.polarities], [a[:, part] for a in self.sigmas]
            if self.wires.differential:
                out[:, part] = read_variance(
                    g[0],
                    sigma[0],
                    on,
                    seen,
                    *_second(self.wires, g),
                    *_second(self.wires, sigma),
                )
            else:
                out[:, part] = sum(
                    read_variance(a, s, on, seen) for a, s in zip(g, sigma, strict=True)
                )
        return out


@dataclass(frozen=True)
class NonlinearWires:
    """A tile of cells with nonlinear I-V curves behind wires: every input is solved by Newton's
    method (equal inputs once).

    terms : for each polarity the coefficients (k, n) beyond the linear one, A/V^2 and A/V^3.
    volts, drive : voltage and code of a full input;  width : codes are pulse widths, so each time
    slot is a pattern of its own.
    law, v0 : of cells with one nonlinear I-V curve, as in `nonlinear_currents`.
    noise : variance of a read per squared code, relative to the range, float32, shape (k, n), as
    with linear cells, or None.
    """

    wires: Wires
    place: Place
    polarities: Polarities
    terms: list[tuple[np.ndarray, np.ndarray]]
    volts: float
    drive: float
    width: bool
    span: float
    noise: np.ndarray | None
    law: str = "polynomial"
    v0: float | None = None
    selector: SelectedCurrent | None = None

    def read(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Currents and their variance, float32, shape (batch, n), relative to the range; codes
        float32, shape (batch, k).
        """
        rows, back = np.unique(codes, axis=0, return_inverse=True)
        currents = np.stack([self._row(row) for row in rows.astype(np.float64)])
        noise = None if self.noise is None else np.square(codes) @ self.noise
        return (currents[back.reshape(-1)] / (self.volts * self.span)).astype(np.float32), noise

    def _row(self, codes: np.ndarray) -> np.ndarray:
        """Current times code of one input [A]."""
        if not codes.any():
            return np.zeros(self.polarities[0][1].shape[1])
        return sum((weight * self._solved(v) for weight, v in self._patterns(codes)), np.zeros(1))

    def _patterns(self, codes: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
        """(weight, what the lines are driven with) of each circuit that one input is."""
        if not self.wires.linear:
            yield from (
                (sign, (codes == sign).astype(float))
                for sign in (1.0, -1.0)
                if (codes == sign).any()
            )
        elif not self.width:
            yield self.drive, codes * (self.volts / self.drive)
        else:
            ends = np.unique(np.abs(codes[codes != 0]))
            for slot, end in zip(np.diff(ends, prepend=0.0), ends, strict=True):
                yield float(slot), np.sign(codes) * (np.abs(codes) >= end) * self.volts

    def _solved(self, v: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [
                self._array(part, seen, v)
                for part, seen in self.place.arrays(self.wires, *self.polarities[0][1].shape)
            ]
        )

    def _array(self, part: slice, seen: Wires, v: np.ndarray) -> np.ndarray:
        cells = [g[:, part] for _, g in self.polarities]
        laws = [[term[:, part] for term in terms] for terms in self.terms]
        if self.wires.differential:
            both = np.array(laws)
            return self._newton(
                seen, cells[0], v, both[:, 0], both[:, 1], *_second(self.wires, cells)
            )
        solved = (
            sign * self._newton(seen, g, v, *law)
            for (sign, _), g, law in zip(self.polarities, cells, laws, strict=True)
        )
        return sum(solved, np.zeros(1))

    def _newton(
        self,
        seen: Wires,
        g: np.ndarray,
        v: np.ndarray,
        a2: np.ndarray,
        a3: np.ndarray,
        g_negative: np.ndarray | None = None,
    ) -> np.ndarray:
        return nonlinear_currents(
            g,
            v,
            seen,
            a2,
            a3,
            g_negative,
            supply=self.volts,
            odd=True,
            law=self.law,
            v0=self.v0,
            selector=self.selector,
        )


@dataclass(frozen=True)
class SelectedReads:
    """A tile of cells with selectors in series and ideal wires, whose inputs are levels: each
    cell's current at each level is solved (equal inputs once).

    polarities : with conductances of each device, S, shape (devices, k, n);  volts, drive : voltage
    and code of a full input;  span : full conductance of a weight [S];  noise : as in
    `NonlinearWires`.
    """

    curve: SelectedCurrent
    polarities: Polarities
    volts: float
    drive: float
    span: float
    noise: np.ndarray | None

    def read(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Currents and their variance, float32, shape (batch, n), relative to the range; codes
        float32, shape (batch, k).
        """
        rows, back = np.unique(codes, axis=0, return_inverse=True)
        currents = np.stack([self._row(row) for row in rows.astype(np.float64)])
        noise = None if self.noise is None else np.square(codes) @ self.noise
        unit = self.volts * self.span / self.drive
        return (currents[back.reshape(-1)] / unit).astype(np.float32), noise

    def _row(self, codes: np.ndarray) -> np.ndarray:
        """Current of one input [A]."""
        on = np.flatnonzero(codes)
        volts = codes[on, None] * (self.volts / self.drive)
        return sum(
            (
                sign * self.curve.current(g[:, on], volts).sum(axis=(0, 1))
                for sign, g in self.polarities
            ),
            np.zeros(self.polarities[0][1].shape[-1]),
        )


Solved = Gated | NonlinearWires | SelectedReads
"""Tiles whose reads are circuits solved input by input."""


def _joined(
    wires: Wires,
    place: Place,
    polarities: Polarities,
    solve: Callable[[Wires, Polarities], np.ndarray],
) -> np.ndarray:
    """`solve` of every array of the tile, side by side."""
    return np.hstack(
        [
            solve(seen, [(sign, g[:, part]) for sign, g in polarities])
            for part, seen in place.arrays(wires, *polarities[0][1].shape)
        ]
    )


def _circuit(wires: Wires, polarities: Polarities, solve: Callable[..., np.ndarray]) -> np.ndarray:
    """One circuit for both polarities (C, D), or one each, subtracted at the sense nodes (A, B)."""
    if wires.differential:
        return solve(polarities[0][1], *_second(wires, [g for _, g in polarities]))
    return sum((sign * solve(g) for sign, g in polarities), np.zeros(1))


def _second(wires: Wires, both: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    if len(both) != 2:
        raise ValueError(
            f"Wires topology={wires.topology!r} needs differential pairs subtracted in the array; "
            "for single cells write 'A' or 'B'"
        )
    return (both[1],)
