"""Does the figure of a front show every design, and the line along those that no other one beats?"""

import numpy as np
import pytest
import xarray as xr

from pimlab.plot.front import energies_of, front


@pytest.fixture
def designs():
    value = xr.DataArray(
        [[0.90, 0.94], [0.85, 0.95]],
        dims=("cell", "bits"),
        coords={"cell": ["pcm", "sonos"], "bits": [4, 8]},
        attrs={"better": "higher"},
    )
    joules = xr.DataArray(
        [[1e-6, 2e-6], [1.5e-6, 4e-6]], dims=("cell", "bits"), coords=value.coords
    )
    return xr.Dataset({"accuracy": value, "energy": joules})


def _points(ax):
    marks = [line for line in ax.lines if line.get_linestyle() == "None"]
    return {(float(x), float(y)) for line in marks for x, y in line.get_xydata()}


def test_every_design_is_a_point_and_the_front_leaves_out_the_beaten(designs):
    fig = front(designs, {"busy": designs.energy}, colour="cell", marker="bits")
    (ax,) = fig.axes
    assert _points(ax) == {(1e-6, 0.90), (2e-6, 0.94), (1.5e-6, 0.85), (4e-6, 0.95)}
    (line,) = [line for line in ax.lines if line.get_linestyle() == "-"]
    np.testing.assert_array_equal(line.get_xydata(), [[1e-6, 0.90], [2e-6, 0.94], [4e-6, 0.95]])
    assert ax.get_title() == "busy\nlargest over smallest: 4"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["cell = pcm", "cell = sonos", "bits = 4", "bits = 8", "front"]
    colours = {line.get_color() for line in ax.lines if line.get_linestyle() == "None"}
    assert len(colours) == 2


def test_less_is_better_where_the_metric_says_so(designs):
    designs["accuracy"].attrs["better"] = "lower"
    fig = front(designs, {"a": designs.energy, "b": designs.energy.sum("bits")}, colour="cell")
    line = next(line for line in fig.axes[0].lines if line.get_linestyle() == "-")
    np.testing.assert_array_equal(line.get_xydata(), [[1e-6, 0.90], [1.5e-6, 0.85]])
    assert fig.axes[0].get_ylabel() == "accuracy (lower is better)"
    assert _points(fig.axes[1]) == {(3e-6, 0.90), (3e-6, 0.94), (5.5e-6, 0.85), (5.5e-6, 0.95)}


def test_a_dimension_can_be_open_and_filled(designs):
    ax = front(designs, {"busy": designs.energy}, colour="cell", fill="bits").axes[0]
    faces = {
        (line.get_color(), line.get_markerfacecolor())
        for line in ax.lines
        if line.get_linestyle() == "None"
    }
    assert len(faces) == 4
    assert sum(face == "white" for _, face in faces) == 2


def test_energies_of_three_operating_points(designs):
    traffic = ["one request", "1 % load", "saturation"]
    parts = designs.energy.expand_dims(component=["static chip", "MAC"], traffic=traffic)
    swept = xr.Dataset({"energy": parts * xr.DataArray([4.0, 3.0, 2.0], dims="traffic")})
    swept["dynamic_energy"] = swept.energy.isel(component=0)
    found = energies_of(swept)
    assert list(found) == ["one request", "saturation", "without static power"]
    np.testing.assert_allclose(found["one request"], 8 * designs.energy)
    np.testing.assert_allclose(found["saturation"], 4 * designs.energy)
    np.testing.assert_allclose(found["without static power"], 2 * designs.energy)
    with pytest.raises(TypeError, match="a sweep of pimlab.operating_points"):
        energies_of(designs)


def test_what_cannot_be_drawn_is_refused_by_name(designs):
    with pytest.raises(TypeError, match="a Dataset without 'perplexity' cannot be drawn here"):
        front(designs, {"a": designs.energy}, "perplexity", colour="cell")
    with pytest.raises(ValueError, match="front: accuracy has no dimension 'rows'"):
        front(designs, {"a": designs.energy}, colour="rows")


@pytest.mark.parametrize("dim", [np.array([]), 0, ["cell"]])
def test_a_dimension_is_named_by_a_text(designs, dim):
    with pytest.raises(TypeError, match="front colour=.* is not a text; allowed: None or a dimens"):
        front(designs, {"a": designs.energy}, colour=dim)


@pytest.mark.parametrize(
    ("energies", "error", "says"),
    [
        (None, TypeError, "front energies=None; allowed: title -> DataArray"),
        ({}, ValueError, "front energies={} draws no panel"),
        ({"a": 1.0}, TypeError, r"front energies\['a'\]=1.0; allowed: a DataArray"),
        ({"a": xr.DataArray([])}, TypeError, r"front energies\['a'\]=.*not empty"),
    ],
)
def test_energies_are_arrays_by_title(designs, energies, error, says):
    with pytest.raises(error, match=f"(?s){says}"):
        front(designs, energies, colour="cell")


def test_no_dimension_need_be_told_apart(designs):
    ax = front(designs, {"a": designs.energy}, colour=None).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["front"]
