"""Does a canonical form tell values apart, come back equal, and run nothing of a stranger's choice?"""

import dataclasses
import enum
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pimlab as pim
from pimlab import catalogue
from pimlab.constants import assumed
from pimlab.cost import Prices
from pimlab.cost.prices import Price
from pimlab.values import Value, canonical, digest, from_canonical, integer, quantity


class Colour(enum.Enum):
    RED = 1


class Thing(Value):
    bits: int = integer(1, 16)
    g: float = quantity("S", default="25 uS")
    extra: object = None


@dataclasses.dataclass(frozen=True)
class Plain:
    size: int
    parts: tuple = ()


def doubled(x):
    return 2 * x


def _prices(joules):
    constant = assumed("one", joules, "J", "for a test")
    return Prices({"mac": Price(constant=constant, component="MAC")})


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.5,
        -0.0,
        float("inf"),
        1e-310,
        2**80,
        "µ ü ∑",
        (1, (2.0, "x"), ()),
        [1, [2]],
        {"a": 1, ("b", 2): [3]},
        frozenset({"x", "y"}),
        {1, 2},
        b"\x00\xff",
        Decimal("0.10"),
        Fraction(1, 3),
        1 + 2j,
        np.float32(0.1),
        np.int8(-3),
        PurePath("/a/b"),
        Colour.RED,
        doubled,
        Thing,
        Thing(bits=3, g="10 uS", extra=Plain(1, (Thing(bits=2),))),
        _prices(1e-12),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_a_value_comes_back_equal_and_of_its_type(value):
    back = from_canonical(canonical(value))
    assert back == value
    assert type(back) is type(value)
    assert canonical(back) == canonical(value)


@pytest.mark.parametrize("name", pim.targets())
def test_every_preset_comes_back_equal(name):
    machine = pim.target(name)
    assert from_canonical(canonical(machine)) == machine


@pytest.mark.parametrize("name", catalogue.names("devices"))
def test_every_device_comes_back_equal(name):
    assert from_canonical(canonical(pim.device(name))) == pim.device(name)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<i2").reshape(2, 3),
        np.array([], np.float32),
        np.array(3.0),
        np.array(["a", None], object),
        np.array([(1, 2.0)], [("a", "<i4"), ("b", "<f8")]),
        np.arange(8, dtype=np.float32)[::2],
        np.arange(6.0).reshape(2, 3).T,
    ],
    ids=str,
)
def test_an_array_comes_back_to_the_bit(array):
    back = from_canonical(canonical(array))
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)
    assert canonical(back) == canonical(array)


@given(st.floats(allow_nan=False) | st.text() | st.integers())
def test_plain_values_come_back(value):
    assert from_canonical(canonical((value,))) == (value,)


def test_a_variant_is_told_from_its_preset_everywhere():
    pcm = pim.target("pcm-hermes")
    variants = [
        pcm,
        pcm.but(adc=pim.ADC(bits=4)),
        pcm.but(host=pim.target("rngd")),
        pcm.but(cell=pim.device("reram-wan2022")),
    ]
    assert len({digest(v) for v in variants}) == 4
    assert len({repr(v) for v in variants}) == 4


def test_a_price_is_part_of_the_form_and_of_the_repr():
    assert canonical(_prices(1e-12)) != canonical(_prices(2e-12))
    assert repr(_prices(1e-12)) != repr(_prices(2e-12))
    assert "0x" not in repr(pim.target("pcm-hermes"))


def test_repr_shows_what_is_not_at_its_default():
    assert repr(Thing(bits=3, g=25e-6)) == "Thing(bits=3)"
    assert repr(Thing(bits=3, g=1e-5)) == "Thing(bits=3, g='10 uS')"


def test_form_and_digest_are_the_same_in_another_process():
    code = "import pimlab as pim; from pimlab.values import digest; print(digest(pim.target('pcm-hermes')))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONHASHSEED": "7", "PATH": ""},
    )
    assert told.stdout.strip() == digest(pim.target("pcm-hermes"))


def test_a_class_made_in_a_function_comes_back_while_it_lives():
    class Local(Value):
        a: int = integer(0)

    assert from_canonical(canonical(Local(a=2))) == Local(a=2)


def test_what_has_no_form_is_named():
    with pytest.raises(TypeError, match="no canonical form"):
        canonical(Thing(bits=1, extra=lambda: 0))
    ring: list = []
    ring.append(ring)
    with pytest.raises(TypeError, match="refers to itself"):
        canonical(ring)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not a canonical form"),
        ('{"a": 1}', "names no class"),
        ('{"class": "gone"}', "unknown class 'gone'"),
        ('{"class": "pimlab.npu.target:Nqu"}', "'Nqu' of module 'pimlab.npu.target'"),
        ('{"class": "not.loaded:Thing"}', "import or define it first"),
        ('{"class": "named", "name": "os:system"}', "of Python itself"),
        ('{"class": "subprocess:Popen", "args": "true"}', "of Python itself"),
        ('{"class": "numpy:memmap", "filename": "x"}', "no Value or dataclass"),
        ('{"class": "array", "dtype": "<f4"}', "damaged"),
        ('{"class": "float", "text": "x"}', "damaged"),
    ],
)
def test_a_text_that_is_no_form_is_refused_and_runs_nothing(text, says):
    with pytest.raises(ValueError, match=says):
        from_canonical(text)
    with pytest.raises(TypeError, match="takes a text"):
        from_canonical(3)
