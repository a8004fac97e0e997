"""Time in use: the published error curve of PCM, compensation, recalibration, refresh."""

import numpy as np
import pytest

from pimlab.analog import (
    TARGETS,
    Crossbar,
    DriftCompensation,
    ReferenceColumns,
    Refresh,
    StatisticsCompensation,
    device,
)
from pimlab.analog.devices import Arrhenius, Defects, Device
from pimlab.machine.protocol import Calibration, Range

TIMES = (0, 1, 3600, 86400, 30 * 86400, 365 * 86400)
PUBLISHED = {
    None: (0.098, 0.098, 0.246, 0.351, 0.448, 0.510),
    DriftCompensation(): (0.099, 0.099, 0.114, 0.130, 0.152, 0.170),
}


def _error(y, exact):
    return np.linalg.norm(y - exact) / np.linalg.norm(exact)


@pytest.fixture(scope="module")
def gaussian():
    rng = np.random.default_rng(0)
    w = np.clip(rng.standard_normal((512, 512)), -2.5, 2.5).astype(np.float32)
    return w, rng.standard_normal((64, 512)).astype(np.float32)


@pytest.mark.parametrize("compensation", PUBLISHED, ids=["none", "global"])
def test_error_of_pcm_over_a_year(gaussian, compensation):
    """512 x 512 Gaussian weights cut at 2.5 sigma, differential pairs, no converters: the reference table, within 3 %."""
    w, x = gaussian
    programmed = Crossbar(
        rows=512, cols=512, cell=device("pcm-joshi2020"), scaling="layer", compensation=compensation
    ).program(w, 1)
    errors = [_error(programmed.matmul(x, 2, at), x @ w) for at in TIMES]
    assert errors == pytest.approx(PUBLISHED[compensation], rel=0.03)


def test_one_gain_a_column_is_no_worse_than_one_a_layer(gaussian):
    w, x = (a[:200, :200] if a.shape == (512, 512) else a[:, :200] for a in gaussian)
    machine = Crossbar(
        cell=device("pcm-joshi2020"), scaling="layer", compensation=DriftCompensation(vectors=1024)
    )
    columns = machine.but(compensation=DriftCompensation(per="column", vectors=1024))
    errors = [_error(m.program(w, 1).matmul(x, 2, "1 y"), x @ w) for m in (machine, columns)]
    assert errors[1] < 1.02 * errors[0]


def test_reference_columns_follow_the_common_drift(gaussian):
    w, x = gaussian[0][:200, :100], gaussian[1][:, :200]
    machine = Crossbar(cell=device("pcm-joshi2020"), scaling="layer")
    errors = [
        _error(machine.but(compensation=rule).program(w, 1).matmul(x, 2, "30 days"), x @ w)
        for rule in (None, ReferenceColumns(count=4), DriftCompensation())
    ]
    assert errors[2] < 1.02 * errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize(
    "rule", [DriftCompensation(), DriftCompensation(per="column"), ReferenceColumns()]
)
@pytest.mark.parametrize("at", [0.0, "1 day"])
def test_compensation_makes_up_for_heat(rule, at):
    rng = np.random.default_rng(6)
    w, x = (
        rng.standard_normal((40, 5)).astype(np.float32),
        rng.standard_normal((3, 40)).astype(np.float32),
    )
    hot = Device(
        name="hot", g_min=0, g_max="10 uS", temperature=Arrhenius(energy="0.2 eV", temperature=350)
    )
    machine = Crossbar(cell=hot)
    assert machine.program(w).matmul(x, at=at) == pytest.approx(
        hot.temperature.factor * (x @ w), rel=1e-4, abs=1e-5
    )
    assert machine.but(compensation=rule).program(w).matmul(x, at=at) == pytest.approx(
        x @ w, rel=1e-4, abs=1e-5
    )


def _calibration(x):
    return Calibration(
        x=Range(low=float(x.min()), high=float(x.max())),
        y=Range(low=-1, high=1),
        sample=x,
        rule="minmax",
    )


def test_renewed_statistics_mend_shifted_means():
    rng = np.random.default_rng(3)
    w, x = (
        rng.standard_normal((128, 30)).astype(np.float32),
        np.abs(rng.standard_normal((400, 128))).astype(np.float32),
    )
    plain = TARGETS["pcm-hermes"]()
    errors = [
        _error(
            plain.but(compensation=rule)
            .program(w, 1, calibration=_calibration(x[:200]))
            .matmul(x[200:], 2, "1 y"),
            x[200:] @ w,
        )
        for rule in (None, DriftCompensation(), StatisticsCompensation())
    ]
    assert errors[2] < errors[1] < errors[0]
    with pytest.raises(ValueError, match="needs program"):
        plain.but(compensation=StatisticsCompensation()).program(w, 1).matmul(x)


def test_refresh_starts_drift_over_and_costs_writes():
    rng = np.random.default_rng(4)
    w, x = (
        rng.standard_normal((64, 20)).astype(np.float32),
        rng.standard_normal((30, 64)).astype(np.float32),
    )
    once = Crossbar(cell=device("pcm-joshi2020"))
    daily = once.but(refresh=Refresh(period="1 day"))
    old, new = (machine.program(w, 1) for machine in (once, daily))
    assert np.array_equal(old.matmul(x, 2, "12 h"), new.matmul(x, 2, "12 h"))
    assert _error(new.matmul(x, 2, "30.01 days"), x @ w) < 0.6 * _error(
        old.matmul(x, 2, "30.01 days"), x @ w
    )
    assert np.any(new.matmul(x, 2, "1 day") != new.matmul(x, 2, "2 days"))
    assert set(old.programming()) == {"energy"}
    cost = new.programming()
    assert cost["energy"].value == pytest.approx(2 * 64 * 20 * 20e-12)
    assert cost["power"].value == pytest.approx(cost["energy"].value / 86400)


@pytest.mark.parametrize("rule", [DriftCompensation(), ReferenceColumns(count=4)])
def test_compensation_starts_over_with_the_weights(gaussian, rule):
    w, x = gaussian[0][:200, :100], gaussian[1][:, :200]
    fresh = Crossbar(
        cell=device("pcm-joshi2020"), compensation=rule, refresh=Refresh(period="1 day")
    )
    errors = [_error(fresh.program(w, 1).matmul(x, 2, at), x @ w) for at in ("0 s", "30 days")]
    assert errors[1] == pytest.approx(errors[0], rel=0.1)


def test_stuck_cells_stay_where_they_are_when_written_again():
    cell = device("pcm-joshi2020").but(defects=Defects(stuck_high=0.1), drift=None)
    w = np.random.default_rng(1).uniform(-0.5, 0.5, (40, 30)).astype(np.float32)
    w[0] = 1
    programmed = Crossbar(cell=cell, refresh=Refresh(period="1 h"), devices=2).program(w, 3)
    first, again = (programmed.conductances(at) for at in ("0 h", "2 h"))
    for (_, before), (_, after) in zip(first, again, strict=True):
        assert np.array_equal(before == cell.g_max, after == cell.g_max)
        assert 0.05 < (before == cell.g_max).mean() < 0.2
        assert not np.array_equal(before, after)


def test_errors_teach():
    with pytest.raises(ValueError, match="above 0"):
        Refresh(period=0)
    with pytest.raises(ValueError, match="did you mean 'layer'"):
        DriftCompensation(per="layr")
    with pytest.raises(KeyError, match="write_energy"):
        Crossbar(cell=device("reram-milo2021")).program(np.ones((2, 2))).programming()
