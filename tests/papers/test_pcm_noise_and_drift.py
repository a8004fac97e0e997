"""papers/pcm-noise-and-drift: every target within its tolerance, and the figure draws."""

import numpy as np

from pimlab.analog import device


def _readings(make):
    """Largest difference of the two published polynomials, over full scale."""
    g = np.linspace(0, 25e-6, 500)
    first, second = (device(name).programming.spread(g) for name in (make.CELL, make.OTHER_FIT))
    return float(np.abs(first - second).max() / 25e-6)


def _found(make, ds, row):
    if row["quantity"] == "readings":
        return _readings(make)
    condition = dict(
        part.split("=")
        for part in row["condition"]
        .replace(" y", "_y")
        .replace(" h", "_h")
        .replace(" s", "_s")
        .split()
    )
    one = ds[row["quantity"]].sel(g=float(condition["g"]))
    return float(
        one.sel(time=make.TIMES[condition["t"].replace("_", " ")]) if "t" in condition else one
    )


def test_targets(make, ds):
    rows = make.targets()
    table = [
        (row["quantity"], row["condition"], float(row["published"]), _found(make, ds, row))
        for row in rows
    ]
    missed = [
        line
        for line, row in zip(table, rows, strict=True)
        if abs(line[3] / line[2] - 1) > float(row["tolerance"])
    ]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in rows)


def test_low_conductances_drift_faster_and_less_alike(ds):
    assert float(ds.exponent.sel(g=0.1) / ds.exponent.sel(g=1.0)) > 1.2
    assert float(ds.exponent_spread.sel(g=0.1) / ds.exponent_spread.sel(g=1.0)) > 2.5


def test_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 3
