"""Do 32-bit operations of a scalar core wrap as registers do, and cost what its library takes?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab as pim

WORDS = st.integers(-(2**31), 2**31 - 1)


def wrapped(value):
    return (value + 2**31) % 2**32 - 2**31


@settings(max_examples=100, deadline=None)
@given(a=WORDS, b=WORDS)
def test_values_are_those_of_registers(a, b):
    expected = {"add": a + b, "sub": a - b, "mul": a * b}
    if b:
        expected["div"] = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    for op, value in expected.items():
        assert int(pim.dram_pim.integers(op, a, b).value) == wrapped(value)


@settings(max_examples=100, deadline=None)
@given(a=WORDS, b=WORDS)
def test_multiplying_takes_a_step_a_bit_of_the_lesser(a, b):
    lesser = min(a % 2**32, b % 2**32)
    steps = 0
    while True:  # the library's loop: shift, stop when nothing is left
        steps += 1
        lesser >>= 1
        if not lesser or steps == 32:
            break
    assert int(pim.dram_pim.integers("mul", a, b).instructions) == 7 + steps


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [  # counted by hand in the listing, the call included
        (100, 7, 8 + 8 + 4),  # 7 bits by 3: steps for shifts 4 to 0
        (7, 100, 8 + 5),  # shorter than its divisor: the answer is 0
        (0, 1, 8 + 5),
        (100, -7, 10 + 8 + 4),
        (-100, 7, 11 + 8 + 4),
        (-100, -7, 11 + 8 + 4),
        (-(2**31), -1, 11 + 8 + 31),  # wraps back to itself
    ],
)
def test_dividing_takes_a_step_a_bit_of_the_quotient(a, b, count):
    assert int(pim.dram_pim.integers("div", a, b).instructions) == count


def test_additions_take_one_instruction_each():
    ds = pim.dram_pim.integers("sub", np.arange(6).reshape(2, 3), [[1], [2]])
    assert ds.value.shape == (2, 3)
    assert (ds.instructions == 1).all()


@pytest.mark.parametrize(
    ("op", "a", "b", "said"),
    [
        ("mull", 1, 1, "did you mean 'mul'"),
        ("div", [1, 2], [1, 0], "division by zero"),
        ("add", 0.5, 1, "no integer type"),
        ("add", 2**31, 1, "do not fit in 32 bits"),
    ],
)
def test_what_is_refused(op, a, b, said):
    with pytest.raises(ValueError, match=said):
        pim.dram_pim.integers(op, a, b)
