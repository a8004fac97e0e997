"""One draw an output has the distribution of one draw a cell: moments and Kolmogorov-Smirnov, both regimes."""

import numpy as np
import pytest
from scipy import stats

from pimlab.analog import Crossbar, device
from pimlab.analog.cells import active_inputs_needed
from pimlab.analog.devices import Device, GaussianReadNoise

READS = 100_000
CUT = Device(name="on/off 100", g_min="0.1 uS", g_max="10 uS", read_noise=GaussianReadNoise(absolute="0.2 uS"))
PCM = device("pcm-joshi2020").but(programming=None, drift=None)


def _brute(plus, minus, spread, x, reads):
    """Every cell drawn in every read, `reads` values of one output, S."""
    rng = np.random.default_rng(17)
    total = np.zeros(reads)
    for i in np.flatnonzero(x):
        for sign, g in ((1, plus[i]), (-1, minus[i])):
            total += sign * x[i] * np.maximum(g + spread(np.array(g)) * rng.standard_normal(reads), 0)
    return total


def _ours(programmed, x):
    return programmed.matmul(np.tile(x, (READS, 1)).astype(np.float32), 9)[:, 0].astype(float)


def _compare(cell, w, x):
    programmed = Crossbar(cell=cell, scaling="layer").program(w.astype(np.float32)[:, None], 1)
    unit = float(programmed.scale.max()) / (cell.g_max - cell.g_min)

    def spread(g):
        return cell.read_noise.spread(g, 0.0, g)

    plus, minus = (bank.programmed[0, :, 0] for _, bank in programmed.banks[0])
    brute = unit * _brute(plus, minus, spread, x, READS)
    ours = _ours(programmed, x)
    error = brute.std() / np.sqrt(READS)
    assert abs(ours.mean() - brute.mean()) < 4 * np.sqrt(2) * error
    assert abs(ours.std() / brute.std() - 1) < 4 / np.sqrt(READS)
    assert stats.ks_2samp(ours, brute).pvalue > 1e-3
    return programmed


@pytest.mark.parametrize(
    ("cell", "active"), [(CUT, 256), (CUT, 60), (CUT, 8), (CUT, 1), (PCM, 60), (PCM, 1)], ids=lambda v: getattr(v, "name", v)
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
    needed = active_inputs_needed([(np.full((24, 1), 1e-7), np.full((24, 1), 2e-7))] * 2, CUT.read_noise)
    assert needed > 24


def test_plain_variance_would_be_wrong():
    """The reason for all this: without the cut the spread of empty cells is overstated by a fifth and more."""
    from pimlab.analog.devices.clipped import moments

    _, variance = moments(np.array(0.1e-6), np.array(0.2e-6))
    assert np.sqrt(variance) / 0.2e-6 < 0.81


def test_gaussian_cells_never_need_single_draws():
    assert active_inputs_needed([(np.full((4, 3), 1e-5), np.full((4, 3), 1e-7))], CUT.read_noise).tolist() == [0, 0, 0]
