"""Does a constant keep its interval, its unit and where it came from, through every derivation?"""

import pytest

import pimlab as pim
from pimlab.constants import Constant, assumed, derive

VOLTS = Constant(
    name="supply", value=0.8, low=0.7, high=0.9, unit="V", printed="0.8 V", status="published",
    sources=("horowitz2014",), where="table 1",
)  # fmt: skip
CHARGE = assumed("charge", "2 nC", "C", "a test", low="1 nC", high="4 nC")


def test_text_becomes_si_and_the_text_is_kept():
    assert (CHARGE.value, CHARGE.low, CHARGE.high) == (2e-9, 1e-9, 4e-9)
    assert (CHARGE.printed, CHARGE.status, CHARGE.unit) == ("2 nC", "assumed", "C")
    assert float(VOLTS) == 0.8


def test_a_derived_number_has_the_corners_as_its_interval():
    energy = derive("energy", lambda v, q: v * q, VOLTS, CHARGE, unit="J", reason="V Q")
    assert (energy.value, energy.low, energy.high) == pytest.approx((1.6e-9, 0.7e-9, 3.6e-9))
    assert energy.status == "assumed", "as soon as one ingredient is"
    assert energy.sources == ("horowitz2014",)
    assert "rests on: a test" in energy.reason
    assert energy.where == "table 1"
    twice = derive("twice", lambda v: 2 * v, VOLTS, unit="V", reason="doubled")
    assert (twice.status, twice.reason) == ("derived", "doubled")
    falling = derive("inverse", lambda v: 1 / v, VOLTS, unit="1/V", reason="inverse")
    assert (falling.low, falling.high) == pytest.approx((1 / 0.9, 1 / 0.7))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"unit": "mV"}, "no unit of SI"),
        ({"status": "guessed"}, "status='guessed'"),
        ({"low": 0.85}, "low <= value <= high"),
        ({"high": float("inf")}, "finite"),
        ({"sources": "horowitz2014"}, "tuple of keys"),
        ({"where": 3}, "not a text"),
    ],
)
def test_a_constant_that_cannot_be_is_refused(wrong, match):
    with pytest.raises((ValueError, TypeError), match=match):
        VOLTS.but(**wrong)


def test_an_assumed_number_needs_a_reason():
    with pytest.raises(ValueError, match="needs a reason"):
        pim.assumed("x", 1, "V", "")
