"""Does a schedule show itself through a window of time, and refuse what it is not?"""

import pytest

import pimlab as pim


def test_a_schedule_is_seen_through_a_window():
    busy = pim.schedule(pim.load_model("digits-mlp"), pim.target("warboy"), inferences=8)
    view = pim.explore_schedule(busy)
    before = view._picture.value
    view._range.value = (50, 100)
    begin, end = view.window
    assert begin == pytest.approx(0.25 * float(busy.finish.max()))
    assert end == pytest.approx(0.5 * float(busy.finish.max()))
    assert view._picture.value != before


def test_a_window_refuses_what_is_no_schedule():
    with pytest.raises(TypeError, match="schedule"):
        pim.explore_schedule(3)
