"""papers/energy-per-operation: the printed table, both cross-checks, and the figure draws."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_fetching_weights_costs_dram_and_time(ds):
    """More DRAM energy than everything else but static power takes; which grows with the time."""
    on_chip, fetched = (
        dict(zip(ds.component.values, ds.energy.isel(machine=i).values, strict=True))
        for i in (0, 1)
    )
    others = sum(joules for part, joules in on_chip.items() if part != "static")
    assert on_chip["DRAM"] == 0
    assert fetched["DRAM"] + fetched["DRAM interface"] > 2 * others
    assert fetched["static"] > on_chip["static"]
    assert (ds.energy_low <= ds.energy).all()
    assert (ds.energy <= ds.energy_high).all()


def test_board_powers_meet_the_interval_but_for_one(ds):
    """What a busy product would draw, from constants of A100 alone, against the board power."""
    inside = (ds.tdp.sel(end="low") <= ds.power.sel(end="high")) & (
        ds.tdp.sel(end="high") >= ds.power.sel(end="low")
    )
    assert ds.chip.values[~inside.values].tolist() == ["x220"]
    published = ds.isel(chip=np.flatnonzero(ds.tdp_status.values == "published"))
    nominal = published.power.sel(end="nominal") / published.tdp.sel(end="nominal")
    near = np.abs(nominal.values - 1) <= 0.25
    # RNGD's arrays wait for the DMA engines of its book, and draw less than a busy board
    far = "a2 ai100 b200 dx-m1 l4 mi210 mi250 mi300x orin rebel rngd"
    assert " ".join(published.chip.values[~near]) == far
    assert near.sum() == 8


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 3
