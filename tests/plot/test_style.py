"""Are figures the same bytes twice, one colour a stage, and is what cannot be drawn said?"""

import re

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from pimlab import plot
from pimlab.plot import style

# What a red-blind and a green-blind eye see of linear RGB (Machado, Oliveira and Fernandes 2009,
# severity 1), and linear RGB to XYZ (IEC 61966-2-1), white D65.
EYES = {
    "usual": np.eye(3),
    "red-blind": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "green-blind": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
WHITE = (0.9505, 1.0, 1.089)


def lab(colour, eye):
    """CIELAB of a colour as an eye sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    t = XYZ @ np.clip(EYES[eye] @ linear, 0, 1) / WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one, other):
    """Smallest distance of two colours over the eyes; 2.3 is just noticed."""
    return min(np.linalg.norm(lab(one, eye) - lab(other, eye)) for eye in EYES)


def drawn(panels=1):
    fig = style.figure(40, 1)
    for ax in np.atleast_1d(fig.subplots(1, panels)):
        ax.plot([0, 1], [2, 3])
    return fig


def test_three_files_are_written_and_the_same_each_time(tmp_path):
    one, two = (
        style.save(drawn(), tmp_path / "a" / "fig"),
        style.save(drawn(), tmp_path / "b" / "fig"),
    )
    assert [path.suffix for path in one] == [".svg", ".pdf", ".png"]
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_a_figure_is_as_wide_as_a_column_and_its_text_stays_text(tmp_path):
    assert style.figure(40, 1).get_size_inches() * 25.4 == pytest.approx([89, 40])
    assert style.figure(70).get_size_inches() * 25.4 == pytest.approx([183, 70])
    with pytest.raises(ValueError, match="columns=3; a printed page has 1"):
        style.figure(40, 3)
    with pytest.raises(ValueError, match="height=0 is outside"):
        style.figure(0)
    fig = drawn()
    fig.axes[0].set_title("a title")
    svg = style.save(fig, tmp_path / "x")[0].read_text()
    assert re.search(r"<text[^>]*>a title</text>", svg)
    assert f'width="{89 / 25.4 * 72:.5f}' in svg


def test_for_print_sets_text_in_seven_points_and_leaves_settings_alone():
    before = dict(mpl.rcParams)

    @style.for_print
    def draw(panels):
        fig = drawn(panels)
        fig.axes[0].set_title("title")
        fig.axes[0].set_xlabel("label")
        return fig

    two = draw(2)
    assert dict(mpl.rcParams) == before
    assert two.axes[0].title.get_size() == two.axes[0].xaxis.label.get_size() == 7
    letters = [text.get_text() for ax in two.axes for text in ax.texts if text.get_gid()]
    assert letters == ["a", "b"]
    style.letters(two.axes)
    assert len(two.axes[0].texts) == 1, "no letter is written twice"
    assert not draw(1).axes[0].texts
    with pytest.raises(TypeError, match="draw=3 is not a function"):
        style.for_print(3)


def test_a_scale_of_colours_is_no_panel():
    @style.for_print
    def draw():
        fig = drawn()
        fig.colorbar(fig.axes[0].imshow(np.eye(2)))
        return fig

    assert not draw().axes[0].texts


def test_a_notebook_gets_a_picture():
    fig = drawn()
    assert fig._repr_png_().startswith(b"\x89PNG")
    assert style.png(fig) == fig._repr_png_()


def test_stages_are_told_apart_in_grey_too():
    grey = sorted(np.dot(to_rgb(c), [0.299, 0.587, 0.114]) for c in style.STAGE_COLOURS.values())
    assert np.diff(grey).min() > 0.02
    assert len(set(style.STAGE_MARKERS.values())) == 3
    assert style.STAGE_COLOURS.keys() == style.STAGE_NAMES.keys() == {1, 2, 3}
    assert len(set(style.PARTS)) == len(style.PARTS)


def test_the_colours_of_stages_stand_for_nothing_else():
    others = (*style.PARTS, style.ALARM)
    near = {(a, b) for a in style.STAGE_COLOURS.values() for b in others if apart(a, b) < 20}
    assert not near
    first = style.PARTS[:9]
    assert not {(a, b) for a in first for b in first if a != b and apart(a, b) < 25}


def test_what_lacks_a_variable_is_told_where_it_comes_from():
    style.expected(xr.Dataset({"energy": 1}), xr.Dataset, ("energy",), "the answer of run")
    with pytest.raises(TypeError, match="without 'energy'.*the answer of run"):
        style.expected(xr.Dataset(), xr.Dataset, ("energy",), "the answer of run")
    with pytest.raises(TypeError, match="a list cannot be drawn"):
        style.expected([], xr.Dataset, (), "the answer of run")
    with pytest.raises(TypeError, match="not a Figure"):
        style.save([], "x")


def test_a_misspelt_argument_of_a_figure_is_told_the_nearest():
    with pytest.raises(TypeError, match="swept has no argument 'ovr'; did you mean 'over'"):
        plot.swept(xr.Dataset(), ovr="bits")
