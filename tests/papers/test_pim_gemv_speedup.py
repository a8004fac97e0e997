"""papers/pim-gemv-speedup: targets are met at the quick size, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_bounds_are_never_exceeded(make, ds):
    assert (ds.speedup < ds.bound).all()
    assert (ds.speedup_batch.diff("batch") < 0).all()
    for machine in make.MACHINES:
        best = float(ds.speedup_batch.sel(machine=machine, batch=1))
        assert 0.8 * best < make.crossing(ds, machine) < 1.2 * best
    assert len(make.draw(ds).axes) == 3
