"""papers/energy-per-operation: the printed table, both cross-checks, and the figure draws."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_fetching_weights_costs_dram_and_time(ds):
    """More DRAM energy than everything else but static power takes; which grows with the time."""
    on_chip, fetched = (
        dict(zip(ds.component.values, ds.energy.isel(machine=i).values, strict=True))
        for i in (0, 1)
    )
    others = sum(joules for part, joules in on_chip.items() if part != "static")
    assert on_chip["DRAM"] == 0
    assert fetched["DRAM"] > 2 * others
    assert fetched["static"] > on_chip["static"]
    assert (ds.energy_low <= ds.energy).all()
    assert (ds.energy <= ds.energy_high).all()


def test_board_powers_meet_the_interval_but_for_the_one_reported(ds):
    inside = (ds.tdp.sel(end="low") <= ds.power.sel(end="high")) & (
        ds.tdp.sel(end="high") >= ds.power.sel(end="low")
    )
    assert ds.chip.values[~inside.values].tolist() == ["tpu-v4i"]
    assert float(
        ds.tdp.sel(chip="tpu-v4i", end="low") / ds.power.sel(chip="tpu-v4i", end="high")
    ) == pytest.approx(1.53, abs=0.02)
    nominal = ds.power.sel(end="nominal") / ds.tdp.sel(end="nominal")
    assert float(nominal.min()) == pytest.approx(0.14, abs=0.01)
    assert float(nominal.max()) == pytest.approx(0.50, abs=0.01)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 3
