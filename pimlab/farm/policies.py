"""Which node, and which card of it, takes a partition? Policies that clusters of shared cards use.

A policy scores every node that has room; the highest score takes the partition. The scores of
"dot product", "clustering", "packing" and "fragmentation" are whole numbers from 0 to 100, as in a
Kubernetes scheduler, and one of the nodes with the highest is drawn at random. Weng et al. (USENIX
ATC 2023) compare six of these policies and define the last [1, sections 3 and 6].

1. Q. Weng et al., Beware of fragmentation: scheduling GPU-sharing workloads with fragmentation
gradient descent, USENIX ATC 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

WHOLE = 1000
"""Thousandths of a card: what a whole one is."""
TOP = 100
"""The highest score."""
COMMON = 0.95
"""Share of all requests that the kinds which count for fragmentation make up, the most frequent
kinds first [1]."""


class Nodes(NamedTuple):
    """Nodes: processor time in thousandths of a core, memory in bytes (any unit will do, that of
    the partitions), cards; each int64, shape (nodes,).
    """

    cpu: np.ndarray
    memory: np.ndarray
    cards: np.ndarray


class Partitions(NamedTuple):
    """Requests: processor time, memory, whole cards or 1 of which only `share` thousandths; each
    int64, shape (requests,). cards 0 asks for none.
    """

    cpu: np.ndarray
    memory: np.ndarray
    cards: np.ndarray
    share: np.ndarray

    def taken(self, which: np.ndarray) -> Partitions:
        """Those of the indices `which`."""
        return Partitions(*(one[which] for one in self))

    @property
    def asked(self) -> np.ndarray:
        """Thousandths of cards that each asks for, int64, shape (requests,)."""
        return self.cards * self.share


class Ask(NamedTuple):
    """One partition: processor time, memory, cards, thousandths of each of them."""

    cpu: int
    memory: int
    cards: int
    share: int

    @property
    def divides(self) -> bool:
        """Whether it takes a share of one card."""
        return self.cards == 1 and self.share < WHOLE

    @property
    def kind(self) -> int:
        """0 without a card, 1 for a share of one, 1 + n for n whole cards."""
        return self.cards + (self.cards > 0 and not self.divides)


class Room:
    """What is free on every node: processor time, memory, thousandths of every card.

    changed : how many partitions each node has taken, int64, shape (nodes,).  kinds : how many of
    each `Ask.kind`, int64, shape (nodes, kinds).  common : (ask, share of all requests) of the most
    frequent kinds of partition.
    """

    def __init__(self, nodes: Nodes, partitions: Partitions):
        most = int(nodes.cards.max(initial=0))
        self.cpu, self.memory = nodes.cpu.copy(), nodes.memory.copy()
        self.cards = np.where(np.arange(most) < nodes.cards[:, None], WHOLE, 0)
        self.count = nodes.cards.astype(np.int64)
        self.free = self.cards.sum(axis=1)
        self.whole = self.count.copy()
        self.largest = self.cards.max(axis=1, initial=0)
        self.scale = float(nodes.cpu.max()), float(max(self.free.max(), 1))
        self.changed = np.zeros(len(self.cpu), np.int64)
        widest = int(partitions.cards.max(initial=0))
        self.kinds = np.zeros((len(self.cpu), widest + 2), np.int64)
        self.common = frequent(partitions)
        self.known: dict[Ask, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def able(self, ask: Ask) -> np.ndarray:
        """Nodes that have room."""
        fits = (self.cpu >= ask.cpu) & (self.memory >= ask.memory)
        if ask.cards:
            fits &= self.largest >= ask.share if ask.divides else self.whole >= ask.cards
        return np.flatnonzero(fits)

    def relative(self, able: np.ndarray) -> np.ndarray:
        """Free processor time and cards of nodes, relative to the largest node."""
        return 0.5 * self.cpu[able] / self.scale[0] + 0.5 * self.free[able] / self.scale[1]

    def take(self, node: int, card: int, ask: Ask) -> None:
        """Give a partition its room on a node; `card` holds it where it takes a share of one."""
        self.cpu[node] -= ask.cpu
        self.memory[node] -= ask.memory
        self.changed[node] += 1
        if not ask.cards:
            return
        mine = self.cards[node]
        if ask.divides:
            mine[card] -= ask.share
        else:
            mine[np.flatnonzero(mine == WHOLE)[: ask.cards]] = 0
        self.kinds[node, ask.kind] += 1
        self.free[node] = mine.sum()
        self.whole[node] = np.count_nonzero(mine == WHOLE)
        self.largest[node] = mine.max()


def frequent(partitions: Partitions) -> list[tuple[Ask, float]]:
    """(kind of partition, its share) of the most frequent, up to `COMMON` of all; memory is left
    out. The shares add up to 1.
    """
    columns = np.stack([partitions.cpu, partitions.cards, partitions.share], axis=1)
    kinds, counts = np.unique(columns, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    last = int(np.searchsorted(np.cumsum(counts[order]), COMMON * counts.sum())) + 1
    order = order[:last]
    shares = counts[order] / counts[order].sum()
    asks = (Ask(int(c), 0, int(n), int(s)) for c, n, s in kinds[order])
    return list(zip(asks, shares.tolist(), strict=True))


Choice = tuple[int, int]
"""Node, and the card on it."""
Policy = Callable[[Room, np.ndarray, Ask, np.random.Generator], Choice]


def _tightest(room: Room, node: int, share: int) -> int:
    """The card of a node with the least room that is enough."""
    free = room.cards[node]
    return int(np.argmin(np.where(free >= share, free, 2 * WHOLE)))


def _best_fit(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    node = int(able[np.argmin(room.relative(able))])
    return node, _tightest(room, node, ask.share)


def _spread(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    node = int(able[np.argmax(room.relative(able))])
    return node, int(np.argmax(room.cards[node]))


def _random(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    node = int(able[rng.integers(len(able))])
    cards = np.flatnonzero(room.cards[node] >= ask.share)
    return node, int(cards[rng.integers(len(cards))]) if len(cards) else 0


def _drawn(able: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> int:
    return int(able[np.argmax(np.floor(scores + 1e-9))])


def _dot_product(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    """The node whose free processor time and cards point least where the request does: 1 - half the
    dot product of the two, each relative to the largest node.
    """
    cpu = room.cpu[able] / room.scale[0] * (ask.cpu / room.scale[0])
    cards = room.free[able] / room.scale[1] * (ask.cards * ask.share / room.scale[1])
    node = _drawn(able, TOP * (1 - (cpu + cards) / 2), rng)
    return node, _tightest(room, node, ask.share)


def _clustering(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    """Nodes with partitions of the same kind alone, then with it among others, then empty ones,
    then others; the fullest first.
    """
    if not ask.cards:
        return int(able[0]), 0
    held = room.kinds[able] > 0
    same, others = held[:, ask.kind], held.sum(axis=1)
    rank = np.select([same & (others == 1), same, others == 0], [3, 2, 1], 0)
    full = np.floor(TOP / 4 * (1 - room.free[able] / room.scale[1]) + 1e-9)
    node = _drawn(able, TOP / 4 * rank + full, rng)
    return node, _tightest(room, node, ask.share)


def _packing(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    """Cards that are shared already, the fullest first; then free cards of nodes in use; then empty
    nodes, the smallest first.
    """
    if not ask.cards:
        return int(able[0]), 0
    cards, count = room.cards[able], room.count[able]
    fitting = np.where((cards >= ask.share) & (cards > 0), cards, 2 * WHOLE)
    tightest = fitting.min(axis=1)
    shared = ask.divides & (tightest < WHOLE)
    used = room.whole[able] < count
    partly = np.maximum(TOP - np.floor(tightest * TOP / WHOLE) // 10, TOP // 2)
    free = np.maximum(TOP // 2 - ask.cards, TOP // 3)
    empty = np.maximum(TOP // 3 - count, count)
    node = _drawn(able, np.where(~used, empty, np.where(shared, partly, free)), rng)
    return node, _tightest(room, node, ask.share)


def fragments(cpu: np.ndarray, cards: np.ndarray, common: list[tuple[Ask, float]]) -> np.ndarray:
    """Thousandths of cards that the common kinds of partition cannot use, on average: all that is
    free where a kind does not fit (or asks for no card), else what is free on cards too full for it
    [1, equation 2]. float64, shape (nodes,).

    cpu : int64 (nodes,).  cards : thousandths free, int64 (nodes, cards).
    """
    asks, shares = zip(*common, strict=True)
    table = np.array(asks)
    enough = cards[:, None, :] >= np.maximum(table[:, 3], 1)[:, None]
    fits = (cpu[:, None] >= table[:, 0]) & (table[:, 2] > 0)
    fits &= np.count_nonzero(enough, axis=2) >= table[:, 2]
    free = cards.sum(axis=1)
    lost = free[:, None] - np.einsum("nkc,nc->nk", enough, cards)
    return np.asarray(np.where(fits, lost, free[:, None]) @ np.array(shares))


def _fragmentation(room: Room, able: np.ndarray, ask: Ask, rng: np.random.Generator) -> Choice:
    """The node, and the card, where the partition adds least to the fragments."""
    score, card, when = room.known.setdefault(ask, _nothing(len(room.cpu)))
    stale = able[when[able] != room.changed[able]]
    if len(stale):
        score[stale], card[stale] = _gradient(room, stale, ask)
        when[stale] = room.changed[stale]
    node = _drawn(able, score[able], rng)
    return node, int(card[node])


def _nothing(nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(nodes), np.zeros(nodes, np.int64), np.full(nodes, -1)


def _gradient(room: Room, nodes: np.ndarray, ask: Ask) -> tuple[np.ndarray, np.ndarray]:
    """(score, card) of a partition on each of `nodes`: 100 over 1 + exp(cards by which the
    fragments grow).
    """
    cpu, cards = room.cpu[nodes] - ask.cpu, room.cards[nodes]
    before = fragments(room.cpu[nodes], cards, room.common)
    if not ask.divides:
        first = np.cumsum(cards == WHOLE, axis=1) <= ask.cards
        after = fragments(cpu, np.where((cards == WHOLE) & first, 0, cards), room.common)
        return _sigmoid(before - after), np.zeros(len(nodes), np.int64)
    node, card = np.nonzero(cards >= ask.share)
    left = cards[node]
    left[np.arange(len(node)), card] -= ask.share
    after = fragments(cpu[node], left, room.common)
    scores = np.full(cards.shape, -1.0)
    scores[node, card] = np.floor(_sigmoid(before[node] - after))
    return scores.max(axis=1), scores.argmax(axis=1)


def _sigmoid(less: np.ndarray) -> np.ndarray:
    return TOP / (1 + np.exp(-less / WHOLE))


POLICIES: dict[str, Policy] = {
    "best fit": _best_fit,
    "random": _random,
    "spread": _spread,
    "dot product": _dot_product,
    "clustering": _clustering,
    "packing": _packing,
    "fragmentation": _fragmentation,
}
