"""Which cells and lines of an array are broken, and how unequal are the segments of its wires?

What is broken follows from the key of the weights' place, not from how often they are written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pimlab.analog.circuit.dissection import segmented
from pimlab.analog.circuit.wired import Place, Polarities
from pimlab.analog.circuit.wires import Wires
from pimlab.analog.draws import normals, uniforms
from pimlab.analog.non_ideal import NonIdeal
from pimlab.keys import Key
from pimlab.values import number, quantity


class ArrayFaults(NonIdeal):
    """Faults of an array's cells and lines, by chance.

    A shorted cell conducts `short` at any time and an open one nothing, both without noise and in
    proportion to the voltage (a short among cells of a `SteepCurrent` has their I-V curve; where
    outputs are drawn cell by cell, one of a bounded cell is cut at the end of its range). A broken
    line has one gap, at a place of equal chance. With ideal wires the cells behind it, seen from
    the driver or the sense, conduct nothing: what two floating lines leak to others is left out.
    With `Wires` of topology A or C the circuit is solved with the gap, through which floating lines
    still couple others, while noise and power take the cells behind it as absent.
    `resistance_spread` multiplies every segment by exp(s z - s^2 / 2), of mean 1, with z standard
    normal; noise and power see the mean. Weights know nothing of all this.

    >>> broken = pim.analog.ArrayFaults(opens=0.001, shorts=1e-4, short="200 uS")
    >>> machine = pim.target("pcm-hermes").but(faults=broken)
    """

    cause = "faults"

    shorts: float = number(low=0, high=1, default=0.0, doc="share of cells that are shorted")
    short: float = quantity("S", above=0, default=1e-3, doc="what a shorted cell conducts")
    opens: float = number(low=0, high=1, default=0.0, doc="share of cells that are open")
    broken_inputs: float = number(
        low=0, high=1, default=0.0, doc="share of an array's input lines with a gap"
    )
    broken_outputs: float = number(
        low=0, high=1, default=0.0, doc="share of an array's output lines with a gap"
    )
    resistance_spread: float = number(
        low=0, high=2, default=0.0, doc="s: standard deviation of ln of a segment's resistance"
    )

    def check(self) -> None:
        """The shares of cells are of the same cells."""
        if self.shorts + self.opens > 1:
            raise ValueError(
                f"ArrayFaults shorts={self.shorts} and opens={self.opens} add to more than 1"
            )

    @property
    def in_lines(self) -> bool:
        """Whether lines are broken or unequal, so that a circuit has to be solved with them."""
        return max(self.broken_inputs, self.broken_outputs, self.resistance_spread) > 0

    def check_wires(self, wires: Wires | None, name: str) -> None:
        """ValueError naming the machine where its wires cannot have these faults."""
        if wires is None:
            if self.resistance_spread:
                raise ValueError(
                    f"{name}: faults resistance_spread={self.resistance_spread} needs wires with "
                    "a resistance; allowed with wires=None: 0.0"
                )
        elif self.in_lines and not (wires.linear and wires.r_in > 0 and wires.r_out > 0):
            raise ValueError(
                f"{name}: faults of lines are solved for wires of topology 'A' or 'C' whose "
                f"segments have a resistance, not for topology={wires.topology!r} "
                f"r_in={wires.r_in} r_out={wires.r_out} ohm"
            )


@dataclass(frozen=True)
class CellFaults:
    """Faults of the cells of one polarity of a plane.

    shape : (k, n);  key : of the place in the chip, the same for both polarities, which share the
    gaps of their input lines;  polarity : its name;  outputs : name of its output lines, which both
    polarities may share;  place : rows and columns of an array;  sense : "last" or "first" row.
    """

    faults: ArrayFaults
    shape: tuple[int, int]
    key: Key
    polarity: str
    outputs: str
    place: Place
    sense: str

    def seen(self, g: np.ndarray, rows: slice, cut: bool = True) -> np.ndarray:
        """g [S], float64, shape (devices, rows, n), with shorts and opens, and (unless cut=False)
        without what lies behind a gap.
        """
        shorted, absent = self._cells(len(g), rows)
        out = np.where(absent, 0.0, np.where(shorted, self.faults.short, g))
        return np.where(self.cut[rows], 0.0, out) if cut else out

    def faulty(self, devices: int, rows: slice) -> np.ndarray:
        """bool, shape (devices, rows, n): cells that do not do what they were written to."""
        shorted, absent = self._cells(devices, rows)
        return shorted | absent | self.cut[rows]

    def _cells(self, devices: int, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """bool, shape (devices, rows, n): shorted, and open cells."""
        first, last, _ = rows.indices(self.shape[0])
        drawn = np.stack(
            [
                uniforms(
                    self.key.child("cells", self.polarity, device).rows(first),
                    (last - first, self.shape[1]),
                )
                for device in range(devices)
            ]
        )
        return drawn < self.faults.shorts, drawn >= 1 - self.faults.opens

    @cached_property
    def cut(self) -> np.ndarray:
        """bool, shape (k, n): cells behind a gap of their input or output line."""
        k, n = self.shape
        out = np.zeros(self.shape, bool)
        for tile, top in enumerate(range(0, k, self.place.rows)):
            for array, left in enumerate(range(0, n, self.place.cols)):
                part = out[top : top + self.place.rows, left : left + self.place.cols]
                inputs, outputs = self.gaps(tile, array, *part.shape)
                row, column = np.ogrid[: part.shape[0], : part.shape[1]]
                part |= (inputs >= 0)[:, None] & (column >= inputs[:, None])
                behind = row <= outputs if self.sense == "last" else row >= outputs
                part |= (outputs >= 0) & behind
        return out

    def gaps(self, tile: int, array: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """int, shape (k,) and (n,): the cell before whose input node, seen from the driver, a line
        has its gap, and the cell behind whose output node, seen on the way to the sense; -1: whole.
        """
        faults, site = self.faults, self.key.child(tile, array)
        found = []
        for which, share, lines, cells in (
            (("inputs",), faults.broken_inputs, k, n),
            (("outputs", self.outputs), faults.broken_outputs, n, k),
        ):
            drawn = uniforms(site.child(*which), (lines, 2))
            places = np.minimum((drawn[:, 1] * cells).astype(int), cells - 1)
            found.append(np.where(drawn[:, 0] < share, places, -1))
        return found[0], found[1]

    def segments(
        self, wires: Wires, tile: int, array: int, k: int, n: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Conductances of the segments of one array, S, float64, shape (k, n) each: along the input
        lines, coming from the driver, and along the output lines, going to the sense. 0: a gap.
        """
        inputs, outputs = self.gaps(tile, array, k, n)
        site = self.key.child(tile, array, "segments")
        along = self._siemens(wires.r_in, site.child("inputs"), (k, n))
        across = self._siemens(wires.r_out, site.child("outputs", self.outputs), (k, n))
        end = 0 if wires.sense == "first" else -1
        along[:, 0] = 1 / (1 / along[:, 0] + wires.rs_in)
        across[end] = 1 / (1 / across[end] + wires.rs_out)
        along[np.flatnonzero(inputs >= 0), inputs[inputs >= 0]] = 0.0
        across[outputs[outputs >= 0], np.flatnonzero(outputs >= 0)] = 0.0
        return along, across

    def _siemens(self, ohm: float, key: Key, shape: tuple[int, int]) -> np.ndarray:
        spread = self.faults.resistance_spread
        return np.exp(spread**2 / 2 - spread * normals(key, shape).astype(np.float64)) / ohm


def matrix_with_gaps(
    wires: Wires, place: Place, tile: int, polarities: Polarities, faults: list[CellFaults]
) -> np.ndarray:
    """What the wires of a tile, with their gaps and unequal segments, make of its signed
    conductances, S, float64, shape (k, n).
    """
    k, n = polarities[0][1].shape
    columns = []
    for array, (part, seen) in enumerate(place.arrays(wires, k, n)):
        cells = [(sign, g[:, part]) for sign, g in polarities]
        lines = [one.segments(seen, tile, array, *cells[0][1].shape) for one in faults]
        columns.append(_solved(seen, cells, lines))
    return np.hstack(columns)


def _solved(
    wires: Wires, cells: Polarities, lines: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """One array: a circuit a polarity (A), or one of both, which share their output lines (C)."""
    order = slice(None, None, -1 if wires.sense == "first" else 1)
    if wires.differential:
        g, along = (np.stack([a[order] for a in both]) for both in (
            [g for _, g in cells], [along for along, _ in lines]
        ))  # fmt: skip
        return segmented(g, wires.signs, along, lines[0][1][order])[order]
    return sum(
        (
            sign * segmented(g[None, order], wires.signs, along[None, order], across[order])[order]
            for (sign, g), (along, across) in zip(cells, lines, strict=True)
        ),
        np.zeros(1),
    )
