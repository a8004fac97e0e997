"""What do pulses leave in an array of cells? States, what a read sees of them, and how many pulses
each cell has had.
"""

from __future__ import annotations

import numpy as np

from pimlab.analog.draws import normals, uniforms
from pimlab.analog.learning.devices import UpdateDevice
from pimlab.analog.learning.unit_cells import UnitCell
from pimlab.arguments import typed
from pimlab.kernels import pulses
from pimlab.keys import Key

LONGEST = 31
"""Pulses of a train at most (Gokmen, Onen, Haensch, Front. Neurosci. 11, 538 (2017) use 1, 10 and
40).
"""
FULL, EVERY = 0.75, 100
"""Share of the range at which a cell of a pair counts as full, and updates between two looks at it:
our choice.
"""
VERIFY = 1000
"""Pulses after which writing a cell is given up (it has met its bound)."""


class Tile:
    """One cell a weight. `weights` float32, shape (k, n) is what a read sees, less `reference`,
    which a second, fixed cell holds.
    """

    def __init__(self, device: UpdateDevice, shape: tuple[int, int], key: Key):
        self.device: UpdateDevice | UnitCell = device
        self.shape, self.key = shape, key
        self.cells = device.cells(shape, key.child("cells"))
        self.state, self.seen = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.used = np.zeros(shape, np.int64)
        self.reference = np.zeros(shape, np.float32)
        self.updates = 0
        self.cut = self.wild = 0
        """Updates that asked for longer trains than there are, and for more than a cell's range."""
        self._words, self._noise = key.child("pulses").words, device.noise
        self._law, self._curve = device.step.law, device.step.curve
        self._train_words = key.child("trains").words

    @property
    def weights(self) -> np.ndarray:
        """float32, shape (k, n)."""
        return self.seen - self.reference

    def write(self, w: np.ndarray) -> None:
        """Put every cell at w float32, shape (k, n), or at its nearest bound, without error or
        pulses: the start of a training.
        """
        np.clip(w + self.reference, self.cells[2], self.cells[3], out=self.state)
        self.seen[:] = self.state

    def pulse(self, counts: np.ndarray) -> None:
        """|counts| pulses, int32, shape (k, n), to each cell, upwards where positive."""
        pulses.pulse(
            self.state,
            self.seen,
            counts,
            self.cells,
            self._law,
            self._curve,
            self._noise,
            *self._words,
            self.updates,
            self.used,
        )
        self.updates += 1

    def raise_to(self, target: np.ndarray) -> None:
        """Pulses upwards, one at a time, to every cell that reads below target float32,
        shape (k, n); VERIFY of them at most.
        """
        for _ in range(VERIFY):
            below = self.seen < target
            if not below.any():
                return
            self.pulse(below.astype(np.int32))

    def update(self, x: np.ndarray, d: np.ndarray, rate: float, name: str = "rate") -> None:
        """Expected change -rate x_b d_b^T for each row b of x float32, shape (rows, k) and d
        float32, shape (rows, n), one after the other.

        Trains are as long as the largest product needs, and both lines get the same largest
        probability (update management of Gokmen, Onen, Haensch 2017). Where 31 pulses are not
        enough, the whole update is scaled down to what they give (it keeps its direction) and
        counted in `cut`. name : what `rate` is called in an error. ValueError for values that are
        not finite, and where more than half of at least 100 updates have asked for more than a
        cell's whole range at once.
        """
        x, d = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(d, np.float32)
        if not (np.isfinite(x).all() and np.isfinite(d).all()):
            raise ValueError(
                f"{self.device.name}: an update of non-finite inputs or errors; the training has "
                "diverged"
            )
        on_x, on_d = self._trains(x, d, rate, name)
        signs_x, signs_d = np.sign(x).astype(np.int8), np.sign(d).astype(np.int8)
        counts = np.empty(self.shape, np.int32)
        for b in np.flatnonzero(on_x.any(axis=1) & on_d.any(axis=1)):
            pulses.coincidences(on_x[b], on_d[b], signs_x[b], signs_d[b], counts)
            self.pulse(counts)

    def _trains(
        self, x: np.ndarray, d: np.ndarray, rate: float, name: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pulse trains uint32 of every row's word lines and bit lines."""
        top_x, top_d = np.abs(x).max(axis=1), np.abs(d).max(axis=1)
        wanted = rate * top_x.astype(np.float64) * top_d / self.device.granularity
        self._watch(wanted, rate, name)
        length = np.clip(np.ceil(wanted), 1, LONGEST).astype(np.int64)
        largest = np.sqrt(np.minimum(wanted / length, 1.0))
        drawn = []
        for lane, (values, top) in enumerate(((x, top_x), (d, top_d))):
            p = (np.abs(values) * (largest / np.where(top > 0, top, 1))[:, None]).astype(np.float32)
            out = np.empty(p.shape, np.uint32)
            pulses.trains(p, length, *self._train_words, self.trains, lane, out)
            drawn.append(out)
        self.trains += len(x)
        return drawn[0], drawn[1]

    trains = 0
    """Rows for which trains have been drawn."""

    def _watch(self, wanted: np.ndarray, rate: float, name: str) -> None:
        span = (self.device.w_max - self.device.w_min) / self.device.granularity
        self.cut += int((wanted > LONGEST).sum())
        self.wild += int((wanted > span).sum())
        asked = self.trains + len(wanted)
        if asked >= 100 and self.wild > asked / 2:
            raise ValueError(
                f"{self.device.name}: the updates diverge: {name}={rate:g} asks for "
                f"{wanted.max():.0f} pulses in one; "
                f"allowed: {span:.0f}, the whole range of a cell. Take a smaller {name}"
            )

    def symmetry_point(self) -> np.ndarray:
        """State float32, shape (k, n) at which a pulse up and a pulse down are equally large, by
        bisection over each cell's range.

        Cells whose steps never meet answer with the bound towards which they drift.
        """
        below, above = self.cells[2].copy(), self.cells[3].copy()
        for _ in range(40):
            middle = (below + above) / 2
            rises = self.step_at(middle, up=True) > self.step_at(middle, up=False)
            below, above = np.where(rises, middle, below), np.where(rises, above, middle)
        return (below + above) / 2

    def step_at(self, w: np.ndarray, up: bool) -> np.ndarray:
        """Size of the next pulse of each cell at states w float32, shape (k, n), without its noise:
        float32, shape (k, n), in the unit of the state.
        """
        sizes = np.empty(self.shape, np.float32)
        pulses.responses(w, up, self.cells, self._law, self._curve, sizes)
        return self.cells[0 if up else 1] * sizes

    def refer_to_symmetry_point(self) -> None:
        """Set the fixed cells to the symmetry points, so that weight 0 is where pulses balance
        (zero-shifting, Kim et al. 2019).

        A cell that has none within its range (constant steps that differ) keeps the reference 0.
        """
        point, (low, high) = self.symmetry_point(), self.cells[2:4]
        inside = (point > low + 1e-3 * (high - low)) & (point < high - 1e-3 * (high - low))
        self.reference = np.where(inside, point, np.float32(0))
        self.write(np.zeros(self.shape, np.float32))


class PairTile(Tile):
    """Two one-sided cells a weight: plus for upward pulses, minus for downward ones; a full pair is
    reset and written again.
    """

    def __init__(self, device: UpdateDevice, shape: tuple[int, int], key: Key):
        super().__init__(device, shape, key)
        single = device.but(
            one_sided=False, w_min=-device.dw_min
        )  # a cell alone; nothing drives it below 0
        self.sides = [Tile(single, shape, key.child(side)) for side in ("plus", "minus")]
        for side in self.sides:
            side.cells[2] = 0.0
        self.resets, self._empty = 0, (device.reset, device.reset_spread)

    @property
    def weights(self) -> np.ndarray:
        """float32, shape (k, n): plus less minus."""
        return self.sides[0].seen - self.sides[1].seen

    def write(self, w: np.ndarray) -> None:
        """As `Tile.write`; the cell of the other sign is empty. w : float32, shape (k, n)."""
        for sign, side in zip((1, -1), self.sides, strict=True):
            side.write(np.maximum(sign * w, 0))

    def pulse(self, counts: np.ndarray) -> None:
        """Upward pulses to the plus cells where counts > 0, to the minus cells where counts < 0.
        counts : int32, shape (k, n).
        """
        for sign, side in zip((1, -1), self.sides, strict=True):
            side.pulse(np.maximum(sign * counts, 0))
        self.used = self.sides[0].used + self.sides[1].used
        self.updates += 1
        if self.updates % EVERY == 0:
            self._refresh()

    def _refresh(self) -> None:
        """Reset both cells of every pair of which one is full, and write their difference pulse by
        pulse, each verified.
        """
        full = np.any([side.state > FULL * side.cells[3] for side in self.sides], axis=0)
        if not full.any():
            return
        held, (mean, spread) = self.weights, self._empty
        self.resets += int(full.sum())
        for index, (sign, side) in enumerate(zip((1, -1), self.sides, strict=True)):
            drawn = normals(self.key.child("reset", index, self.updates), self.shape)
            empty = np.clip(mean + spread * drawn, 0, side.cells[3])
            side.state[full] = side.seen[full] = empty[full]
            side.used += full
            side.raise_to(np.where(full, np.maximum(sign * held, 0), 0))

    def symmetry_point(self) -> np.ndarray:
        """Zero: a pair has no state at which one pulse undoes the other. Float32, shape (k, n)."""
        return np.zeros(self.shape, np.float32)


class UnitTile(Tile):
    """Several arrays of cells, one weight in each place. See `UnitCell`."""

    def __init__(self, device: UnitCell, shape: tuple[int, int], key: Key):
        self.device, self.unit, self.shape, self.key = device, device, shape, key
        self.members = [
            Tile(one, shape, key.child("cell", i)) for i, one in enumerate(device.cells)
        ]
        self.reference = np.zeros(shape, np.float32)
        self.used = np.zeros(shape, np.int64)
        self.updates = self.turns = 0
        self.cut = self.wild = 0
        self._train_words = key.child("trains").words

    @property
    def weights(self) -> np.ndarray:
        """float32, shape (k, n): the sum with its factors, less `reference`."""
        total: np.ndarray = -self.reference
        for factor, one in zip(self.unit.factors, self.members, strict=True):
            total = total + np.float32(factor) * one.weights
        return total

    def write(self, w: np.ndarray) -> None:
        """As `Tile.write`: every moving cell at the same state. w : float32, shape (k, n)."""
        moving, factors = self.unit.moving, self.unit.factors
        left: np.ndarray = w + self.reference
        for i in set(range(len(factors))).difference(moving):
            left = left - np.float32(factors[i]) * self.members[i].weights
        share = np.float32(sum(factors[i] for i in moving))
        for i in moving:
            self.members[i].write(left / share)

    def pulse(self, counts: np.ndarray) -> None:
        """|counts| pulses, int32, shape (k, n), upwards where positive, to the cells whose turn it
        is.
        """
        for i in self._turn():
            sign = 1 if self.unit.pulses == "all" or self.unit.factors[i] > 0 else -1
            self.members[i].pulse(counts * np.int32(sign))
        self._count()

    def update(self, x: np.ndarray, d: np.ndarray, rate: float, name: str = "rate") -> None:
        """As `Tile.update`: the same trains for all cells, or those of the cell whose turn it is.
        x : float32, shape (rows, k);  d : float32, shape (rows, n).
        """
        if self.unit.pulses == "all":
            super().update(x, d, rate, name)
            return
        (i,) = self._turn()
        factor = self.unit.factors[i]
        self.members[i].update(x, np.asarray(d) * np.sign(factor), rate / abs(factor), name)
        self._count()
        self.trains = sum(one.trains for one in self.members)
        self.cut = sum(one.cut for one in self.members)
        self.wild = sum(one.wild for one in self.members)

    def _count(self) -> None:
        self.updates += 1
        self.used = np.sum([one.used for one in self.members], axis=0)

    def _turn(self) -> tuple[int, ...]:
        """The cells that the next update moves."""
        moving, turn = self.unit.moving, self.turns
        if self.unit.pulses in ("all", "first"):
            return moving
        self.turns += 1
        if self.unit.pulses == "random":
            drawn = uniforms(self.key.child("turn").rows(turn), (1, 1))[0, 0]
            return (int(drawn * len(moving)),)
        return (turn % len(moving),)

    def symmetry_point(self) -> np.ndarray:
        """The weight at which every moving cell is at its symmetry point and the others are as they
        are, float32, shape (k, n).
        """
        total = np.zeros(self.shape, np.float32)
        for i, (factor, one) in enumerate(zip(self.unit.factors, self.members, strict=True)):
            at = one.symmetry_point() if i in self.unit.moving else one.weights
            total += np.float32(factor) * at
        return total

    def refer_to_symmetry_point(self) -> None:
        """Weight 0 where pulses balance: reference cells are written so that the difference is 0
        there; where all cells move, each has a fixed cell as in `Tile`.
        """
        moving, factors = self.unit.moving, self.unit.factors
        fixed = [i for i in range(len(factors)) if i not in moving]
        for i in moving if not fixed else ():
            self.members[i].refer_to_symmetry_point()
        if fixed:
            point = self.members[0].symmetry_point()
            level = -np.float32(factors[0] / sum(factors[i] for i in fixed)) * point
            for i in fixed:
                self.members[i].write(level)
            self.members[0].write(point)


@typed
def tile(device: UpdateDevice | UnitCell, shape: tuple[int, int], key: Key) -> Tile:
    """An array of `shape`, such as shape (k, n): pairs for a one-sided `UpdateDevice`, several
    cells a weight for a `UnitCell`.
    """
    if isinstance(device, UnitCell):
        return UnitTile(device, shape, key)
    return (PairTile if device.one_sided else Tile)(device, shape, key)
