"""The likely interval lies within the ends of all prices, at the share that the catalogue states."""

import pytest
import xarray as xr

import pimlab as pim
from pimlab import catalogue


@pytest.fixture(scope="module")
def ds():
    return pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))


def test_the_ends_are_drawn_in_by_the_share_that_was_found(ds):
    share = catalogue.entry("energy", "on-chip")["likely_share"].value
    one = pim.likely_energy(ds)
    total, low, high = (float(ds[name].sum()) for name in ("energy", "energy_low", "energy_high"))
    assert float(one.energy) == pytest.approx(total)
    assert float(one.energy_low) == pytest.approx(total - share * (total - low))
    assert float(one.energy_high) == pytest.approx(total + share * (high - total))
    assert one.energy_low.attrs["units"] == "J"
    assert one.attrs["target"] == ds.attrs["target"]


def test_other_dimensions_stay(ds):
    both = xr.concat([ds, ds], dim="run")
    assert pim.likely_energy(both).energy_high.dims == ("run",)


def test_a_dataset_without_energy_is_refused(ds):
    with pytest.raises(ValueError, match="has no energy with its ends"):
        pim.likely_energy(ds[["latency"]])
