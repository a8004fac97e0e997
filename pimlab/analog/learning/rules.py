"""By which rule do arrays of pulsed cells descend? Plain SGD, mixed precision, Tiki-Taka and its
second version.

A rule makes one `Learner` for each matrix of weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pimlab.analog.draws import normals
from pimlab.analog.learning.devices import UpdateDevice
from pimlab.analog.learning.passes import ReadPass
from pimlab.analog.learning.tiles import LONGEST, Tile, tile
from pimlab.analog.learning.unit_cells import UnitCell
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key
from pimlab.values import Value, integer, number, part


class Learner(ABC):
    """One matrix of weights in arrays. `tiles` holds every array that takes pulses."""

    tiles: list[Tile]

    @property
    @abstractmethod
    def weights(self) -> np.ndarray:
        """float32, shape (k, n), without read noise."""

    @abstractmethod
    def update(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        """Learn from x float32, shape (rows, k) and d float32, shape (rows, n), the gradients of
        the loss by x @ weights, row after row.
        """

    def read(self, key: Key) -> np.ndarray:
        """Weights as one pass through the network sees them. Float32, shape (k, n)."""
        return self.weights

    @property
    def pulses(self) -> int:
        """Pulses all cells have had (unit: pulses)."""
        return sum(int(one.used.sum()) for one in self.tiles)

    @property
    def most(self) -> int:
        """Pulses the busiest cell has had (unit: pulses)."""
        return max(int(one.used.max()) for one in self.tiles)

    @property
    def cut(self) -> float:
        """Share of the rank-1 updates that asked for longer pulse trains than there are, and were
        scaled down (unit 1).
        """
        return sum(one.cut for one in self.tiles) / max(1, sum(one.trains for one in self.tiles))


class UpdateRule(Value):
    """How the weights of one layer are held and moved, and what their reads add on the way forward
    and back; every other field belongs to the algorithm.
    """

    device: UpdateDevice | UnitCell = part(UpdateDevice, UnitCell)
    forward: ReadPass | None = part(ReadPass, default=None, doc="reads on the way forward")
    backward: ReadPass | None = part(ReadPass, default=None, doc="reads on the way back")

    @property
    def name(self) -> str:
        """What a Dataset shows: the rule and its cell."""
        return f"{type(self).__name__} on {self.device.name}"

    @property
    def sources(self) -> tuple[str, ...]:
        """Sources of the cells and of what reads them."""
        parts = (self.device, self.forward, self.backward)
        return tuple(sorted({source for one in parts if one is not None for source in one.sources}))

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """The learner of weights w float32, shape (k, n) at the start."""
        raise NotImplementedError(f"{type(self).__name__} makes no learner")


class SGD(UpdateRule):
    """Every rank-1 update goes straight to the weights as pulses. Gokmen and Vlasov, Front.
    Neurosci. 10, 333 (2016).
    """

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `UpdateRule`. w : float32, shape (k, n)."""
        return _Direct(self, w, key)


class _Direct(Learner):
    def __init__(self, rule: SGD, w: np.ndarray, key: Key):
        self.tiles = [tile(rule.device, w.shape, key.child("weights"))]
        self.tiles[0].write(w)

    @property
    def weights(self) -> np.ndarray:
        return self.tiles[0].weights

    def update(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        self.tiles[0].update(x, d, rate)


def refuse_one_sided(rule: UpdateRule) -> None:
    """ValueError for a one-sided cell, which has no symmetry point."""
    if rule.device.one_sided:
        raise ValueError(
            f"{rule.name}: a one-sided cell has no symmetry point; allowed: a two-sided cell, "
            "or SGD or MixedPrecision"
        )


class MixedPrecision(UpdateRule):
    """Gradients add up in a digital float; what exceeds a step goes to the cells as pulses, open
    loop.

    Nandakumar, Le Gallo et al., Front. Neurosci. 14, 406 (2020), section 2.
    """

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `UpdateRule`. w : float32, shape (k, n)."""
        return _Mixed(self, w, key)


class _Mixed(Learner):
    def __init__(self, rule: MixedPrecision, w: np.ndarray, key: Key):
        self.tiles = [tile(rule.device, w.shape, key.child("weights"))]
        self.tiles[0].write(w)
        self.step, self.owed = rule.device.granularity, np.zeros(w.shape, np.float64)

    @property
    def weights(self) -> np.ndarray:
        return self.tiles[0].weights

    def update(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        with one_thread():
            self.owed -= rate * (x.T @ d)
        counts = np.trunc(self.owed / self.step)
        if counts.any():
            self.owed -= counts * self.step
            self.tiles[0].pulse(np.clip(counts, -(2**15), 2**15).astype(np.int32))


class TikiTaka(UpdateRule):
    """Gradients go to a fast array A around its symmetry point; rows of A, read in turn, go to the
    slow weights C as pulses.

    Gokmen and Haensch, Front. Neurosci. 14, 103 (2020). The network sees C + gamma A. The defaults
    are ours: with them every two-sided cell of the catalogue learns the digits of `load_data`; a
    transfer is scaled apart from `rate`.
    """

    transfer_every: int = integer(1, default=1, doc="updates between two transfers of a row")
    transfer_rate: float = number(
        above=0, default=0.02, doc="what C moves by for a row of A, relative to it"
    )
    fast_rate: float = number(
        above=0, default=1.0, doc="rate of A, relative to that of the training"
    )
    gamma: float = number(low=0, default=0.0, doc="share of A that the network sees")
    read_noise: float = number(low=0, default=0.0, doc="spread of a transferred value, in weights")
    reference_error: float = number(
        low=0,
        default=0.0,
        doc="spread of A's references around the symmetry points, in weights",
    )

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `UpdateRule`. ValueError for a one-sided cell, which has no symmetry point. w :
        float32, shape (k, n).
        """
        return TransferredLearner(self, w, key)


class TransferredLearner(Learner):
    """The fast array A, the slow array C and the row of A whose turn it is."""

    def __init__(self, rule: TikiTaka, w: np.ndarray, key: Key):
        refuse_one_sided(rule)
        self.rule, self.key, self.seen, self.transfers = rule, key, 0, 0
        fast, slow = (tile(rule.device, w.shape, key.child(which)) for which in ("fast", "slow"))
        self.refer(fast)
        slow.write(w)
        self.tiles = [fast, slow]

    @property
    def weights(self) -> np.ndarray:
        fast, slow = self.tiles
        return (
            slow.weights + np.float32(self.rule.gamma) * fast.weights
            if self.rule.gamma
            else slow.weights
        )

    def update(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        first = 0
        while first < len(x):
            until = min(
                len(x), first + self.rule.transfer_every - self.seen % self.rule.transfer_every
            )
            self.accumulate(x[first:until], d[first:until], rate)
            self.seen += until - first
            first = until
            if self.seen % self.rule.transfer_every == 0:
                self.transfer(self.transfers % x.shape[1])
                self.transfers += 1

    def refer(self, fast: Tile) -> None:
        """Set the reference of the fast array to its symmetry points, as well as it can be set."""
        fast.refer_to_symmetry_point()
        if self.rule.reference_error:
            missed = normals(self.key.child("reference"), fast.shape)
            fast.reference += np.float32(self.rule.reference_error) * missed

    def accumulate(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        """Pulses to the fast array. x : float32, shape (rows, k);  d : float32, shape (rows, n)."""
        self.tiles[0].update(x, d, rate * self.rule.fast_rate)

    def row(self, row: int) -> np.ndarray:
        """One row of A as it is read, float32, shape (n,)."""
        values = self.tiles[0].weights[row]
        if self.rule.read_noise == 0:
            return values
        noise = normals(self.key.child("transfer").rows(self.transfers), (1, values.size))[0]
        return values + np.float32(self.rule.read_noise) * noise

    def transfer(self, row: int) -> None:
        """A rank-1 update of C with one input on."""
        slow = self.tiles[1]
        line = np.zeros((1, slow.shape[0]), np.float32)
        line[0, row] = 1
        slow.update(line, -self.row(row)[None], self.rule.transfer_rate, "transfer_rate")


class TikiTakaV2(TikiTaka):
    """As `TikiTaka`, but rows of A add up in a digital float H, and only whole steps in H reach C,
    as that many pulses.

    H filters the noise of A and of its reads, and asks less of the number of states. Gokmen, Front.
    Artif. Intell. 4, 699148 (2021). With transfer_pulses=1, the rule of implementations elsewhere,
    cells of 1000 states and more need many more epochs.
    """

    transfer_pulses: int = integer(
        1,
        LONGEST,
        default=LONGEST,
        doc="pulses to a cell in one transfer; what H holds beyond is forgotten",
    )

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `UpdateRule`. ValueError for a one-sided cell, which has no symmetry point. w :
        float32, shape (k, n).
        """
        return FilteredLearner(self, w, key)


class FilteredLearner(TransferredLearner):
    rule: TikiTakaV2

    def __init__(self, rule: TikiTakaV2, w: np.ndarray, key: Key):
        super().__init__(rule, w, key)
        self.buffer = np.zeros(w.shape, np.float64)

    def transfer(self, row: int) -> None:
        slow = self.tiles[1]
        self.buffer[row] += self.rule.transfer_rate / self.rule.device.granularity * self.row(row)
        whole = np.trunc(self.buffer[row])
        if whole.any():
            self.buffer[row] -= whole
            counts = np.zeros(slow.shape, np.int32)
            counts[row] = np.clip(whole, -self.rule.transfer_pulses, self.rule.transfer_pulses)
            slow.pulse(counts)
