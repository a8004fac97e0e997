"""Do shared panels tell published from ours, fitted from held out, and label axes so that they can be read?"""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba

from pimlab.plot import panels, style


@pytest.fixture
def ax():
    return style.figure(60, 1).subplots()


def labels(axis):
    return [
        text for text in axis.get_major_formatter().format_ticks(axis.get_majorticklocs()) if text
    ]


def test_si_prefixes_stand_at_decades_or_between_where_there_are_few(ax):
    ax.loglog([1e-6, 1e-3], [2e-3, 4e-2])
    panels.engineering(ax.xaxis, "s")
    panels.engineering(ax.yaxis, "J")
    assert {"1 µs", "10 µs", "100 µs", "1 ms"} <= set(labels(ax.xaxis))
    assert {"2 mJ", "5 mJ", "10 mJ", "20 mJ"} <= set(labels(ax.yaxis))
    assert "20 µs" not in labels(ax.xaxis)


def test_less_than_a_decade_and_more_than_five_have_labels_too(ax):
    ax.loglog([1e-9, 1e-1], [0.07, 0.13])
    panels.engineering(ax.xaxis, "s")
    panels.engineering(ax.yaxis, "J")
    low, high = ax.get_ylim()
    inside = [y for y in ax.yaxis.get_majorticklocs() if low <= y <= high]
    assert 2 <= len(inside) <= 5
    assert "10 ns" not in labels(ax.xaxis) or "1 ns" not in labels(ax.xaxis)


def test_a_linear_axis_has_few_labels(ax):
    ax.plot([0, 0.3], [0, 1])
    panels.engineering(ax.xaxis, "s")
    assert "100 ms" in labels(ax.xaxis)
    assert len(labels(ax.xaxis)) <= 7


def test_fitted_points_are_open_and_one_line_says_where_both_agree(ax):
    panels.agreement(ax, [1.0, 2.0], [1.1, 1.9], "held out", 0, ends=([1, 1.5], [1.2, 2.5]))
    panels.agreement(ax, [3.0], [3.0], "fitted", 1, fitted=True)
    held, fitted = ax.containers
    assert held.lines[0].get_markerfacecolor() == style.PARTS[0]
    assert fitted.lines[0].get_markerfacecolor() == "white"
    np.testing.assert_allclose(held.lines[2][0].get_segments()[0][:, 1], [1, 1.2])
    assert sum(line.get_gid() == "equal" for line in ax.lines) == 1
    assert ax.get_xlim()[0] > 0.5, "the line of agreement does not widen the axes"


def test_published_bars_are_white_and_groups_do_not_overlap(ax):
    panels.grouped(
        ax, ["a", "b"], {"published": [1, 2], "ours": [3, 4], "theirs": [1, 1]}, ["published"]
    )
    printed, ours, _ = ax.containers
    assert to_hex(printed[0].get_facecolor()) == "#ffffff"
    assert ours[0].get_facecolor() == to_rgba(style.PARTS[0])
    ends = [
        (bar.get_x(), bar.get_x() + bar.get_width()) for group in ax.containers for bar in group
    ]
    ends.sort()
    assert all(one[1] <= other[0] + 1e-9 for one, other in itertools.pairwise(ends))


def test_stacked_bars_add_up_and_are_named_once(ax):
    panels.stacked(ax, [0, 1], {"a": [1, 2], "b": [3, 4]})
    panels.stacked(ax, [2, 3], {"a": [1, 2], "b": [3, 4]})
    tops = [bar.get_y() + bar.get_height() for bar in ax.containers[1]]
    assert tops == [4, 6]
    assert ax.get_legend_handles_labels()[1] == ["a", "b"]
