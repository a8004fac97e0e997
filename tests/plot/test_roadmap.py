"""Do the roadmap's figures show what they are given: points, intervals, units, and the same bytes again?"""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer, ErrorbarContainer

from pimlab import plot
from pimlab.plot import style

LATE = 31557600.0


@pytest.fixture
def study():
    sizes = {
        "workload": ["cnn", "lm"],
        "target": ["npu", "pcm"],
        "seed": [0, 1],
        "traffic": ["one request", "1 % load", "saturation"],
        "component": ["static chip", "static waiting", *(f"part {i:02d}" for i in range(14))],
    }
    energy = xr.DataArray(
        np.zeros([len(v) for v in sizes.values()]), dims=list(sizes), coords=sizes
    )
    energy[:] = 1e-6 / (1 + np.arange(16))
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
        coords={"at": LATE},
    )
    found.accuracy.attrs["better"] = "higher"
    return found.assign_attrs(model="cnn", target="pcm")


def bars(ax):
    return [container for container in ax.containers if isinstance(container, BarContainer)]


def errors(ax):
    return [container for container in ax.containers if isinstance(container, ErrorbarContainer)]


def test_breakdown_bars_add_up_to_one_and_carry_totals(study):
    fig = plot.energy_breakdown(study)
    panels = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in panels] == ["cnn", "lm"]
    for ax in panels:
        tops = np.sum([[patch.get_width() for patch in bar] for bar in bars(ax)], axis=0)
        np.testing.assert_allclose(tops, np.ones(6))
        assert len(bars(ax)) == 16
        assert bars(ax)[-1].get_label() == "all other dynamic energy"
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels[:3] == ["npu, one request", "npu, 1 % load", "npu, saturation"]
        total = float(study.energy.isel(workload=0, target=1, seed=0, traffic=2).sum())
        assert ax.texts[5].get_text().startswith(f"{total * 1e6:.3g} uJ (")


def test_static_power_is_grey_and_stands_first(study):
    ax = plot.energy_breakdown(study).axes[0]
    static, dynamic = bars(ax)[:2], bars(ax)[2:]
    assert {bar.get_label() for bar in static} == {"static chip", "static waiting"}
    for bar in static:
        red, green, blue, _ = bar.patches[0].get_facecolor()
        assert red == green == blue
    assert min(patch.get_x() for bar in dynamic for patch in bar.patches) > 0
    assert min(patch.get_x() for bar in static for patch in bar.patches) == 0


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
        == "accuracy of cnn as non-idealities are added on pcm, 1 y after programming, mean of 2 chips"
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
    worse, well = to_rgb(style.ALARM), to_rgb(style.PARTS[1])
    down, up = (patch.get_facecolor()[:3] for patch in bars(ax)[1])
    expected = (worse, well) if better == "higher" else (well, worse)
    np.testing.assert_allclose([down, up], expected, atol=1e-2)
    assert ax.get_title().startswith(f"{metric} of cnn as")  # two chips do not settle it


def _chips(explained, programming, drift):
    """The same figure for chips that lose so much accuracy in each of the two steps."""
    one = explained.isel(seed=[0] * len(programming)).assign_coords(seed=range(len(programming)))
    steps = np.stack(
        [
            np.full(len(programming), 0.9),
            0.9 - np.array(programming),
            0.9 - np.array(programming) - drift,
        ]
    )
    named = xr.DataArray(steps, dims=("step", "seed"), attrs=explained.accuracy.attrs)
    return one.assign(accuracy=named, accuracy_low=named - 0.01, accuracy_high=named + 0.01)


@pytest.mark.parametrize(
    ("programming", "drift", "finding"),
    [
        ([0.050, 0.052, 0.049, 0.051], 0.01, "programming costs cnn most"),
        ([0.050, 0.052, 0.049, 0.051], 0.20, "drift costs cnn most"),
        ([0.050, 0.010, 0.090, 0.001], 0.03, "accuracy of cnn as"),
        ([0.050, 0.052, 0.049, 0.051], 0.0505, "accuracy of cnn as"),
        ([-0.01, -0.011, -0.012, -0.01], -0.02, "accuracy of cnn as"),
        ([0.05], 0.01, "accuracy of cnn as"),
    ],
)
def test_a_title_states_a_finding_only_where_chips_agree_on_it(
    explained, programming, drift, finding
):
    ax = plot.waterfall(_chips(explained, programming, drift)).axes[0]
    assert ax.get_title().startswith(finding)


def test_waterfall_of_one_chip_claims_no_spread(explained):
    ax = plot.waterfall(explained.isel(seed=0)).axes[0]
    assert [text.get_text() for text in ax.texts] == ["90.0 %", "-4.0 pt", "+1.0 pt"]
    assert "chips" not in ax.get_title()


def test_the_same_figure_is_the_same_bytes(study, explained, tmp_path):
    figures = {
        "breakdown": lambda: plot.energy_breakdown(study),
        "waterfall": lambda: plot.waterfall(explained),
    }
    for name, draw in figures.items():
        pairs = [plot.save(draw(), tmp_path / folder / name) for folder in ("a", "b")]
        for one, other in zip(*pairs, strict=True):
            assert one.suffix == other.suffix
            assert one.read_bytes() == other.read_bytes()
        assert pairs[0][0].read_text().startswith("<?xml")
        assert pairs[0][2].read_bytes().startswith(b"\x89PNG")


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
    with pytest.raises(TypeError, match="save fig=None is not a Figure"):
        plot.save(None, "x")
    with pytest.raises(
        AttributeError, match="pimlab.plot has no 'waterfal'; did you mean 'waterfall'"
    ):
        plot.waterfal  # noqa: B018


def test_one_panel_is_a_grid_too(study):
    fig = plot.energy_breakdown(study.isel(workload=[0]))
    assert [ax.get_title() for ax in fig.axes if ax.axison] == ["cnn"]
