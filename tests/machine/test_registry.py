"""Is a registry what its catalogue holds at every call, with nothing listed beside it?"""

import pytest

import pimlab as pim
from pimlab.machine.registry import Registry


def test_a_name_added_later_is_known():
    names = ["a"]
    built = Registry(lambda: tuple(names), lambda name: f"machine {name}")
    assert (list(built), len(built), built["a"]()) == (["a"], 1, "machine a")
    with pytest.raises(KeyError):
        built["b"]
    names.append("b")
    assert built["b"]() == "machine b"
    assert dict(built).keys() == {"a", "b"}


def test_nothing_is_built_before_it_is_asked_for():
    def build(name):
        raise AssertionError(name)

    assert callable(Registry(lambda: ("a",), build)["a"])
    assert "warboy" in pim.targets()
