"""papers/quantisation-sqnr: every target within its tolerance, theory met, and the figure draws."""

import numpy as np


def _found(ds, quantity, condition):
    coordinate, value = condition.split("=")
    return float(ds[quantity].sel({coordinate: int(value) if coordinate == "bits" else value}))


def test_targets(ds, targets):
    table = [
        (
            row["quantity"],
            row["condition"],
            float(row["published"]),
            _found(ds, row["quantity"], row["condition"]),
        )
        for row in targets
    ]
    missed = [
        line
        for line, row in zip(table, targets, strict=True)
        if abs(line[3] - line[2]) > float(row["tolerance"])
    ]
    assert not missed, "\n".join(map(str, table))
    assert not any("memory" in row["provenance"] for row in targets)


def test_exact_expectation_of_microscaling(ds):
    known = np.isfinite(ds.block_theory)
    assert known.sum() == 6
    assert float(abs(ds.block - ds.block_theory).where(known).max()) < 0.06


def test_the_sine_closes_in_on_its_asymptote(ds):
    gap = (6.0206 * ds.bits + 1.7609 - ds.sine).values
    assert (np.diff(gap) < 0).all()
    assert gap[-1] < 0.1


def test_more_bits_are_never_worse(ds):
    for name in ("uniform", "sine", "gaussian"):
        assert (np.diff(ds[name]) > 5).all()


def test_figure_draws(make, ds):
    left, right = make.draw(ds).axes
    assert "6.02" in left.get_title()
    assert "11 dB" in right.get_title()
