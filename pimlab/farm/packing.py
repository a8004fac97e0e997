"""How full do nodes get when partitions of cards come one after another? Packing by a policy.

A partition asks for processor time, memory and either whole cards or a share of one. It goes to one
node of those that have room, chosen by the policy, and stays.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from pimlab import result
from pimlab.arguments import typed
from pimlab.farm.policies import POLICIES, WHOLE, Ask, Nodes, Partitions, Room
from pimlab.values import unknown


@typed
def pack(
    nodes: Nodes, partitions: Partitions, policy: str = "best fit", seed: int = 0
) -> xr.Dataset:
    """Place the partitions, in their order, on nodes by `policy`.

    "best fit" takes the node whose free processor time and cards, each relative to the largest of
    all nodes, add up to the least, and there the card with the least room that is enough; "random"
    any node and any card with room; "spread" the node and the card with the most room; "dot
    product" the node whose free room points least where the request does; "clustering" nodes with
    requests of the same kind; "packing" cards that are shared already; "fragmentation" the card on
    which the fewest cards become useless to the most frequent requests (Weng et al. 2023 compare
    all of them but "spread").

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
    room, rng = Room(nodes, partitions), np.random.default_rng(seed)
    chosen = np.full(len(partitions.cpu), -1)
    for i, one in enumerate(zip(*(part.tolist() for part in partitions), strict=True)):
        ask = Ask(*one)
        able = room.able(ask)
        if len(able):
            chosen[i], card = POLICIES[policy](room, able, ask, rng)
            room.take(int(chosen[i]), card, ask)
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
