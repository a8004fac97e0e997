"""Does a spec map run the cells it names, and does it tell which keep floating point's accuracy?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.studies.spec_map import G_MAX, spec_cell, spec_machine

MODEL, DATA = pim.load_model("digits-mlp"), pim.load_data("digits", limit=200)


@pytest.fixture(scope="module")
def ds():
    return pim.device_spec_map(
        MODEL, DATA, window=[5.0, 100.0], programming=[0.0, 0.15], read=[0.0], drift=[0.0, 0.1]
    )


def test_a_cell_has_the_four_numbers():
    cell = spec_cell(10.0, 0.02, 0.01, 0.05, 0.3)
    g = np.full((200, 200), G_MAX / 2)
    assert cell.g_max / cell.g_min == pytest.approx(10)
    written = cell.program(g, 1)
    assert written.std() == pytest.approx(0.02 * G_MAX, rel=0.02)
    drifted = cell.drifted(g, "1 year", 2)
    exponents = -np.log(drifted / g) / np.log(1 + 365.25 * 86400 / 20)
    assert exponents.mean() == pytest.approx(0.05, rel=0.02)
    assert exponents.std() == pytest.approx(0.015, rel=0.02)
    ideal = spec_cell(10.0, 0.0, 0.0, 0.0, 0.3)
    assert ideal.causes == ()


def test_ideal_cells_keep_the_accuracy_and_bad_ones_do_not(ds):
    assert ds.accuracy.dims == ("window", "programming", "read", "drift", "seed")
    outputs = MODEL.execute(DATA.inputs, MODEL.exact)
    assert float(ds.exact) == pytest.approx((outputs.argmax(axis=1) == DATA.labels).mean())
    assert bool(ds.kept.sel(window=100, programming=0, drift=0).all())
    assert not bool(ds.kept.sel(programming=0.15, drift=0.1).any())
    mean = ds.accuracy.mean(("seed", "read"))
    assert (mean.sel(programming=0.0) > mean.sel(programming=0.15)).all()
    assert (mean.sel(drift=0.0, programming=0.15) > mean.sel(drift=0.1, programming=0.15)).all()


def test_each_point_is_a_run_of_its_cell(ds):
    machine = spec_machine().but(cell=spec_cell(5.0, 0.15, 0.0, 0.1, 0.3))
    alone = pim.run(MODEL, machine, DATA, at="1 year")
    point = ds.accuracy.sel(window=5, programming=0.15, read=0, drift=0.1, seed=0)
    assert float(point) == float(alone.accuracy)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"window": [1.0]}, ValueError, "window=1.0; allowed: finite, above 1"),
        ({"programming": [-0.1]}, ValueError, "programming=-0.1; allowed: finite, 0 or more"),
        ({"read": []}, ValueError, r"read=\[\] names no value"),
        ({"spread": 10**400}, ValueError, "device_spec_map spread=.* larger than any number"),
        ({"drift": [10**400]}, ValueError, "device_spec_map drift=.* larger than any number"),
        ({"drift": [10**40]}, ValueError, r"drift exponent=1e\+40 .*; allowed: 0..1"),
        ({"spread": 10**40}, ValueError, r"spread of the drift exponent=.* allowed: 0..1"),
        ({"data": None}, TypeError, "device_spec_map data=None has no metric"),
        ({"machine": pim.target("warboy")}, TypeError, "has no cells; allowed: a pimlab.Crossbar"),
    ],
)
def test_what_makes_no_cell_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        pim.device_spec_map(**{"model": MODEL, "data": DATA, **given})


def test_text_is_no_window():
    with pytest.raises(TypeError, match="device_spec_map window='a' is no number"):
        spec_cell("a", 0.0, 0.0, 0.0, 0.0)
