"""Does a wrapped machine hand on every member of the protocol that it does not change?"""

import inspect

import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp, Target, VectorOp
from pimlab.machine.streamed import Streamed
from pimlab.machine.wrapped import Wrapped
from pimlab.values import Value

OWN = {"sources", "states"}
"""Covered by what is handed on: `cited`, and `static`, its owners and its prices."""


def test_every_member_of_the_protocol_is_handed_on():
    members = {
        name
        for name, member in vars(Target).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    } - set(vars(Value))
    assert members - OWN <= set(vars(Wrapped)), members - OWN - set(vars(Wrapped))


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_a_wrapped_machine_answers_as_the_machine(name):
    machine = pim.target(name)
    narrow = pim.target("warboy").in_format("int4") if name == "warboy" else machine
    for wrapped in (Wrapped(machine=narrow), Streamed(machine=narrow)):
        assert (wrapped.stage, wrapped.name, wrapped.host) == (
            narrow.stage,
            narrow.name,
            narrow.host,
        )
        own = ("codes", "causes", "varies", "cited", "static", "static_owners", "prices")
        for member in (*own, "array_count", "states", "holds", "link", "pins", "handover"):
            assert getattr(wrapped, member) == getattr(narrow, member), member
        slow = wrapped.behind(1e9)
        assert slow == (wrapped if name != "warboy" else wrapped.but(machine=narrow.behind(1e9)))
        for op in (MacOp(name="a", m=1, k=64, n=64), VectorOp(name="b", kind="relu", elements=4)):
            for member in ("serves", "occupancy", "streams", "arrays_of"):
                assert getattr(wrapped, member)(op) == getattr(narrow, member)(op)
            if narrow.serves(op):
                assert wrapped.events(op) == narrow.events(op)
                assert wrapped.latency(op) == narrow.latency(op)
                assert wrapped.resources(op) == narrow.resources(op)
                assert wrapped.work(op) == narrow.work(op)
        assert wrapped.with_causes(()).causes == ()


def test_signatures_are_those_of_the_protocol():
    for name in ("serves", "program", "counted_product", "placed", "occupancy", "events"):
        ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (Wrapped, Target))
        assert list(ours.parameters) == list(theirs.parameters), name
