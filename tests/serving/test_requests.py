"""Is every request in order, with tokens, and scaled as asked?"""

import numpy as np
import pytest
import xarray as xr
from serving_examples import requests

from pimlab.serving import Requests


def test_requests_keep_what_they_are_given():
    one = requests([0.0, 1.5, 1.5], [3, 4, 5], [1, 2, 3])
    assert (one.count, one.span, one.longest) == (3, 1.5, 8)
    same, other = (requests([0.0, 1.5, 1.5], [3, 4, 5], [1, 2, n]) for n in (3, 4))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert "3 in 1.5 s, 4 tokens in, 2 out" in repr(one)


def test_another_rate_keeps_lengths_and_order():
    fast = requests([2.0, 4.0, 8.0], [3, 4, 5], [1, 2, 3]).at_rate("4 Hz")
    assert fast.rate == 4
    np.testing.assert_allclose(fast.arrival, [0, 0.5 / 3, 0.5])
    with pytest.raises(ValueError, match="all come at once"):
        requests([0.0, 0.0], [1, 1], [1, 1]).at_rate(1)
    with pytest.raises(ValueError, match="rate='0 Hz'; allowed: above 0"):
        fast.at_rate("0 Hz")


def test_requests_within_a_length_keep_their_blocks_and_share_of_the_rate():
    one = requests(
        [0.0, 1.0, 2.0],
        [40, 90, 32],
        [1, 1, 1],
        first=[0, 2, 5, 7],
        blocks=[1, 2, 1, 3, 4, 5, 6],
        rate=3.0,
    )
    kept = one.within(50)
    assert kept.arrival.tolist() == [0.0, 2.0]
    assert kept.blocks.tolist() == [1, 2, 5, 6]
    assert kept.rate == pytest.approx(2.0)
    with pytest.raises(ValueError, match="has no requests"):
        one.within(3)


def test_the_head_keeps_its_own_blocks():
    one = requests([0.0, 1.0], [32, 40], [1, 1], first=[0, 2, 4], blocks=[5, 6, 5, 7], block=16)
    assert one.head(1).blocks.tolist() == [5, 6]
    assert one.head(5) is one


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (([0.0, 2.0, 1.0], [1, 1, 1], [1, 1, 1]), r"arrival\[2\]=1.0; it comes before the request"),
        (([0.0, 1.0], [1, 0], [1, 1]), r"prompt\[1\]=0; allowed: 1 token or more"),
        (([0.0, 1.0], [1, 1], [0, 1]), r"output\[0\]=0; allowed: 1 token or more"),
        (([], [], []), "has no requests"),
        (([-1.0], [1], [1]), r"arrival\[0\]=-1.0; allowed: from 0 s"),
        (([np.nan], [1], [1]), r"arrival\[0\]=nan"),
        (([0.0], [1, 2], [1]), "prompt has 2 entries, arrival 1"),
    ],
)
def test_bad_requests_are_refused_by_name(given, text):
    with pytest.raises(ValueError, match=text):
        requests(*given)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"arrival": "soon"}, TypeError, "arrival holds <U4 of shape"),
        ({"arrival": {}}, TypeError, "arrival holds object of shape"),
        ({"arrival": [[0.0]]}, TypeError, r"arrival holds float64 of shape \(1, 1\)"),
        ({"prompt": xr.Dataset()}, TypeError, "prompt=.* is no array of numbers"),
        ({"prompt": [2**32 + 5]}, ValueError, "prompt holds 4294967301; allowed: 2147483647 at"),
    ],
)
def test_what_holds_no_tokens_is_refused_by_name(change, error, text):
    with pytest.raises(error, match=f"(?s){text}"):
        Requests(**{"name": "x", "arrival": [0.0], "prompt": [1], "output": [1], **change})


def test_blocks_longer_than_their_prompt_are_refused():
    with pytest.raises(ValueError, match=r"prompt\[0\]=20; too short for its blocks of 16"):
        requests([0.0], [20], [1], first=[0, 2], blocks=[1, 2], block=16)
    with pytest.raises(ValueError, match="first must rise from 0 to 2"):
        requests([0.0], [40], [1], first=[0, 1], blocks=[1, 2], block=16)
    with pytest.raises(TypeError, match="prompt holds float64; allowed: integers"):
        Requests(name="x", arrival=[0.0], prompt=[1.5], output=[1])
