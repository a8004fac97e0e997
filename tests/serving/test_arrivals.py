"""Do generated requests come at the rate, with the spread and the lengths that were asked for?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.serving import Lengths, fixed, gamma, on_off, poisson, single_shots


def spread(one):
    gaps = np.diff(one.arrival)
    return gaps.std() / gaps.mean()


def test_poisson_has_its_rate_and_exponential_gaps():
    one = poisson(rate="4 Hz", count=20_000, input=10, output=[1, 3])
    assert one.count / one.arrival[-1] == pytest.approx(4, rel=0.03)
    assert spread(one) == pytest.approx(1, rel=0.03)
    assert set(one.output) == {1, 3}
    assert one.rate == 4


@pytest.mark.parametrize("variation", [0.0, 0.5, 3.0])
def test_gamma_has_its_variation(variation):
    one = gamma(rate=10, variation=variation, count=20_000, input=1, output=1)
    assert spread(one) == pytest.approx(variation, rel=0.06, abs=1e-9)
    assert one.count / one.arrival[-1] == pytest.approx(10, rel=0.06)


def test_an_on_off_source_is_silent_while_off():
    one = on_off(rate="100 Hz", on="1 s", off="3 s", count=20_000, input=1, output=1)
    assert one.rate == pytest.approx(25)
    assert one.count / one.span == pytest.approx(25, rel=0.15)
    assert spread(one) > 2


def test_a_seed_decides_everything_and_lengths_do_not_move_arrivals():
    ones = [
        poisson(rate=1, count=50, input=n, output=2, seed=s) for n, s in [(5, 0), (9, 0), (5, 1)]
    ]
    assert np.array_equal(ones[0].arrival, ones[1].arrival)
    assert not np.array_equal(ones[0].arrival, ones[2].arrival)


def test_lognormal_lengths_have_their_mean_and_bound():
    one = poisson(
        rate=1,
        count=50_000,
        input=Lengths(mean=200, variation=0.5),
        output=Lengths(mean=50, most=60),
    )
    assert one.prompt.mean() == pytest.approx(200, rel=0.01)
    assert one.prompt.std() == pytest.approx(100, rel=0.05)
    assert (one.output.max(), one.output.min() >= 1) == (60, True)


def test_fixed_sets_and_single_shots():
    assert fixed(count=3, input=128, output=4096, every="2 s").arrival.tolist() == [0, 2, 4]
    assert fixed(count=3, input=1, output=1).rate is None
    assert set(single_shots(rate=5, count=9).prompt) == {1}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"rate": "0 Hz"}, "rate='0 Hz'; allowed: above 0"),
        ({"count": 0}, "count=0; allowed: an integer, 1 or more"),
        ({"input": 0}, r"prompt\[0\]=0; allowed: 1 token or more"),
    ],
)
def test_bad_generators_are_refused(given, text):
    with pytest.raises(ValueError, match=text):
        pim.poisson(**{"rate": 1, "count": 2, "input": 3, "output": 4, **given})


def test_what_is_no_length_or_period_is_refused():
    with pytest.raises(TypeError, match="input='a lot' is not an integer"):
        poisson(rate=1, count=2, input="a lot", output=1)
    with pytest.raises(ValueError, match="on='0 s'"):
        on_off(rate=1, on="0 s", off="1 s", count=2, input=1, output=1)
    with pytest.raises(ValueError, match="variation=-1"):
        gamma(rate=1, variation=-1, count=2, input=1, output=1)
    with pytest.raises(ValueError, match="variation=1e.300; allowed: 0, or about 1e-150 to"):
        gamma(rate=1, variation=1e300, count=2, input=1, output=1)
    with pytest.raises(ValueError, match="off=inf; allowed: .* both finite"):
        on_off(rate=1, on=1.0, off=float("inf"), count=2, input=1, output=1)
    with pytest.raises(ValueError, match="on=1e-12 asks for 2e.12 periods; allowed: 10000000 at"):
        on_off(rate=1, on=1e-12, off=1.0, count=2, input=1, output=1)
    with pytest.raises(ValueError, match="every=-1"):
        fixed(count=2, input=1, output=1, every=-1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"input": 2**31}, "input=2147483648; allowed: 2147483647 tokens at most"),
        ({"input": [4, 2**33]}, "allowed: 2147483647 tokens at most"),
        ({"output": np.array([])}, r"output=array\(\[\]"),
        ({"count": 10**40}, "allowed: 1000000000 at most"),
        ({"count": np.array([])}, r"requests|poisson"),
    ],
)
def test_loads_that_no_memory_holds_are_refused(given, told):
    with pytest.raises((ValueError, TypeError), match=told):
        pim.poisson(**{"rate": 1.0, "count": 3, "input": 4, "output": 4, **given})
