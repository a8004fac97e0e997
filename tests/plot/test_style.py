"""Are figures the same bytes twice, one colour a stage, and is what cannot be drawn said?"""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from pimlab.plot import style


def drawn():
    fig = style.figure(3, 2)
    fig.subplots().plot([0, 1], [2, 3])
    return fig


def test_both_files_are_written_and_the_same_each_time(tmp_path):
    one, two = (
        style.save(drawn(), tmp_path / "a" / "fig"),
        style.save(drawn(), tmp_path / "b" / "fig"),
    )
    assert [path.suffix for path in one] == [".svg", ".png"]
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()


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


def test_what_lacks_a_variable_is_told_where_it_comes_from():
    style.expected(xr.Dataset({"energy": 1}), xr.Dataset, ("energy",), "the answer of run")
    with pytest.raises(TypeError, match="without 'energy'.*the answer of run"):
        style.expected(xr.Dataset(), xr.Dataset, ("energy",), "the answer of run")
    with pytest.raises(TypeError, match="a list cannot be drawn"):
        style.expected([], xr.Dataset, (), "the answer of run")
    with pytest.raises(TypeError, match="not a Figure"):
        style.save([], "x")
