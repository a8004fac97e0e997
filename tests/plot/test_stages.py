"""Does the figure of the three stages show quality, energy at each operating point, and intervals?"""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

from pimlab import plot
from pimlab.plot import style
from pimlab.plot.stages import time_text

TIMES = (0.0, 31557600.0)
FACTORS = {"one request": 1.0, "1 % load": 100.0, "saturation": 0.5}


def rows(workload, target, stage, at, metric, value, energy, chips=1):
    none = {
        f"{m}{end}": np.nan
        for m in ("accuracy", "perplexity")
        for end in ("", "_low", "_high", "_exact")
    }
    scored = (
        {}
        if metric == "none"
        else {
            metric: value,
            f"{metric}_low": 0.9 * value,
            f"{metric}_high": 1.05 * value,
            f"{metric}_exact": 0.95,
        }
    )
    return [
        {
            "workload": workload,
            "target": target,
            "stage": stage,
            "at_s": at,
            "metric": metric,
            **none,
            **scored,
            "traffic": traffic,
            "energy_J": factor * energy,
            "energy_low_J": factor * energy / 2,
            "energy_high_J": factor * energy * 3,
            "dynamic_J": energy / 10,
            "latency_s": 10 * factor * energy,
            "chips": chips,
        }
        for traffic, factor in FACTORS.items()
    ]


@pytest.fixture
def summary():
    found = []
    for workload, metric, value in (
        ("cnn", "accuracy", 0.9),
        ("lm", "perplexity", 12.0),
        ("shape", "none", np.nan),
    ):
        found += rows(workload, "npu", 1, 0.0, metric, value, 1e-6)
        found += rows(workload, "pim", 2, 0.0, metric, value, 2e-6)
        for at in TIMES if metric != "none" else TIMES[:1]:
            many = 1576 if metric == "none" else 1
            found += rows(workload, "pcm", 3, at, metric, value * (1 - 0.1 * (at > 0)), 5e-7, many)
    return pd.DataFrame(found)


def errors(ax):
    return [container for container in ax.containers if isinstance(container, ErrorbarContainer)]


def points(ax):
    return [tuple(one.lines[0].get_xydata()[0]) for one in errors(ax)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (20, "20 s"),
        (3600, "1 h"),
        (5400, "1.5 h"),
        (86400, "1 d"),
        (2592000, "1 month"),
        (31557600, "1 y"),
        (315576000, "10 y"),
    ],
)
def test_times_are_said_as_a_reader_says_them(seconds, text):
    assert time_text(seconds) == text


def test_each_workload_has_panels_of_quality_and_of_both_energies(summary):
    fig = plot.operating_points(summary)
    left, middle, right = fig.axes[::3], fig.axes[1::3], fig.axes[2::3]
    assert [ax.get_ylabel() for ax in left] == [
        "cnn\naccuracy",
        "lm\nperplexity\n(lower is better)",
        "shape\nlatency, one request",
    ]
    assert [ax.get_title() for ax in (left[0], middle[0], right[0])] == [
        "quality on the machine",
        "dynamic energy an inference",
        "with static power",
    ]
    assert all(ax.get_xscale() == "log" for ax in (*middle, *right))
    assert right[0].xaxis.get_major_formatter()(1e-6) == "1 µJ"
    assert [label.get_text() for label in left[0].get_yticklabels()] == ["npu", "pim", "pcm"]
    assert left[2].get_yticklabels()[2].get_text() == "1,576 x pcm"
    assert [text.get_text() for ax in left for text in ax.texts if text.get_gid()] == list("abc")


def test_energy_has_a_point_an_operating_point_with_its_interval(summary):
    ax = plot.operating_points(summary).axes[2]
    found = points(ax)
    assert len(found) == 9
    np.testing.assert_allclose([x for x, _ in found[:3]], [1e-6, 1e-4, 5e-7])
    assert len({y for _, y in found}) == 9, "no two whiskers lie on one line"
    across = errors(ax)[0].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(across[:, 0], [5e-7, 3e-6])
    fills = [one.lines[0].get_markerfacecolor() for one in errors(ax)[:3]]
    assert fills == ["white", "0.75", style.STAGE_COLOURS[1]]


def test_dynamic_energy_has_a_panel_of_its_own(summary):
    ax = plot.operating_points(summary).axes[1]
    np.testing.assert_allclose(points(ax), [(1e-7, 0), (2e-7, 1), (5e-8, 2)])


def test_whole_decades_end_the_axes_of_energy(summary):
    for ax in plot.operating_points(summary).axes[1::3]:
        ends = np.log10(ax.get_xlim())
        np.testing.assert_allclose(ends, np.round(ends), atol=1e-9)
        assert len(ax.get_xticks()) <= 3


def test_quality_stands_beside_that_of_the_float_model(summary):
    ax = plot.operating_points(summary).axes[0]
    assert ax.get_xlim() == (0, 1), "no axis of accuracy is cut off"
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in dashed] == [0.95]
    np.testing.assert_allclose([x for x, _ in points(ax)], [0.9, 0.9, 0.9, 0.81])
    assert len({y for _, y in points(ax)}) == 4
    late = errors(ax)[3].lines[0]
    assert late.get_markerfacecolor() == "white"
    assert late.get_color() == style.STAGE_COLOURS[3]
    np.testing.assert_allclose(errors(ax)[0].lines[2][0].get_segments()[0][:, 0], [0.81, 0.945])
    texts = [text.get_text() for text in ax.texts if not text.get_gid()]
    assert texts == ["90.0 %", "90.0 %", "90.0 %", "81.0 % after 1 y"]


def test_perplexity_starts_at_nothing_and_shows_every_interval(summary):
    ax = plot.operating_points(summary).axes[3]
    low, high = ax.get_xlim()
    assert low == 0
    assert high > 1.05 * 12.0


def test_a_workload_without_metric_shows_the_latency_of_one_request(summary):
    ax = plot.operating_points(summary).axes[6]
    np.testing.assert_allclose([x for x, _ in points(ax)], [1e-5, 2e-5, 5e-6])
    assert ax.xaxis.get_major_formatter()(1e-3) == "1 ms"


def test_the_finding_is_the_title(summary):
    title = plot.operating_points(summary).get_suptitle()
    assert title.splitlines() == [
        "Lowest nominal energy",
        "one request: stage 3 on cnn, lm, shape",
        "saturation: stage 3 on cnn, lm, shape",
    ]
    cheaper = (summary.workload == "cnn") & (summary.target == "npu")
    cheaper &= summary.traffic == "saturation"
    summary.loc[cheaper, "energy_J"] = 1e-9
    assert "saturation: stage 1 on cnn; stage 3 on lm, shape" in (
        plot.operating_points(summary).get_suptitle()
    )


def test_the_same_figure_is_the_same_bytes_and_needs_its_table(summary, tmp_path):
    pairs = [plot.save(plot.operating_points(summary), tmp_path / folder / "x") for folder in "ab"]
    for one, other in zip(*pairs, strict=True):
        assert one.read_bytes() == other.read_bytes()
    with pytest.raises(TypeError, match=r"a int cannot be drawn here; allowed: the table of"):
        plot.operating_points(3)
