"""What if the fast array's reference is not at its symmetry point? Gradients with a sign that
turns, a reference found on the way, and several arrays that learn what the others leave.

Rasch, Carta, Fagbohungbe, Gokmen, Nat. Commun. 15, 7133 (2024): chopped Tiki-Taka v2 ("TTv3" in
aihwkit's comments) and AGAD. Li, Wu, Liu, Gokmen, Chen, arXiv:2510.02516: multi-tile residual
learning.
"""

from __future__ import annotations

import numpy as np

from pimlab.analog.draws import uniforms
from pimlab.analog.learning.rules import (
    FilteredLearner,
    Learner,
    TikiTaka,
    TikiTakaV2,
    TransferredLearner,
    UpdateRule,
    refuse_one_sided,
)
from pimlab.analog.learning.tiles import Tile, tile
from pimlab.keys import Key
from pimlab.values import integer, number


class _Chopped(TransferredLearner):
    """The signs of the inputs of A, one a row, and when they turn."""

    def start_choppers(self, every: int, probability: float) -> None:
        """Signs up; each row's turns after so many transfers, or with that probability."""
        self.every, self.probability = every, probability
        rows = self.tiles[0].shape[0]
        self.signs, self.reads = np.ones(rows, np.float32), np.zeros(rows, np.int64)

    def accumulate(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        """Pulses to A with the inputs' present signs."""
        super().accumulate(x * self.signs, d, rate)

    def row(self, row: int) -> np.ndarray:
        """One row of A with its sign taken off, float32, shape (n,)."""
        return self.signs[row] * super().row(row)

    def turned(self, row: int) -> bool:
        """Count a transfer of a row; turn its sign where it is time to, and say so."""
        self.reads[row] += 1
        if self.probability:
            key = self.key.child("chopper").rows(self.transfers)
            turn = float(uniforms(key, (1, 1))[0, 0]) < self.probability
        else:
            turn = self.reads[row] % self.every == 0
        if turn:
            self.signs[row] *= -1
        return bool(turn)


class ChoppedTikiTaka(TikiTaka):
    """Tiki-Taka whose inputs to A change sign, row by row: an error of A's reference then adds to C
    as often as it takes away.

    chop_every : transfers of a row between two turns of its sign.  chop_probability : of a turn at
    each transfer; above 0 it takes the place of chop_every.
    """

    chop_every: int = integer(1, default=10)
    chop_probability: float = number(low=0, high=1, default=0.0)

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `TikiTaka.learner`. w : float32, shape (k, n)."""
        return _ChoppedDirect(self, w, key)


class _ChoppedDirect(_Chopped):
    def __init__(self, rule: ChoppedTikiTaka, w: np.ndarray, key: Key):
        super().__init__(rule, w, key)
        self.start_choppers(rule.chop_every, rule.chop_probability)

    def transfer(self, row: int) -> None:
        super().transfer(row)
        self.turned(row)


class ChoppedTikiTakaV2(TikiTakaV2):
    """As `ChoppedTikiTaka`, for the second version: the buffer H averages the signs away (c-TTv2 of
    Rasch et al. 2024; "TTv3").
    """

    chop_every: int = integer(1, default=10)
    chop_probability: float = number(low=0, high=1, default=0.0)

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `TikiTaka.learner`. w : float32, shape (k, n)."""
        return _ChoppedFiltered(self, w, key)


class _ChoppedFiltered(_Chopped, FilteredLearner):
    def __init__(self, rule: ChoppedTikiTakaV2, w: np.ndarray, key: Key):
        super().__init__(rule, w, key)
        self.start_choppers(rule.chop_every, rule.chop_probability)

    def transfer(self, row: int) -> None:
        super().transfer(row)
        self.turned(row)


class AGAD(TikiTakaV2):
    """Analog gradient accumulation with a dynamic reference: A needs no reference cells. What a
    row of A read in its last phase, on average, is taken off what it reads in this one ("TTv4").

    chop_every : transfers of a row in a phase.  tail : weight of a read in the running mean, times
    one over chop_every. The first two phases of a row only find its reference.
    """

    chop_every: int = integer(1, default=4)
    chop_probability: float = number(low=0, high=1, default=0.0)
    tail: float = number(above=0, default=1.0)

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `TikiTaka.learner`. w : float32, shape (k, n)."""
        return _Dynamic(self, w, key)


class _Dynamic(_Chopped, FilteredLearner):
    rule: AGAD

    def __init__(self, rule: AGAD, w: np.ndarray, key: Key):
        super().__init__(rule, w, key)
        self.start_choppers(rule.chop_every, rule.chop_probability)
        self.running, self.past = np.zeros(w.shape), np.zeros(w.shape)
        self.phases = np.zeros(len(w), np.int64)

    def refer(self, fast: Tile) -> None:
        """No reference cells, and A starts at state 0."""

    def row(self, row: int) -> np.ndarray:
        """One row of A less its own past, with its sign taken off, float32, shape (n,)."""
        read = TransferredLearner.row(self, row)
        share = min(1.0, self.rule.tail / self.rule.chop_every)
        away = self.signs[row] * (read - self.past[row])
        self.running[row] += share * (read - self.running[row])
        return away.astype(np.float32)

    def transfer(self, row: int) -> None:
        if self.phases[row] < 2:
            self.row(row)
        else:
            super().transfer(row)
        if self.turned(row):
            self.past[row] = self.running[row]
            self.phases[row] += 1


class ResidualLearning(UpdateRule):
    """Weights as a sum over arrays, each gamma of the one before: W = sum of gamma^i W_i. The last
    array learns from gradients, and passes its rows on to the one before it, and so on: it holds
    what the coarser ones leave (Li et al., arXiv:2510.02516).

    arrays : how many.  gamma : scale of an array to that before.  transfer_every : updates between
    two transfers of a row of the last array; each array before waits `wait_growth` times longer.
    transfer_rate : what the first array moves by for a row of the second, relative to that row;
    each array after moves by `rate_growth` times more.
    Times and rates are those of LeNet-5 in the code published with the paper
    (github.com/kdhhewuciedu/AIMC, Mnist_LeNet5.py, "ResL", which has 7 arrays and counts batches of
    8 where samples are counted here). Its warm start, the coarsest array first until the loss stays
    where it is, is left out: a rule does not see the loss.
    """

    arrays: int = integer(2, 8, default=3)
    gamma: float = number(above=0, high=1, default=0.5)
    transfer_every: int = integer(1, default=2)
    wait_growth: int = integer(1, default=5)
    transfer_rate: float = number(above=0, default=0.1)
    rate_growth: float = number(above=0, default=1.2)
    fast_rate: float = number(above=0, default=1.0)

    def learner(self, w: np.ndarray, key: Key) -> Learner:
        """See `UpdateRule`. ValueError for a one-sided cell. w : float32, shape (k, n)."""
        return _Residual(self, w, key)


class _Residual(Learner):
    """The arrays, coarsest first."""

    def __init__(self, rule: ResidualLearning, w: np.ndarray, key: Key):
        refuse_one_sided(rule)
        self.rule, self.seen, self.moved = rule, 0, [0] * rule.arrays
        self.tiles = [tile(rule.device, w.shape, key.child("array", i)) for i in range(rule.arrays)]
        left: np.ndarray = w.astype(np.float32)
        for i, one in enumerate(self.tiles):
            if i:
                one.refer_to_symmetry_point()
            scale = np.float32(rule.gamma**i)
            one.write(left / scale if i == 0 else np.zeros_like(left))
            left = left - scale * one.weights

    @property
    def weights(self) -> np.ndarray:
        total = np.zeros(self.tiles[0].shape, np.float32)
        for i, one in enumerate(self.tiles):
            total += np.float32(self.rule.gamma**i) * one.weights
        return total

    def update(self, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        for b in range(len(x)):
            self.tiles[-1].update(x[b : b + 1], d[b : b + 1], rate * self.rule.fast_rate)
            self.seen += 1
            for i in range(self.rule.arrays - 1, 0, -1):
                if self.seen % self.wait(i) == 0:
                    self._pass_on(i)

    def wait(self, i: int) -> int:
        """Updates between two transfers of a row of array i (unit: updates)."""
        return self.rule.transfer_every * self.rule.wait_growth ** (self.rule.arrays - 1 - i)

    def rate(self, i: int) -> float:
        """What array i - 1 moves by for a row of array i, relative to it (unit 1)."""
        return self.rule.transfer_rate * self.rule.rate_growth ** (i - 1)

    def _pass_on(self, i: int) -> None:
        """A rank-1 update of array i - 1 by one row of array i."""
        source, coarse = self.tiles[i], self.tiles[i - 1]
        line = np.zeros((1, coarse.shape[0]), np.float32)
        row = self.moved[i] % coarse.shape[0]
        line[0, row] = 1
        coarse.update(line, -source.weights[row][None], self.rate(i), "transfer_rate")
        self.moved[i] += 1
