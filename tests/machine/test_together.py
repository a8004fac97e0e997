"""Have several equal chips that much more room and static power, and the counts of one?"""

import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp
from pimlab.machine.together import together

OP = MacOp(name="a", m=1, k=512, n=512)


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_three_chips_have_three_times_the_room_and_power(name):
    one = pim.target(name)
    three = together(one, 3)
    assert three.occupancy(OP) == pytest.approx(one.occupancy(OP) / 3)
    for event, rate in one.static.items():
        assert three.static[event] == pytest.approx(3 * rate)
    if one.array_count is not None:
        assert three.array_count == 3 * one.array_count


def test_one_chip_is_the_machine():
    one = pim.target("warboy")
    assert together(one, 1) is one


def test_work_is_not_multiplied():
    one = pim.target("pcm-hermes")
    assert together(one, 4).events(OP) == one.events(OP)
