"""Rotary angles against their papers' rules, pair by pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab.reference import decoder as plain
from pimlab.workload.language.rotary import Divisors, Linear, Llama3, Rotary, Yarn

RULES = {
    "none": (None, None),
    "linear": (Linear(factor=4.0), {"kind": "linear", "factor": 4.0}),
    "llama3": (
        Llama3(factor=8.0, trained=8192),
        {"kind": "llama3", "factor": 8.0, "low": 1.0, "high": 4.0, "trained": 8192},
    ),
    "yarn": (
        Yarn(factor=4.0, trained=32768),
        {"kind": "yarn", "factor": 4.0, "trained": 32768, "fast": 32.0, "slow": 1.0},
    ),
    "divisors": (
        Divisors(short=tuple(range(1, 33))),
        {"kind": "divisors", "by": list(range(1, 33))},
    ),
}


@pytest.mark.parametrize("pairs", ["neighbours", "halves"])
@pytest.mark.parametrize("rule", RULES)
def test_heads_turn_as_the_second_implementation_turns_them(rule, pairs):
    scaling, plainly = RULES[rule]
    x = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32)
    rotary, positions = Rotary(pairs=pairs, scaling=scaling), np.array([0, 5, 700])
    found = rotary.turned(x, rotary.angles(500000.0, 64, positions, 4096))
    rates, scale = plain.frequencies(plainly, 500000.0, 64)
    for row, position, y in zip(x, positions, found, strict=True):
        wanted = plain.turn(row.astype(float), int(position), rates, scale, pairs == "halves")
        np.testing.assert_allclose(y, wanted, atol=2e-6)


def test_llama3_by_its_published_numbers():
    """Llama 3.1 8B: factor 8, 8192 tokens, base 500000: pair 0 as it is, the last over 8."""
    frequencies = 500000.0 ** (-np.arange(64) / 64)
    found, scale = RULES["llama3"][0].stretched(frequencies, 500000.0, 1)
    assert scale == 1.0
    assert found[0] == frequencies[0] == 1.0
    assert found[-1] == frequencies[-1] / 8
    assert ((frequencies / found >= 1) & (frequencies / found <= 8)).all()


def test_yarn_of_qwen2_5():
    """Factor 4 over 32768 tokens: scores grow by (0.1 ln 4 + 1) squared."""
    frequencies = 1e6 ** (-np.arange(64) / 64)
    found, scale = RULES["yarn"][0].stretched(frequencies, 1e6, 1)
    assert scale == pytest.approx(1.1386294)
    assert found[0] == frequencies[0]
    assert found[-1] == frequencies[-1] / 4
    assert Yarn(factor=4.0, trained=10, attention=2.0).stretched(frequencies, 1e6, 1)[1] == 2.0


def test_long_divisors_where_more_tokens_are_to_be_held():
    rule = Divisors(short=(1.0, 2.0), long=(4.0, 8.0), trained=100, attention=1.5)
    frequencies = np.array([1.0, 0.5])
    assert rule.stretched(frequencies, 10.0, 100)[0].tolist() == [1.0, 0.25]
    assert rule.stretched(frequencies, 10.0, 101)[0].tolist() == [0.25, 0.0625]
    assert rule.stretched(frequencies, 10.0, 101)[1] == 1.5


@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_rotation_keeps_lengths_and_depends_on_distance_alone(seed, start, distance):
    x, y = np.random.default_rng(seed).standard_normal((2, 1, 4)).astype(np.float32)
    rotary = Rotary()

    def at(position):
        return rotary.angles(100.0, 4, np.array([position]), 100)

    turned = rotary.turned(x, at(start))
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(x), rel=1e-5)
    score = (turned * rotary.turned(y, at(start + distance))).sum()
    assert score == pytest.approx((x * rotary.turned(y, at(distance))).sum(), abs=1e-4)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: Divisors(short=(1.0, 0.0)), "Divisors short holds 0.0; allowed: numbers above 0"),
    (lambda: Divisors(short=(1.0,), long=(1.0, 2.0)), "1 short and 2 long"),
    (lambda: Llama3(factor=2.0, low=4.0, high=4.0, trained=9), "low=4.0 is not below high=4.0"),
    (lambda: Yarn(factor=0.0, trained=9), "Yarn factor=0"),
])  # fmt: skip
def test_impossible_rules_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
