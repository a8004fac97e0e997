"""papers/macros: every target within its tolerance, the constants are the fit, and the figure draws."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper

from pimlab import catalogue

SIX = ("neurram", "jia2020", "sinangil2021", "wang2022", "colonnade", "pcm-hermes")


def test_six_chips_are_within_12_percent_where_nothing_was_fitted(make, ds):
    means = {chip: make.errors(ds, chip, held=True).mean() for chip in SIX}
    assert max(means.values()) <= 0.12, means
    off = np.abs(make.beside_accelforge(ds, "efficiency"))
    assert off[:, 0].mean() == pytest.approx(0.053, abs=0.001)
    fast = np.abs(make.beside_accelforge(ds, "throughput"))
    assert 0.01 < fast[:, 0].mean() < 0.05  # 1 to 9 %, as its notebook prints
    assert fast[:, 1].mean() < fast[:, 0].mean()


def test_fitted_and_held_out_points_are_apart(make):
    keys = [(row["quantity"], row["condition"], row["published"]) for row in make.targets()]
    assert len(set(keys)) == len(keys)
    assert {row["role"] for row in make.targets()} == {"fitted", "held-out", "missed"}


def test_the_constants_of_the_catalogue_are_the_fit(make):
    """Sinangil: three energies; Colonnade: the line through two supplies; both from the paper's rows."""
    rows = {(row["quantity"], row["condition"]): float(row["published"]) for row in make.targets()
            if row["role"] == "fitted"}  # fmt: skip
    pico = [2048 / rows["sinangil2021 efficiency", f"0.8 V, output {one}"] for one in (0, 1, 15)]
    solved = np.linalg.solve([[1, 0, 0], [1, 1, 1], [1, 1, 15]], pico)
    macro = catalogue.entry("analog", "sinangil2021")
    for key, value in zip(("array_read", "active_read"), solved, strict=False):
        assert macro[f"energy.{key}"].value == pytest.approx(value * 1e-12, rel=1e-3)
    assert macro["energy.discharge"].value == pytest.approx(solved[2] * 15e-12 / 1024, rel=1e-3)
    low, high = (1 / rows["colonnade efficiency", f"8/8 bits, {volts} V"] for volts in (0.7, 0.8))
    threshold = (0.7 * high - 0.8 * low) / (high - low)
    entry = catalogue.entry("analog", "colonnade")
    assert entry["supply.threshold"].value == pytest.approx(threshold, rel=1e-3)


def test_a_real_read_gives_the_charge_that_the_curve_takes(make):
    """All cells full and all inputs full is an output of 15; nothing is an output of 0."""
    machine, op, amounts = make.sinangil("0.8 V, output 15")
    w, x = np.ones((op.k, op.n), np.float32), np.ones((1, op.k), np.float32)
    programmed = machine.program(w, 0)
    assert programmed.integrals(x) == pytest.approx(amounts, rel=1e-6)
    assert programmed.integrals(0 * x) == make.sinangil("0.8 V, output 0")[2]


def test_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
