"""Does the Gantt figure of a schedule show each task where and when it ran?"""

import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab.plot.timeline import OTHERS, SHOWN, timeline
from tests.schedule.made import plan


def _spans(ax):
    """Bars as (row, start, end), rounded."""
    return sorted(
        (round(float(box.y0 + 0.4)), round(float(box.x0), 9), round(float(box.x1), 9))
        for bars in ax.collections
        for box in (path.get_extents() for path in bars.get_paths())
    )


def test_each_task_is_a_bar_on_its_resource():
    chain = plan({"a": {"x": 2.0}, "b": {"y": 3.0}}, [("a", "b", True)])
    busy = pim.schedule(chain, inferences=5)
    fig = timeline(busy, inferences=2)
    (ax,) = fig.axes
    # two answers at 8 s; by then a2 has run (from 5 s, when its buffer is free), b2 has not begun
    assert _spans(ax) == [(0, 0, 2), (0, 2, 4), (0, 5, 7), (1, 2, 5), (1, 5, 8)]
    assert ax.get_xlim() == (0, 8)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "bench: x  67%",
        "bench: y  100%",
    ]
    assert ax.xaxis.get_major_formatter()(1e-6) == "1 µs"
    assert fig.get_suptitle() == (
        "network on bench: first answer after 5 s, then one every 3 s\nbench: y sets the pace"
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_small_operators_share_a_colour_and_idle_resources_have_no_row():
    times = {f"op{i:02d}": {"x": 1.0 + i} for i in range(SHOWN + 2)} | {"none": {"y": 0.0}}
    fig = timeline(pim.schedule(plan(times), inferences=2))
    (ax,) = fig.axes
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0] == f"op{SHOWN + 1:02d}"
    assert texts[-1] == "3 others"
    assert len(ax.get_yticklabels()) == 1
    grey = tuple(int(OTHERS[i : i + 2], 16) / 255 for i in (1, 3, 5))
    faces = [bars.get_facecolor()[0][:3] for bars in ax.collections]
    assert any(np.allclose(face, grey) for face in faces)


def test_what_cannot_be_drawn_is_told_what_could():
    with pytest.raises(TypeError, match=r"allowed: the Dataset of pimlab.schedule"):
        timeline(xr.Dataset())
    busy = pim.schedule(plan({"a": {"x": 2.0}}), inferences=2)
    with pytest.raises(ValueError, match="timeline inferences=0; allowed: an integer, 1 or more"):
        timeline(busy, inferences=0)
