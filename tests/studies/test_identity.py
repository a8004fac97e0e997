"""Does the digest of a study change with everything the study computes from, and with nothing else?"""

import dataclasses
import datetime
import enum
import functools
import subprocess
import sys
import types
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import pimlab as pim
from pimlab.analog.devices import Device
from pimlab.studies.identity import IdentityError, digest, label
from pimlab.values import Value, integer

Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Plain:
    size: float
    parts: list = dataclasses.field(default_factory=list)


class Own:
    def __init__(self, size):
        self.size = size

    def doubled(self):
        return 2 * self.size


class Thing(Value):
    bits: int = integer(1)


def of(value):
    """The digest of a study that refers to `value`."""

    def f(x):
        return value, x

    return digest(f)


def module(**names):
    found = types.ModuleType("own_constants")
    vars(found).update(names)
    return found


def device(factor):
    class Mine(Device):
        def spread(self):
            return self.g_max * FACTORS[0] * factor

    return Mine(**{name: getattr(CELL, name) for name in Device.fields()})


FACTORS = [1]
CELL = pim.device("pcm-hermes")
NAN = float("nan")
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=["p", "q"])
ARRAY = xr.DataArray([1.0, 2.0], dims="t", coords={"t": [0, 1]}, attrs={"units": "J"})
KINDS = {
    "number": (1, 1.5, 2, True, None, "1", 1j, b"1", NAN),
    "decimal": (Decimal("0.1"), Decimal("0.10"), Decimal("0.2")),
    "fraction": (Fraction(1, 3), Fraction(1, 4)),
    "date": (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)),
    "tuple": ((1, 2), [1, 2], (1, 3), {1, 2}, frozenset({1, 2}), Pair(1, 2), Pair(1, 3)),
    "mapping": ({"a": 1}, {"a": 2}, {"b": 1}, OrderedDict(a=1), OrderedDict(a=2)),
    "array": (np.arange(3), np.arange(3.0), np.arange(4), np.array([0, 1, 9]), np.int64(3)),
    "long array": (np.arange(2000), np.where(np.arange(2000) == 1000, 0, np.arange(2000))),
    "dataclass": (Plain(1.0), Plain(2.0), Plain(1.0, [3])),
    "object": (Own(1), Own(2)),
    "method": (Own(1).doubled, Own(2).doubled),
    "partial": (functools.partial(max, 1), functools.partial(max, 2), functools.partial(min, 1)),
    "value": (Thing(bits=1), Thing(bits=2)),
    "machine": (pim.target("warboy"), pim.target("warboy").but(lanes=2), pim.target("t4")),
    "price": (
        pim.target("warboy"),
        pim.target("warboy").but(energy=pim.target("warboy").prices.with_price(
            "static", pim.assumed("p", 1.0, "J", "a test"))),
    ),
    "frame": (FRAME, FRAME.replace(1, 3), FRAME.rename(columns={"a": "c"}), FRAME.set_index("a")),
    "series": (FRAME.a, FRAME.b, FRAME.a * 2, FRAME.a.rename("z")),
    "index": (FRAME.index, FRAME.index[::-1], pd.MultiIndex.from_frame(FRAME)),
    "dates": (pd.date_range("2026", periods=2), pd.date_range("2027", periods=2)),
    "labelled": (
        ARRAY, ARRAY * 2, ARRAY.rename(t="u"), ARRAY.assign_coords(t=[0, 2]),
        ARRAY.assign_attrs(units="W"), ARRAY.to_dataset(name="a"), ARRAY.to_dataset(name="b"),
    ),
    "enum": (enum.Enum("E", {"A": 1}).A, enum.Enum("E", {"A": 2}).A, enum.Enum("E", {"B": 1}).B),
    "generator": (np.random.default_rng(1), np.random.default_rng(2)),
    "function": (lambda: 1, lambda: 2, len, max, np.sin, np.cos, np.linalg.norm),
    "cached": (functools.lru_cache(lambda: 1), functools.lru_cache(lambda: 2)),
    "class": (type("A", (), {"k": 1}), type("A", (), {"k": 2}), type("A", (Own,), {"k": 1})),
    "data": (pim.load_data("digits", limit=3), pim.load_data("digits", limit=4)),
    "device": (device(1), device(2), CELL),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_of_any_kind_of_value_is_seen(kind):
    digests = [of(value) for value in KINDS[kind]]
    assert len(set(digests)) == len(digests)
    assert digests == [of(value) for value in KINDS[kind]]


def test_a_nested_change_is_seen():
    values = [{"a": [Plain(1.0, [Own((n, ARRAY * n))])]} for n in (1, 2)]
    assert of(values[0]) != of(values[1])


def test_constants_of_a_module_count_where_they_are_used():
    def study(own):
        names = {"own": own}
        exec("def f(x):\n    return own.SCALE * x", names)
        return digest(names["f"])

    assert study(module(SCALE=1, OTHER=1)) != study(module(SCALE=2, OTHER=1))
    assert study(module(SCALE=1, OTHER=1)) == study(module(SCALE=1, OTHER=2))
    inner = [study(module(SCALE=module(own=n, SCALE=n))) for n in (1, 2)]
    assert inner[0] != inner[1]


def test_what_a_method_refers_to_counts():
    before = of(device(1))
    FACTORS.append(2)
    try:
        assert of(device(1)) != before
    finally:
        FACTORS.pop()
    assert of(device(1)) == before


def test_docstrings_comments_and_places_do_not_count():
    def made(source):
        names = {}
        exec(source, names)
        return digest(names["f"])

    base = made("def f(x):\n    return x, ...")
    assert made("def f(x):\n    'why'\n    # why\n\n    return x, ...") == base
    assert made("def f(x):\n    return 'why', ...") != base
    inner = made("def f(x):\n    def g(): return x\n    return g")
    assert made("def f(x):\n    def g():\n        'why'\n        return x\n    return g") == inner


def test_loops_between_values_end():
    ring = [1]
    ring.append(ring)
    assert of(ring) == of(ring)
    one = Own(1)
    one.me = one
    assert of(one) == of(one)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (open, None),
        (iter([1]), None),
        (sys.stdout, "TextIOWrapper|EncodedFile|CaptureIO"),
        ((n for n in [1]), "generator"),
        ({"a": [Own(n for n in [1])]}, "generator"),
    ],
    ids=["builtin", "iterator", "file", "generator", "inside"],
)
def test_what_cannot_be_told_is_refused_by_name(value, kind):
    if kind is None:
        assert of(value) == of(value)
        return
    with pytest.raises(
        IdentityError, match=f"study f refers to value: .*({kind}) .*could not tell"
    ):
        of(value)


def test_a_digest_is_the_same_in_another_process_and_as_a_module(tmp_path):
    script = tmp_path / "own_study.py"
    script.write_text(
        "import dataclasses, enum\nimport pimlab as pim\nfrom pimlab.studies.identity import digest\n"
        "class Colour(enum.Enum):\n    RED = 1\n"
        "@dataclasses.dataclass\nclass Plain:\n    size: float\n"
        "plain, machine, words = Plain(1.0), pim.target('pcm-hermes'), {'a', 'b', 'c'}\n"
        "def f(x):\n    return plain, machine, words, Colour.RED, {'x', 'y'}\n"
        "print(digest(f))\n"
    )

    def run(*words, seed):
        return subprocess.run(
            [sys.executable, *words], check=True, capture_output=True, text=True, cwd=tmp_path,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{pim.__path__[0]}/..", "PATH": ""},
        ).stdout  # fmt: skip

    assert run(str(script), seed="1") == run("-c", "import own_study", seed="2")


def test_a_label_names_content():
    assert label(pim.target("t4")) == label(pim.target("t4"))
    assert label(pim.target("t4")) != label(pim.target("t4").but(lanes=3))
