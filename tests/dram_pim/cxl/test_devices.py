"""pimlab.dram_pim.cxl.devices: latency and energy of a split, and every plan that cannot be."""

import numpy as np
import pytest

import pimlab as pim

RACK = pim.dram_pim.cxl_devices("cent", devices=8)
MODEL = pim.load_model("llama2-7b").shape


@pytest.fixture(scope="module")
def ds():
    return RACK.decode(MODEL, 512, 8)


def test_parts_and_bounds(ds):
    assert ds.part.values[0] == "banks"
    assert float(ds.throughput) == pytest.approx(8 / float(ds.latency.sum()))
    assert (ds.energy_low <= ds.energy).all()
    assert (ds.energy <= ds.energy_high).all()
    assert "cent" in ds.attrs["sources"]


def test_power_is_that_of_all_stages(ds):
    banks = float(ds.latency.sel(part="banks"))
    assert float(ds.power) == pytest.approx(float(ds.energy.sum()) * 8 / banks)


def test_cent_counts_the_standby_of_one_channel(ds):
    theirs = RACK.decode(MODEL, 512, 8, compat="cent")
    ratio = ds.energy.sel(component="static DRAM") / theirs.energy.sel(component="static DRAM")
    assert float(ratio) == pytest.approx(32)
    moving = ds.component != "static DRAM"
    assert np.allclose(ds.energy[moving], theirs.energy[moving])


def test_splits():
    assert RACK.splits(32) == ((1, 8), (2, 4), (4, 2), (8, 1), (32, 1))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ({"context": 8192, "pipeline": 8}, "context=8192 is beyond the model's 4096"),
        ({"context": 0, "pipeline": 8}, "context=0; allowed: 1 or more"),
        ({"context": 64, "pipeline": 3}, "pipeline=3 tensor=1 is no split of 32 blocks"),
        ({"context": 64, "pipeline": 8, "compat": "cnet"}, "did you mean 'cent'"),
    ],
)
def test_plans_that_cannot_be(ask, message):
    with pytest.raises(ValueError, match=message):
        RACK.decode(MODEL, **ask)


def test_a_model_that_does_not_fit_names_what_is_missing():
    small = pim.dram_pim.cxl_devices("cent", devices=2)
    big = pim.load_model("llama2-70b").shape
    with pytest.raises(
        ValueError, match=r"needs [\d.]+ GiB .* holds 16.0 GiB, [\d.]+ GiB are missing"
    ):
        small.decode(big, 4096, 2)
    with pytest.raises(ValueError, match="blocks share the 32 channels"):
        pim.dram_pim.cxl_devices("cent", devices=1).decode(big, 64, 80)


def test_what_is_no_model_or_system():
    with pytest.raises(TypeError, match="has no width"):
        RACK.decode("llama2-7b", 64, 8)
    with pytest.raises(ValueError, match="cent"):
        pim.dram_pim.cxl_devices("cnet", devices=8)
    with pytest.raises(ValueError, match="145 devices"):
        pim.dram_pim.cxl_devices("cent", devices=145)


def test_what_a_device_must_hold_by_hand():
    """40 blocks of 8192 x (8192 + 1024) twice, three of 8192 x 28672, and keys and values of two
    sequences of 4096 tokens, two bytes each."""
    matrices = 2 * 8192 * (8192 + 1024) + 3 * 8192 * 28672
    needed = 40 * (matrices + 2 * 1024 * 4096 * 2) * 2 / 2**30
    small = pim.dram_pim.cxl_devices("cent", devices=2)
    with pytest.raises(ValueError, match=f"needs {needed:.1f} GiB for 40 blocks"):
        small.decode(pim.load_model("llama2-70b").shape, 4096, 2)
