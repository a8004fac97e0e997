"""How full do nodes get when partitions of cards come one after another? Packing by a policy.

A partition asks for processor time, memory and either whole cards or a share of one. It goes to one
node of those that have room, chosen by the policy, and stays. "best fit" takes the node whose free
processor time and cards, each relative to the largest of all nodes, add up to the least, and there
the card with the least room that is enough; "random" takes any node and any card with room;
"spread" takes the node and the card with the most room. (Policies as Weng et al. 2023 compare
them.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from pimlab import result
from pimlab.arguments import typed
from pimlab.values import unknown

WHOLE = 1000
"""Thousandths of a card: what a whole one is."""


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


class _Room:
    """What is free on every node: processor time, memory, thousandths of every card."""

    def __init__(self, nodes: Nodes):
        most = int(nodes.cards.max(initial=0))
        self.cpu, self.memory = nodes.cpu.copy(), nodes.memory.copy()
        self.cards = np.where(np.arange(most) < nodes.cards[:, None], WHOLE, 0)
        self.free = self.cards.sum(axis=1)
        self.whole = nodes.cards.astype(np.int64).copy()
        self.largest = self.cards.max(axis=1, initial=0)
        self.scale = float(nodes.cpu.max()), float(max(self.free.max(), 1))

    def able(self, cpu: int, memory: int, cards: int, share: int) -> np.ndarray:
        """Nodes that have room."""
        fits = (self.cpu >= cpu) & (self.memory >= memory)
        if cards:
            fits &= self.whole >= cards if share == WHOLE else self.largest >= share
        return np.flatnonzero(fits)

    def relative(self, able: np.ndarray) -> np.ndarray:
        """Free processor time and cards of nodes, relative to the largest node."""
        return 0.5 * self.cpu[able] / self.scale[0] + 0.5 * self.free[able] / self.scale[1]

    def take(self, node: int, card: int, cpu: int, memory: int, cards: int, share: int) -> None:
        """Give a partition its room on a node; `card` holds it where it takes a share of one."""
        self.cpu[node] -= cpu
        self.memory[node] -= memory
        if not cards:
            return
        mine = self.cards[node]
        if share == WHOLE:
            mine[np.flatnonzero(mine == WHOLE)[:cards]] = 0
        else:
            mine[card] -= share
        self.free[node] = mine.sum()
        self.whole[node] = np.count_nonzero(mine == WHOLE)
        self.largest[node] = mine.max()


Choice = tuple[int, int]
"""Node, and the card on it."""


def _best_fit(room: _Room, able: np.ndarray, share: int, rng: np.random.Generator) -> Choice:
    node = int(able[np.argmin(room.relative(able))])
    free = room.cards[node]
    return node, int(np.argmin(np.where(free >= share, free, 2 * WHOLE)))


def _spread(room: _Room, able: np.ndarray, share: int, rng: np.random.Generator) -> Choice:
    node = int(able[np.argmax(room.relative(able))])
    return node, int(np.argmax(room.cards[node]))


def _random(room: _Room, able: np.ndarray, share: int, rng: np.random.Generator) -> Choice:
    node = int(able[rng.integers(len(able))])
    cards = np.flatnonzero(room.cards[node] >= share)
    return node, int(cards[rng.integers(len(cards))]) if len(cards) else 0


Policy = Callable[[_Room, np.ndarray, int, np.random.Generator], Choice]
POLICIES: dict[str, Policy] = {"best fit": _best_fit, "random": _random, "spread": _spread}


@typed
def pack(
    nodes: Nodes, partitions: Partitions, policy: str = "best fit", seed: int = 0
) -> xr.Dataset:
    """Place the partitions, in their order, on nodes by `policy`.

    Variables over `request`: node (int64, -1 where none had room), arrived and allocated
    (thousandths of all cards of the nodes that were asked for and that were given so far, relative
    to all of them). Raises ValueError for an unknown policy, nodes without cards, shares outside
    1..1000, and shares of several cards. Unit of a partition: cards, or shares of one.

    >>> two = farm.Nodes(*np.array([[8000, 8000], [64, 64], [1, 2]]))
    >>> ask = farm.Partitions(*np.array([[1000] * 3, [1] * 3, [1, 1, 2], [500, 500, 1000]]))
    >>> farm.pack(two, ask).node.values.tolist()
    [0, 0, 1]
    """
    if policy not in POLICIES:
        raise ValueError(unknown("packing policy", policy, POLICIES))
    _checked(nodes, partitions)
    room, rng = _Room(nodes), np.random.default_rng(seed)
    chosen = np.full(len(partitions.cpu), -1)
    for i, one in enumerate(zip(*(part.tolist() for part in partitions), strict=True)):
        able = room.able(*one)
        if len(able):
            chosen[i], card = POLICIES[policy](room, able, one[-1], rng)
            room.take(int(chosen[i]), card, *one)
    total = WHOLE * float(nodes.cards.sum())
    given = np.where(chosen >= 0, partitions.asked, 0)
    return xr.Dataset(
        {
            "node": ("request", chosen, {"units": "1", "long_name": "node, -1 for none"}),
            "arrived": _share("cards asked for so far", partitions.asked, total),
            "allocated": _share("cards given so far", given, total),
        },
        attrs={"policy": policy, "seed": seed},
    )


def _share(
    meaning: str, values: np.ndarray, total: float
) -> tuple[str, np.ndarray, dict[str, str]]:
    attributes = result.attrs("allocated", f"share of all cards: {meaning}", "1")
    return "request", np.cumsum(values) / total, attributes


def _checked(nodes: Nodes, partitions: Partitions) -> None:
    if not len(nodes.cards) or not nodes.cards.sum() > 0:
        raise ValueError("pack: the nodes have no cards; allowed: one card or more")
    share, cards = partitions.share, partitions.cards
    wrong = (cards > 0) & ((share < 1) | (share > WHOLE) | ((cards > 1) & (share != WHOLE)))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"pack: request {i} asks for cards={cards[i]} of share={share[i]}; allowed: shares "
            f"1..{WHOLE} of one card, or several whole ones"
        )


@typed
def inflated(partitions: Partitions, cards: float, share: float, seed: int) -> Partitions:
    """Partitions in random order, with some of them again, until they ask for `share` of all
    `cards`: how a cluster is filled beyond what one list of requests would fill.
    """
    rng = np.random.default_rng(seed)
    count = len(partitions.cpu)
    wanted = share * cards * WHOLE - float(partitions.asked.sum())
    mean = float(partitions.asked.mean())
    extra = rng.integers(count, size=max(0, int(2 * wanted / mean) + count))
    sums = np.cumsum(partitions.asked[extra])
    extra = extra[: int(np.searchsorted(sums, wanted)) + 1] if wanted > 0 else extra[:0]
    order = np.concatenate([np.arange(count), extra])
    rng.shuffle(order)
    return partitions.taken(order)
