"""Does the view of devices draw the one that is chosen?"""

import pytest

import pimlab as pim


def test_devices_are_drawn_until_a_time():
    view = pim.explore_device(["pcm-joshi2020", "reram-wan2022"])
    before = view._picture.value
    view._name.value = "reram-wan2022"
    assert view._picture.value != before
    with pytest.raises(ValueError, match="not known"):
        pim.explore_device("pcm-joshi")
    with pytest.raises(ValueError, match="allowed: one device or more"):
        pim.explore_device([])
    with pytest.raises(TypeError, match="a list, each a text or a Device"):
        pim.explore_device([None])
