"""Does a machine that programs a block of columns at a time give what the machine gives for that block?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.keys import as_key
from pimlab.machine.protocol import MacOp

RNG = np.random.default_rng(0)
W = RNG.normal(size=(40, 10)).astype(np.float32)
X = RNG.normal(size=(3, 40)).astype(np.float32)
BIAS = RNG.normal(size=10).astype(np.float32)


def test_a_digital_machine_answers_as_if_all_were_programmed():
    machine = pim.target("warboy")
    whole = machine.program(W, 0, bias=BIAS).matmul(X)
    blocks = pim.streamed(machine, columns=4).program(W, 0, bias=BIAS).matmul(X)
    np.testing.assert_array_equal(whole, blocks)


def test_each_block_is_the_machine_with_a_key_of_its_own():
    machine = pim.target("pcm-hermes")
    held = pim.streamed(machine, columns=4).program(W, 5)
    y, counts = held.counted(X, 7, "1 day")
    for start in (0, 4, 8):
        key = as_key(5).child("columns", start)
        block = machine.program(W[:, start : start + 4], key)
        one, _ = block.counted(X, as_key(7).child("columns", start), "1 day")
        np.testing.assert_array_equal(one, y[:, start : start + 4])
    assert all(count >= 0 for count in counts.values())


def test_integrals_of_what_was_just_read_need_no_programming(monkeypatch):
    held = pim.streamed(pim.target("pcm-hermes"), columns=4).program(W, 5)
    fresh = held.integrals(X)
    held.counted(X, 7)
    monkeypatch.setattr(type(held), "_block", lambda self, start: pytest.fail("programmed again"))
    assert held.integrals(X) == fresh


def test_costs_are_those_of_the_machine():
    machine, op = pim.target("pcm-hermes"), MacOp(name="a", m=1, k=40, n=10)
    few = pim.streamed(machine, columns=4)
    assert few.events(op) == machine.events(op)
    assert few.latency(op) == machine.latency(op)
    with pytest.raises(ValueError, match="columns"):
        pim.streamed(machine, columns=0)
