"""What do pulses leave in an array of cells? States, what a read sees of them, and how many pulses
each cell has had.
"""

from __future__ import annotations

import numpy as np

from pimlab.analog.draws import normals
from pimlab.analog.learning.devices import UpdateDevice
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
        self.device, self.shape, self.key = device, shape, key
        self.cells = device.cells(shape, key.child("cells"))
        self.state, self.seen = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.used = np.zeros(shape, np.int64)
        self.reference = np.zeros(shape, np.float32)
        self.updates = 0
        self.cut = self.wild = 0
        """Updates that asked for longer trains than there are, and for more than a cell's range."""
        self._words, self._curve, self._noise = (
            key.child("pulses").words,
            device.curve,
            device.noise,
        )
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
        step_up, step_down, low, high, slope_up, slope_down = self.cells.astype(np.float64)
        span, curve = high - low, self._curve.astype(np.float64)
        below, above = low.copy(), high.copy()
        for _ in range(40):
            middle = (below + above) / 2
            rises = step_up * _response(middle, slope_up, span, curve, 1) > step_down * _response(
                middle, slope_down, span, curve, -1
            )
            below, above = np.where(rises, middle, below), np.where(rises, above, middle)
        return ((below + above) / 2).astype(np.float32)

    def refer_to_symmetry_point(self) -> None:
        """Set the fixed cells to the symmetry points, so that weight 0 is where pulses balance
        (zero-shifting, Kim et al. 2019).

        A cell that has none within its range (constant steps that differ) keeps the reference 0.
        """
        point, (low, high) = self.symmetry_point(), self.cells[2:4]
        inside = (point > low + 1e-3 * (high - low)) & (point < high - 1e-3 * (high - low))
        self.reference = np.where(inside, point, np.float32(0))
        self.write(np.zeros(self.shape, np.float32))


def _response(
    w: np.ndarray, slope: np.ndarray, span: np.ndarray, curve: np.ndarray, sign: int
) -> np.ndarray:
    """Size of a step at w relative to the one at state 0."""
    if curve.size == 0:
        return np.maximum(1 - slope * w, 0)
    factor, gamma = (curve[2], curve[3]) if sign > 0 else (curve[4], curve[5])
    return np.maximum(1 - factor * np.exp(sign * gamma * (2 * curve[0] * w / span + curve[1])), 0)


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
        self.resets = 0

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
        held, device = self.weights, self.device
        self.resets += int(full.sum())
        for index, (sign, side) in enumerate(zip((1, -1), self.sides, strict=True)):
            drawn = normals(self.key.child("reset", index, self.updates), self.shape)
            empty = np.clip(device.reset + device.reset_spread * drawn, 0, side.cells[3])
            side.state[full] = side.seen[full] = empty[full]
            side.used += full
            side.raise_to(np.where(full, np.maximum(sign * held, 0), 0))

    def symmetry_point(self) -> np.ndarray:
        """Zero: a pair has no state at which one pulse undoes the other. Float32, shape (k, n)."""
        return np.zeros(self.shape, np.float32)


@typed
def tile(device: UpdateDevice, shape: tuple[int, int], key: Key) -> Tile:
    """An array of `shape`, such as shape (k, n): pairs for a one-sided cell."""
    return (PairTile if device.one_sided else Tile)(device, shape, key)
