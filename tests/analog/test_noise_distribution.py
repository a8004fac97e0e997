"""One draw an output has the distribution of one draw a cell: moments and Kolmogorov-Smirnov, both regimes."""

import numpy as np
import pytest
from scipy import stats

from pimlab.analog import Crossbar, Slices, device
from pimlab.analog.cells import edgeworth
from pimlab.analog.devices import Device, GaussianReadNoise

READS = 100_000
CUT = Device(
    name="on/off 100",
    g_min="0.1 uS",
    g_max="10 uS",
    read_noise=GaussianReadNoise(absolute="0.2 uS"),
)
PCM = device("pcm-joshi2020").but(programming=None, drift=None)
PCM = PCM.but(read_noise=PCM.read_noise.but(process="white"))


def _brute(plus, minus, spread, x, reads, seed=17):
    """Every cell drawn in every read, `reads` values of one output, S."""
    rng = np.random.default_rng(seed)
    total = np.zeros(reads)
    for i in np.flatnonzero(x):
        for sign, g in ((1, plus[i]), (-1, minus[i])):
            total += (
                sign * x[i] * np.maximum(g + spread(np.array(g)) * rng.standard_normal(reads), 0)
            )
    return total


def _ours(programmed, x):
    return programmed.matmul(np.tile(x, (READS, 1)).astype(np.float32), 9)[:, 0].astype(float)


def _compare(cell, w, x):
    programmed = Crossbar(cell=cell, scaling="layer").program(w.astype(np.float32)[:, None], 1)
    unit = float(programmed.written.scale.max()) / (cell.g_max - cell.g_min)

    def spread(g):
        return cell.read_noise.spread(g, 0.0, g)

    plus, minus = (bank.programmed[0, :, 0] for _, bank in programmed.polarities[0])
    brute = unit * _brute(plus, minus, spread, x, READS)
    ours = _ours(programmed, x)
    error = brute.std() / np.sqrt(READS)
    assert abs(ours.mean() - brute.mean()) < 4 * np.sqrt(2) * error
    assert abs(ours.std() / brute.std() - 1) < 4 / np.sqrt(READS)
    assert stats.ks_2samp(ours, brute).pvalue > 1e-3
    return programmed


@pytest.mark.parametrize(
    ("cell", "active"),
    [(CUT, 256), (CUT, 60), (CUT, 8), (CUT, 1), (PCM, 60), (PCM, 1)],
    ids=lambda v: getattr(v, "name", v),
)
def test_distribution_equals_brute_force(cell, active):
    rng = np.random.default_rng(active)
    w, x = 0.3 * rng.standard_normal(256), np.zeros(256)
    x[rng.choice(256, active, replace=False)] = rng.uniform(0.2, 1, active)
    w[0], x[0] = 1, 1
    _compare(cell, w, x)


def test_empty_cells_alone():
    """All weights zero: every pair is two cells at the lower end, the worst of cutting."""
    _compare(CUT, np.zeros(24), np.ones(24))


@pytest.mark.parametrize("active", [200, 70, 5])
def test_skewed_columns_of_single_cells(active):
    """One cell a weight, most of them empty and cut: sums are skewed, and are drawn so, or cell by cell."""
    rng = np.random.default_rng(active)
    digits = (rng.random(200) < 0.1).astype(float)
    x = np.zeros(200)
    x[:active] = rng.uniform(0.3, 1, active)
    w = np.where(digits > 0, 1.0, 0.0)
    machine = Crossbar(
        cell=CUT, coding="complement", slices=Slices(bits=2, per_cell=1), scaling="layer"
    )
    programmed = machine.program(w[:, None], 1)
    plus = programmed.polarities[0][0][1].programmed[0, :, 0]
    background = CUT.g_min * x.sum()
    span = CUT.g_max - CUT.g_min
    sign = _brute(
        programmed.polarities[1][0][1].programmed[0, :, 0],
        np.zeros(200),
        lambda g: 2e-7 * (g > 0),
        x,
        READS,
        seed=5,
    )
    low = _brute(plus, np.zeros(200), lambda g: 2e-7 * (g > 0), x, READS)
    brute = ((low - background) - 2 * (sign - background)) / span
    ours = _ours(programmed, x / x.max()) * x.max()
    assert abs(ours.mean() - brute.mean()) < 5 * np.sqrt(2) * brute.std() / np.sqrt(READS)
    assert abs(ours.std() / brute.std() - 1) < 5 / np.sqrt(READS)
    assert stats.ks_2samp(ours, brute).pvalue > 1e-3
    if active == 200:
        assert programmed.readers.at(0.0).planes[1].tiles[0].third is not None


def test_plain_variance_would_be_wrong():
    """The reason for all this: without the cut the spread of empty cells is overstated by a fifth and more."""
    from pimlab.analog.devices.clipped import moments

    _, variance = moments(np.array(0.1e-6), np.array(0.2e-6))
    assert np.sqrt(variance) / 0.2e-6 < 0.81


def _edges(g, sigma, k, n):
    _, *higher = CUT.read_noise.cumulants(np.full((k, n), g), np.full((k, n), sigma))
    return edgeworth(np.array([np.abs(one).sum(axis=0) for one in higher]), higher[1])


def test_gaussian_cells_never_need_single_draws():
    edges = _edges(1e-5, 1e-7, 4, 3)
    assert edges.needed.tolist() == [0, 0, 0]
    assert edges.third is None


def test_cut_cells_need_more_inputs_the_emptier_they_are():
    needed = [float(_edges(g, 2e-7, 256, 1).needed[0]) for g in (1e-6, 4e-7, 1e-7)]
    assert needed == sorted(needed)
    assert needed[-1] < 100
