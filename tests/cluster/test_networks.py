"""Is a network's time the sum of its rounds, the fastest algorithm the one chosen, and bad input refused by name?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pimlab as pim
from pimlab.cluster import Network, Ring, networks

PLAIN = Network(link=pim.link("ethernet-100g").but(delay="2 us"))


def test_an_all_reduce_by_hand():
    """8 chips, 1 MB, 100 Gbit/s: 14 rounds of 2 us and 125 kB (10 us)."""
    assert PLAIN.seconds("all-reduce", 1e6, 8, "ring") == pytest.approx(14 * (2e-6 + 1e-5))
    assert PLAIN.seconds("all-reduce", 1e6, 8, "halving") == pytest.approx(6 * 2e-6 + 1.4e-4)
    assert PLAIN.seconds("all-reduce", 1e6, 8, "tree") == pytest.approx(6 * (2e-6 + 8e-5))
    assert PLAIN.seconds("all-reduce", 1e6, 1) == 0
    assert PLAIN.seconds("send", 1e6, 2) == pytest.approx(2e-6 + 8e-5)


def test_bits_by_hand():
    assert PLAIN.bits("all-reduce", 1e6, 8, "ring") == pytest.approx(8 * 14 * 8e6 / 8)
    assert PLAIN.bits("all-reduce", 1e6, 8, "tree") == pytest.approx(2 * 7 * 8e6)
    assert PLAIN.bits("send", 1e6, 2, "ring") == 8e6


def test_the_fastest_algorithm_is_chosen():
    assert PLAIN.best("all-reduce", 1e3, 8)[1] == "halving"
    assert PLAIN.but(topology=Ring()).best("all-reduce", 1e9, 8)[1] == "ring"
    assert PLAIN.but(algorithms=("ring", "switch")).best("all-reduce", 1e9, 8)[1] == "switch"


@given(
    message=st.floats(0, 1e9),
    more=st.floats(1, 10),
    workers=st.integers(1, 16),
    name=st.sampled_from(networks()),
)
def test_longer_messages_never_take_less(message, more, workers, name):
    net = pim.network(name)
    for operation in ("all-reduce", "all-gather", "send"):
        short, long = (net.seconds(operation, m, workers) for m in (message, more * message))
        assert short <= long


def test_more_bandwidth_less_time_and_rails_help_between_boards():
    net = pim.network("dgx-a100-nodes")
    assert net.seconds("all-reduce", 1e8, 16, on_board=8) < net.seconds("all-reduce", 1e8, 16)
    fast = net.but(link=net.link.but(bandwidth=2 * net.link.bandwidth))
    assert fast.seconds("all-reduce", 1e8, 16) < net.seconds("all-reduce", 1e8, 16)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PLAIN.seconds("all-reduce", -1, 8), "message=-1 bytes; allowed: 0 or more"),
        (lambda: PLAIN.seconds("all-reduce", float("nan"), 8), "message=nan"),
        (lambda: PLAIN.but(algorithms=("rings",)), "did you mean 'ring'"),
        (lambda: PLAIN.but(algorithms=()), "leaves none"),
        (lambda: PLAIN.but(efficiency=0), "Network efficiency=0"),
        (lambda: pim.network("dgx-a10"), "did you mean 'dgx-a100'"),
    ],
)
def test_bad_input_is_refused_by_name(make, text):
    with pytest.raises(ValueError, match=text):
        make()
