"""Do power states draw less the deeper they are, and say what they forget and what waking costs?"""

import pytest

from pimlab.constants import assumed
from pimlab.machine.power import STATES, power_states, scaled, total
from pimlab.machine.work import ARRAY, CHIP, MEMORY

WATTS = {CHIP: assumed("chip", 4.0, "W", "a test"), MEMORY: assumed("memory", 1.0, "W", "a test")}


def test_deeper_states_draw_less_and_take_longer_to_leave():
    states = power_states(WATTS)
    assert [state.name for state in states] == list(STATES)
    powers = [state.power.value for state in states]
    assert powers[0] == powers[1] == 5.0
    assert powers[1] > powers[2] > powers[3] == 0.0
    wakes = [state.wake_time.value for state in states]
    assert wakes[0] == wakes[1] == 0.0 < wakes[2] <= wakes[3]


def test_what_a_state_forgets_follows_from_who_draws():
    forgets = {state.name: state.forgets for state in power_states(WATTS)}
    assert forgets == {"active": (), "idle": (), "gated": ("SRAM",), "off": ("DRAM", "SRAM")}
    cells = {state.name: state.forgets for state in power_states({ARRAY: WATTS[CHIP]})}
    assert cells["off"] == ()
    assert power_states({}) == ()


def test_sums_and_multiples_of_constants_carry_their_ends():
    wide = assumed("wide", 2.0, "W", "a test", low=1.0, high=4.0)
    both = total("both", [wide, WATTS[MEMORY]])
    assert (both.low, both.value, both.high) == (2.0, 3.0, 5.0)
    half = scaled(wide, 0.5, "J")
    assert (half.low, half.value, half.high, half.unit) == (0.5, 1.0, 2.0, "J")


def test_waking_draws_idle_power_for_its_time():
    gated = power_states(WATTS)[2]
    assert gated.wake_energy.value == pytest.approx(5.0 * gated.wake_time.value)
