"""Does a value check its fields, name the nearest on a typo, and stay as it is?"""

import dataclasses
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.values import Value, choice, integer, nearest, number, part, quantity


class Inner(Value):
    size: int = integer(1, 9)


class Thing(Value):
    bits: int = integer(1, 16, hint="for no converter write adc=None")
    g_max: float = quantity("S", above=0, default="25 uS")
    ratio: float = number(low=0, high=1, default=0.5)
    mode: str = choice("ws", "os", default="ws")
    inner: Inner | None = part(Inner, default=None)


def test_text_becomes_si_and_absent_parts_stay_none():
    thing = Thing(bits=8, g_max="10 uS", ratio="20 %")
    assert (thing.g_max, thing.ratio, thing.inner) == (1e-5, 0.2, None)
    assert Thing(bits=8).g_max == 25e-6


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"bits": 0}, ValueError, "Thing bits=0 is outside 1..16; for no converter write adc=None"),
        ({"bits": 8.0}, TypeError, "bits=8.0 is not an integer"),
        ({"bits": True}, TypeError, "bits=True is not an integer"),
        ({"bits": 8, "g_max": "25 uA"}, ValueError, "g_max='25 uA' is not a conductance"),
        ({"bits": 8, "g_max": 0.0}, ValueError, "g_max=0.0 is outside above 0"),
        ({"bits": 8, "g_max": float("nan")}, ValueError, "g_max=nan"),
        ({"bits": 8, "ratio": -0.1}, ValueError, "ratio=-0.1 is outside 0..1"),
        ({"bits": 8, "ratio": [1]}, TypeError, "is not a number"),
        (
            {"bits": 8, "mode": "wss"},
            ValueError,
            "mode='wss' is not one of ws, os; did you mean 'ws'?",
        ),
        ({"bits": 8, "inner": 3}, TypeError, "inner=3 is not an Inner"),
        ({"bit": 8}, TypeError, "Thing has no 'bit'; did you mean 'bits'?"),
        ({}, TypeError, "Thing needs bits"),
    ],
)
def test_a_bad_field_is_named_with_what_is_allowed(given, kind, text):
    with pytest.raises(kind) as caught:
        Thing(**given)
    assert text in str(caught.value)


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError, match="keyword arguments only"):
        Thing(8)


def test_but_copies_and_checks():
    thing = Thing(bits=8)
    assert thing.but(bits=6) == Thing(bits=6)
    assert thing.bits == 8
    with pytest.raises(TypeError, match="did you mean 'g_max'"):
        thing.but(gmax=1)
    with pytest.raises(ValueError, match="outside 1..16"):
        thing.but(bits=17)
    with pytest.raises(dataclasses.FrozenInstanceError):
        thing.bits = 3


@given(st.integers(1, 16), st.floats(1e-9, 1e-3), st.floats(0, 1))
def test_equal_by_content_and_through_pickle(bits, g_max, ratio):
    thing = Thing(bits=bits, g_max=g_max, ratio=ratio)
    assert pickle.loads(pickle.dumps(thing)) == thing == Thing(ratio=ratio, g_max=g_max, bits=bits)
    assert hash(thing) == hash(Thing(bits=bits, g_max=g_max, ratio=ratio))


def test_the_nearest_name_ignores_capitals_and_may_hold_what_was_written():
    known = ("pcm-hermes", "reram-wan2022", "ADC")
    assert nearest("PCM-Hermes", known) == "; did you mean 'pcm-hermes'?"
    assert nearest("pcm", known) == "; did you mean 'pcm-hermes'?"
    assert nearest("adc", known) == "; did you mean 'ADC'?"
    assert nearest("", known) == nearest("zz", known) == ""
