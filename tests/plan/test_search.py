"""Is the placement found the cheapest of all, with calls, static power and memories counted?"""

import itertools

import numpy as np
import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.plan.search import Search, tables

RNG = np.random.default_rng(4)


def drawn(operators=5, machines=3):
    energy = RNG.random((operators, machines))
    latency = RNG.random((operators, machines))
    served = RNG.random((operators, machines)) < 0.8
    served[:, 0] = True  # one machine serves everything
    energy[~served] = latency[~served] = np.nan
    occupancy = np.where(served, RNG.random((operators, machines)) * 0.7, 0)
    occupancy[:, 0] = 0
    return energy, latency, occupancy, RNG.random(machines), RNG.random(machines) * 0.1


def by_hand(energy, latency, occupancy, watts, calls, objective, placed):
    """The sums of a placement, written out."""
    used, joules, seconds, full = set(), 0.0, 0.0, dict.fromkeys(range(len(watts)), 0.0)
    for op, machine in enumerate(placed):
        used.add(machine)
        joules += energy[op, machine]
        seconds += latency[op, machine]
        full[machine] += occupancy[op, machine]
    seconds += sum(calls[m] for m in used)
    if max(full.values()) > 1 + 1e-9 or not np.isfinite(seconds):
        return np.inf
    return joules + seconds * sum(watts[m] for m in used) if objective == "energy" else seconds


def test_a_machine_is_no_choice_for_what_it_does_not_serve_or_hold():
    banks, npu = pim.target("hbm-pim"), pim.target("warboy")
    small, large = (MacOp(name="w", m=1, k=k, n=4096) for k in (512, 2**21))
    softmax = VectorOp(name="s", kind="softmax", elements=8)
    assert not banks.serves(softmax)
    assert banks.occupancy(large) > 1
    energy, latency, occupancy = tables([small, large, softmax], [npu, banks], {})
    np.testing.assert_array_equal(np.isnan(energy[:, 1]), [False, True, True])
    np.testing.assert_array_equal(np.isnan(energy), np.isnan(latency))
    assert occupancy[0, 1] == banks.occupancy(small)
    assert (occupancy[1:, 1] == 0).all()


@pytest.mark.parametrize("turn", range(12))
@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_costs_are_those_written_out_and_none_without_calls_is_cheaper(turn, objective):
    energy, latency, occupancy, watts, calls = drawn()
    calls[:] = 0  # with calls the search is one over sets of machines, which may be used in part
    search = Search(energy, latency, occupancy, watts, objective, calls)
    best = search.best(np.isfinite(energy))
    every = [
        by_hand(energy, latency, occupancy, watts, calls, objective, placed)
        for placed in itertools.product(range(3), repeat=5)
        if np.isfinite(energy[np.arange(5), list(placed)]).all()
    ]
    assert search.total(best) == pytest.approx(min(every))
    assert search.fits(best)


def test_calls_are_paid_once_for_each_machine_in_use():
    energy, latency, occupancy, watts, calls = drawn()
    search = Search(energy, latency, occupancy, watts, "energy", calls)
    placed = np.zeros(5, int)
    assert search.cost(placed)[1] == pytest.approx(latency[:, 0].sum() + calls[0])


def test_what_nothing_holds_has_no_placement():
    full = np.full((2, 1), 0.6)
    search = Search(np.ones((2, 1)), np.ones((2, 1)), full, np.ones(1), "energy")
    assert search.best(np.ones((2, 1), bool)) is None
    assert search.total(np.zeros(2, int)) == np.inf


def test_alone_leaves_to_the_first_machine_what_one_does_not_serve():
    energy = np.array([[1.0, 1.0], [1.0, np.nan]])
    search = Search(energy, energy, np.zeros((2, 2)), np.ones(2), "energy")
    assert search.alone(1).tolist() == [1, 0]
