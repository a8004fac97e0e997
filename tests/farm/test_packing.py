"""Does packing keep what nodes have, and does best fit leave more room than chance?"""

import numpy as np
import pytest

from pimlab.farm import Nodes, Partitions, inflated, pack
from pimlab.farm.policies import POLICIES, WHOLE


def nodes(cards, cpu=64_000, memory=1000):
    count = len(cards)
    return Nodes(np.full(count, cpu), np.full(count, memory), np.array(cards))


def asks(cards, share, cpu=1000, memory=1):
    count = len(cards)
    return Partitions(np.full(count, cpu), np.full(count, memory), np.array(cards), np.array(share))


def random_asks(count, seed=0):
    rng = np.random.default_rng(seed)
    cards = rng.choice([0, 1, 1, 1, 2, 4], count)
    share = np.where((cards == 1) & (rng.random(count) < 0.6), rng.integers(1, 1000, count), WHOLE)
    return Partitions(rng.integers(100, 9000, count), rng.integers(1, 90, count), cards, share)


@pytest.mark.parametrize("policy", POLICIES)
def test_no_node_gives_more_than_it_has(policy):
    where, ask = nodes([1, 2, 4, 8] * 3), random_asks(120)
    node = pack(where, ask, policy).node.values
    for i in range(len(where.cpu)):
        here = ask.taken(np.flatnonzero(node == i))
        assert here.cpu.sum() <= where.cpu[i]
        assert here.memory.sum() <= where.memory[i]
        assert here.asked.sum() <= WHOLE * where.cards[i]
        assert here.cards[here.share == WHOLE].sum() <= where.cards[i]


def test_shares_meet_on_one_card_by_hand():
    found = pack(nodes([2, 2]), asks([1, 1, 1, 2], [600, 400, 500, WHOLE]))
    assert found.node.values.tolist() == [0, 0, 0, 1]
    assert found.allocated.values[-1] == pytest.approx(3.5 / 4)


def test_spread_takes_the_emptiest():
    assert pack(nodes([2, 2]), asks([1, 1], [500, 500]), "spread").node.values.tolist() == [0, 1]


def test_what_has_no_room_is_refused_and_counted():
    found = pack(nodes([1]), asks([1, 1], [WHOLE, 1]))
    assert found.node.values.tolist() == [0, -1]
    assert found.arrived.values[-1] == pytest.approx(1.001)
    assert found.allocated.values[-1] == 1


def test_best_fit_gives_more_cards_than_chance():
    where = nodes([4] * 60, cpu=30_000)
    ask = inflated(random_asks(200), 240, 1.2, seed=1)
    compared = ("best fit", "random", "spread")
    given = {policy: float(pack(where, ask, policy).allocated[-1]) for policy in compared}
    assert given["best fit"] >= max(given["random"], given["spread"])


def test_inflated_lists_ask_for_what_they_should():
    ask = random_asks(200)
    found = inflated(ask, 2000, 1.3, seed=3)
    assert 1.3 * 2000 * WHOLE <= found.asked.sum() < 1.3 * 2000 * WHOLE + 4 * WHOLE
    same = inflated(ask, 10, 0.1, seed=3)
    assert sorted(same.cpu) == sorted(ask.cpu)
    assert np.array_equal(inflated(ask, 2000, 1.3, seed=3).cpu, found.cpu)


@pytest.mark.parametrize(
    ("where", "ask", "policy", "says"),
    [
        ([1], ([1], [500]), "bestfit", "did you mean 'best fit'"),
        ([0], ([1], [500]), "random", "the nodes have no cards"),
        ([2], ([2], [500]), "random", "request 0 asks for cards=2 of share=500"),
        ([2], ([1], [0]), "random", "shares 1..1000"),
    ],
)
def test_bad_input_is_refused(where, ask, policy, says):
    with pytest.raises(ValueError, match=says):
        pack(nodes(where), asks(*ask), policy)
