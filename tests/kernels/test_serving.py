"""Do the cases of the event loop see what it can do: preempt, swap, reuse, refuse, hand over?"""

import numpy as np
import pytest

from benchmarks.cases.serving import CASES

FIELDS = (
    "begun",
    "token",
    "finish",
    "spent",
    "replica",
    "preempted",
    "reused",
    "moved",
    "rounds",
    "sent",
)


def answers(name):
    case = CASES[f"serving.advance{name}"]
    state = case.make(np.random.default_rng([1, 17]), "small")
    return dict(zip((*FIELDS, "clock", "counts", "sums"), case.run(*state), strict=True))


def test_the_cases_preempt_and_reuse():
    found = answers("")
    assert found["preempted"].sum() > 0
    assert found["reused"].sum() > 0
    assert found["moved"].sum() == 0


def test_the_cases_swap_refuse_and_hand_over():
    assert answers(" swapping")["moved"].sum() > 0
    assert answers(" whole prompts")["counts"][2] > 0
    apart = answers(" apart")
    assert set(apart["replica"]) <= {0, 1, 2}  # replicas 3 and 4 decode
    assert (apart["finish"] > apart["token"]).any()


def test_what_requests_spent_is_what_replicas_drew():
    for name in ("", " swapping", " apart", " speculating", " speculating apart"):
        found = answers(name)
        assert found["spent"][:, 1].sum() == pytest.approx(found["sums"][3])


def test_the_cases_speculate_with_guesses_that_hold_and_that_do_not():
    for name in (" speculating", " speculating whole", " speculating apart"):
        found = answers(name)
        assert found["rounds"].sum() > 100
    assert answers(" speculating whole")["moved"].sum() > 0
