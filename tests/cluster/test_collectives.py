"""Do the rounds of each algorithm add up to what can be counted by hand, and does every worker end with everything?"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.cluster import rounds


def volume(operation, algorithm, workers):
    return sum((one.share for one in rounds(operation, algorithm, workers)), Fraction(0))


@pytest.mark.parametrize(
    ("operation", "algorithm", "workers", "count", "share"),
    [
        ("all-reduce", "ring", 8, 14, Fraction(7, 4)),
        ("all-reduce", "halving", 8, 6, Fraction(7, 4)),
        ("all-reduce", "tree", 8, 6, Fraction(6)),
        ("all-reduce", "switch", 8, 2, Fraction(1)),
        ("reduce-scatter", "ring", 4, 3, Fraction(3, 4)),
        ("all-gather", "halving", 16, 4, Fraction(15, 16)),
        ("all-gather", "halving", 6, 3, Fraction(7, 4)),
        ("all-to-all", "ring", 4, 3, Fraction(3, 4)),
        ("send", "ring", 2, 1, Fraction(1)),
        ("all-reduce", "ring", 1, 0, Fraction(0)),
    ],
)
def test_rounds_and_volume_by_hand(operation, algorithm, workers, count, share):
    assert len(rounds(operation, algorithm, workers)) == count
    assert volume(operation, algorithm, workers) == share


@given(workers=st.integers(2, 40), algorithm=st.sampled_from(["ring", "halving"]))
def test_nobody_sends_less_than_the_lower_bound(workers, algorithm):
    """Every worker sends at least (n - 1) / n of the vector in each half of an all-reduce."""
    least = Fraction(workers - 1, workers)
    assert volume("reduce-scatter", algorithm, workers) >= least
    assert volume("all-reduce", algorithm, workers) >= 2 * least


@given(workers=st.integers(2, 40), algorithm=st.sampled_from(["ring", "tree", "halving"]))
def test_what_one_worker_knows_reaches_all(workers, algorithm):
    """Following the messages of an all-gather: afterwards every worker holds every part."""
    known = [{i} for i in range(workers)]
    for one in rounds("all-reduce", algorithm, workers):
        before = [set(parts) for parts in known]
        pairs = one.senders(workers)
        for start, end in pairs:
            known[end] |= before[start]
            if one.pattern == "tree":
                known[start] |= before[end]
    if algorithm != "halving" or workers & (workers - 1) == 0:
        assert all(parts == set(range(workers)) for parts in known)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("all-redcue", "ring", 4), "did you mean 'all-reduce'"),
        (("all-reduce", "rign", 4), "did you mean 'ring'"),
        (("all-reduce", "ring", 0), "workers=0; allowed: an integer, 1 to 1048576"),
        (("all-reduce", "ring", 2.5), "workers=2.5"),
        (("all-reduce", "ring", 10**40), "workers=10+; allowed: an integer, 1 to 1048576"),
        (("all-to-all", "tree", 4), "all-to-all by 'tree' is not offered"),
    ],
)
def test_bad_input_is_refused_by_name(args, text):
    with pytest.raises((TypeError, ValueError), match=text):
        rounds(*args)
