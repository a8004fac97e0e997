"""Do policies choose the nodes and cards that their definitions name? By hand, on a few cards."""

import numpy as np
import pytest

from pimlab.farm import Nodes, Partitions, pack
from pimlab.farm.policies import WHOLE, Ask, fragments, frequent


def nodes(cards, cpu=64_000):
    count = len(cards)
    cpus = np.broadcast_to(np.asarray(cpu), count).copy()
    return Nodes(cpus, np.full(count, 1000), np.array(cards))


def asks(cards, share, cpu=1000):
    count = len(cards)
    return Partitions(
        np.full(count, cpu), np.full(count, 1), np.array(cards), np.array(share, np.int64)
    )


def where(found):
    return found.node.values.tolist()


def test_dot_product_takes_the_room_least_like_the_request():
    big_small = nodes([8, 1], cpu=[128_000, 16_000])
    assert where(pack(big_small, asks([1], [WHOLE]), "dot product")) == [1]


def test_clustering_keeps_kinds_together():
    # a share, a whole card (an empty node), a share again, a whole card again
    ask = asks([1, 1, 1, 1], [500, WHOLE, 100, WHOLE])
    assert where(pack(nodes([4, 4, 4]), ask, "clustering")) == [0, 1, 0, 1]


def test_packing_prefers_shared_cards_then_used_nodes():
    ask = asks([1, 1, 1, 2], [500, 400, 700, WHOLE])
    # 0.4 joins 0.5; 0.7 opens a card of the used node; two cards do not fit there any more
    assert where(pack(nodes([3, 8]), ask, "packing")) == [0, 0, 0, 1]


def test_requests_without_cards_do_not_disturb():
    ask = asks([0, 0], [0, 0])
    for policy in ("clustering", "packing", "dot product", "fragmentation"):
        assert -1 not in where(pack(nodes([1, 1]), ask, policy))


def test_fragments_by_hand():
    cards = np.array([[1000, 400, 0], [300, 300, 0]])
    cpu = np.array([2000, 2000])
    half, two, none = Ask(1000, 0, 1, 500), Ask(1000, 0, 2, WHOLE), Ask(1000, 0, 0, 0)
    large = Ask(4000, 0, 1, 500)
    assert fragments(cpu, cards, [(half, 1.0)]).tolist() == [400, 600]  # 0.4; nothing fits
    assert fragments(cpu, cards, [(two, 1.0)]).tolist() == [1400, 600]
    assert fragments(cpu, cards, [(none, 1.0)]).tolist() == [1400, 600]
    assert fragments(cpu, cards, [(large, 1.0)]).tolist() == [1400, 600]  # too little processor
    assert fragments(cpu, cards, [(half, 0.25), (two, 0.75)]).tolist() == [1150, 600]


def test_fragmentation_leaves_whole_cards_to_those_who_ask_for_them():
    # most ask for two whole cards: a share goes to the card that is shared already, and a single
    # card to the node that cannot serve two
    ask = asks([1, 1, 2, 2, 2, 2], [500, 400, *[WHOLE] * 4])
    found = where(pack(nodes([3, 3, 2, 2]), ask, "fragmentation"))
    assert found[0] == found[1] == 0
    assert -1 not in found[2:]


def test_frequent_kinds_make_up_their_share():
    ask = asks([1] * 96 + [2] * 3 + [4], [500] * 96 + [WHOLE] * 4)
    (only,) = frequent(ask)
    assert only == (Ask(1000, 0, 1, 500), 1.0)
    kinds = frequent(asks([1] * 6 + [2] * 4, [500] * 6 + [WHOLE] * 4))
    assert [share for _, share in kinds] == pytest.approx([0.6, 0.4])
