"""Do the roadmap's figures show what they are given: points, intervals, units, and the same bytes again?"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.container import BarContainer, ErrorbarContainer

from pimlab import plot
from pimlab.plot import roadmap, style

TIMES = (0.0, 31557600.0)


def row(workload, target, stage, at, metric, value, energy):
    none = {
        f"{m}{end}": np.nan for m in ("accuracy", "perplexity") for end in ("", "_low", "_high")
    }
    scored = (
        {}
        if metric == "none"
        else {metric: value, f"{metric}_low": 0.9 * value, f"{metric}_high": 1.05 * value}
    )
    costs = {
        "energy_J": energy,
        "energy_low_J": energy / 2,
        "energy_high_J": energy * 3,
        "latency_s": 10 * energy,
    }
    return {
        "workload": workload,
        "target": target,
        "stage": stage,
        "at_s": at,
        "metric": metric,
        **none,
        **scored,
        **costs,
    }


@pytest.fixture
def summary():
    rows = []
    for workload, metric, value in (
        ("cnn", "accuracy", 0.9),
        ("lm", "perplexity", 12.0),
        ("shape", "none", np.nan),
    ):
        rows.append(row(workload, "npu", 1, 0.0, metric, value, 1e-6))
        rows.append(row(workload, "pim", 2, 0.0, metric, value, 2e-6))
        rows.extend(row(workload, "pcm", 3, at, metric, value * 0.95, 5e-7) for at in TIMES)
    return pd.DataFrame(rows)


@pytest.fixture
def study():
    sizes = {
        "workload": ["cnn", "lm"],
        "target": ["npu", "pcm"],
        "seed": [0, 1],
        "component": [f"part {i:02d}" for i in range(14)],
    }
    energy = xr.DataArray(
        np.zeros([len(v) for v in sizes.values()]), dims=list(sizes), coords=sizes
    )
    energy[:] = 1e-6 / (1 + np.arange(14))
    energy.loc[{"target": "npu", "component": "part 00"}] = np.nan
    return xr.Dataset({"energy": energy, "energy_low": energy / 2, "energy_high": energy * 3})


@pytest.fixture
def explained():
    steps = ["ideal", "+ programming", "+ drift"]
    value = xr.DataArray(
        [[0.90, 0.86, 0.87], [0.92, 0.84, 0.85]],
        dims=("seed", "step"),
        coords={"step": steps, "seed": [0, 1]},
    )
    found = xr.Dataset(
        {"accuracy": value, "accuracy_low": value - 0.02, "accuracy_high": value + 0.03},
        coords={"at": TIMES[1]},
    )
    found.accuracy.attrs["better"] = "higher"
    return found.assign_attrs(model="cnn", target="pcm")


def bars(ax):
    return [container for container in ax.containers if isinstance(container, BarContainer)]


def errors(ax):
    return [container for container in ax.containers if isinstance(container, ErrorbarContainer)]


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
    assert roadmap.time_text(seconds) == text


def test_accuracy_against_energy_has_a_panel_a_workload(summary):
    fig = plot.accuracy_against_energy(summary)
    panels = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == ["cnn", "lm", "shape (no weights: latency)"]
    assert [ax.get_ylabel() for ax in panels] == [
        "accuracy",
        "perplexity (lower is better)",
        "latency (lower is better)",
    ]
    assert all(
        ax.get_xlabel() == "energy per inference" and ax.get_xscale() == "log" for ax in panels
    )
    assert [ax.yaxis_inverted() for ax in panels] == [False, True, True]
    assert panels[0].xaxis.get_major_formatter()(1e-6) == "1 µJ"


def test_a_workload_without_metric_shows_latency(summary):
    panel = plot.accuracy_against_energy(summary).axes[2]
    points = [one.lines[0].get_xydata()[0].tolist() for one in errors(panel)]
    np.testing.assert_allclose(points[:2], [[1e-6, 1e-5], [2e-6, 2e-5]])
    assert panel.yaxis.get_major_formatter()(1e-3) == "1 ms"


def test_each_stage_is_a_point_with_both_intervals(summary):
    panel = plot.accuracy_against_energy(summary).axes[0]
    drawn = errors(panel)
    assert [one.get_label() for one in drawn] == [
        style.STAGE_NAMES[1],
        style.STAGE_NAMES[2],
        style.STAGE_NAMES[3],
        f"{style.STAGE_NAMES[3]}, after 1 y",
    ]
    point, _, (across, upright) = drawn[0].lines
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (1e-6, 0.9)
    np.testing.assert_allclose(across.get_segments()[0], [[5e-7, 0.9], [3e-6, 0.9]])
    np.testing.assert_allclose(upright.get_segments()[0], [[1e-6, 0.81], [1e-6, 0.945]])
    assert [one.lines[0].get_color() for one in drawn] == [
        style.STAGE_COLOURS[stage] for stage in (1, 2, 3, 3)
    ]
    assert drawn[3].lines[0].get_markerfacecolor() == "white"


def test_the_finding_is_the_title(summary):
    fig = plot.accuracy_against_energy(summary)
    assert fig.get_suptitle().startswith("Lowest nominal energy: stage 3 on 3 workloads")
    summary.loc[summary.index[0], ["energy_J", "energy_low_J", "energy_high_J"]] *= 0.1
    assert (
        "stage 1 on cnn; stage 3 on lm, shape"
        in plot.accuracy_against_energy(summary).get_suptitle()
    )


def test_breakdown_bars_add_up_to_one_and_carry_totals(study):
    fig = plot.energy_breakdown(study)
    panels = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == ["cnn", "lm"]
    for ax in panels:
        tops = np.sum([[patch.get_height() for patch in bar] for bar in bars(ax)], axis=0)
        np.testing.assert_allclose(tops, 1.0)
        assert len(bars(ax)) == roadmap.SHOWN + 1
        assert bars(ax)[-1].get_label() == "all others"
        assert [label.get_text() for label in ax.get_xticklabels()] == ["npu", "pcm"]
        assert ax.get_ylabel() == "share of energy"
        total = float(study.energy.isel(workload=0, target=1, seed=0).sum())
        assert ax.texts[1].get_text().startswith(f"{total * 1e6:.3g} uJ\n")


def test_waterfall_steps_down_and_up_with_intervals(explained):
    ax = plot.waterfall(explained).axes[0]
    first, changes = bars(ax)
    assert first[0].get_height() == pytest.approx(0.91)
    assert [patch.get_height() for patch in changes] == pytest.approx([0.06, 0.01])
    assert [patch.get_y() for patch in changes] == pytest.approx([0.85, 0.85])
    (points, _, (spread,)) = errors(ax)[0].lines
    np.testing.assert_allclose(points.get_ydata(), [0.91, 0.85, 0.86])
    np.testing.assert_allclose(spread.get_segments()[0][:, 1], [0.89, 0.94])
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "ideal",
        "+ programming",
        "+ drift",
    ]
    assert ax.get_ylabel() == "accuracy"
    assert (
        ax.get_title()
        == "programming costs cnn most on pcm, 1 y after programming, mean of 2 chips"
    )
    assert [text.get_text() for text in ax.texts] == ["91.0 %", "-6.0 ± 3.9 pt", "+1.0 ± 0.0 pt"]


@pytest.mark.parametrize(
    ("metric", "better"), [("pearson", "higher"), ("r2", "higher"), ("rmse", "lower")]
)
def test_a_change_for_the_worse_is_painted_as_one(explained, metric, better):
    renamed = explained.rename(
        {f"accuracy{end}": f"{metric}{end}" for end in ("", "_low", "_high")}
    )
    renamed[metric].attrs["better"] = better
    ax = plot.waterfall(renamed, metric).axes[0]
    orange, green = (0.835, 0.369, 0.0), (0.0, 0.620, 0.451)
    down, up = (patch.get_facecolor()[:3] for patch in bars(ax)[1])
    expected = (orange, green) if better == "higher" else (green, orange)
    np.testing.assert_allclose([down, up], expected, atol=1e-2)
    worst = "programming" if better == "higher" else "drift"
    assert ax.get_title().startswith(f"{worst} costs")


def test_waterfall_of_one_chip_claims_no_spread(explained):
    ax = plot.waterfall(explained.isel(seed=0)).axes[0]
    assert [text.get_text() for text in ax.texts] == ["90.0 %", "-4.0 pt", "+1.0 pt"]
    assert "chips" not in ax.get_title()


def test_the_same_figure_is_the_same_bytes(summary, study, explained, tmp_path):
    figures = {
        "scatter": lambda: plot.accuracy_against_energy(summary),
        "breakdown": lambda: plot.energy_breakdown(study),
        "waterfall": lambda: plot.waterfall(explained),
    }
    for name, draw in figures.items():
        pairs = [plot.save(draw(), tmp_path / folder / name) for folder in ("a", "b")]
        for one, other in zip(*pairs, strict=True):
            assert one.suffix == other.suffix
            assert one.read_bytes() == other.read_bytes()
        assert pairs[0][0].read_text().startswith("<?xml")
        assert pairs[0][1].read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_told_what_could():
    with pytest.raises(
        TypeError, match=r"a NoneType cannot be drawn here; allowed: the Dataset of pimlab.explain"
    ):
        plot.waterfall(None)
    with pytest.raises(
        TypeError,
        match=r"a Dataset without 'energy', .* cannot be drawn here; allowed: the Dataset of .*compute",
    ):
        plot.energy_breakdown(xr.Dataset())
    with pytest.raises(TypeError, match=r"a int cannot be drawn here; allowed: the table of"):
        plot.accuracy_against_energy(3)
    with pytest.raises(TypeError, match="save takes a figure, .* not a NoneType"):
        plot.save(None, "x")
    with pytest.raises(
        AttributeError, match="pimlab.plot has no 'waterfal'; did you mean 'waterfall'"
    ):
        plot.waterfal  # noqa: B018


def test_one_panel_is_a_grid_too():
    fig, panels = roadmap._grid(1, 3.0, 2.0)
    assert [panel.figure for panel in panels] == [fig]
