"""Memory cells: moments against the published formulas, cut Gaussians against brute force, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab.analog.devices import Device, GaussianReadNoise, device
from pimlab.analog.devices.clipped import cumulants, moments

SAMPLES = 200_000


def _within(sample, mean, sigma, errors=4.0):
    n = sample.size
    assert abs(sample.mean() - mean) < errors * sigma / np.sqrt(n)
    assert abs(sample.std() - sigma) < errors * sigma / np.sqrt(2 * n)


def test_joshi_programming_error_is_the_polynomial():
    pcm = device("pcm-joshi2020")
    for g in (0.3, 0.6, 1.0):
        sigma = (-1.1731 * g**2 + 1.9650 * g + 0.26348) * 1e-6
        _within(pcm.program(np.full((500, 400), g * 25e-6), 1), g * 25e-6, sigma)


def test_cut_at_zero_lifts_the_mean_of_an_empty_cell():
    pcm = device("pcm-joshi2020")
    g = pcm.program(np.zeros((500, 400)), 2)
    assert g.min() == 0
    assert g.mean() == pytest.approx(0.26348e-6 / np.sqrt(2 * np.pi), rel=0.02)


def test_drift_is_a_power_law_without_step_at_zero():
    pcm = device("pcm-joshi2020").but(read_noise=None)
    g = np.full((4, 5), 12e-6)
    assert np.array_equal(pcm.drifted(g, 0, 3), g)
    slopes = [np.log(pcm.drifted(g, t, 3) / g) / np.log((t + 20) / 20) for t in (3600.0, 86400.0)]
    assert np.allclose(*slopes)
    many = pcm.drifted(np.full((500, 400), 12.5e-6), "1 h", 3)
    nu = -np.log(many / 12.5e-6) / np.log(3620 / 20)
    _within(nu, 0.049, max(-0.0125 * np.log(0.5) - 0.0059, 0.008))


def test_read_noise_is_the_accumulated_flicker_noise():
    pcm = device("pcm-joshi2020").but(drift=None)
    sigma = 20e-6 * min(0.0088 / 0.8**0.65, 0.2) * np.sqrt(np.log((86420 + 250e-9) / (2 * 250e-9)))
    _within(pcm.read(np.full((500, 400), 20e-6), "1 day", 5), 20e-6, sigma)


@pytest.mark.parametrize(
    ("name", "t0", "g_max"), [("pcm-hermes", 200, 10.35e-6), ("pcm-hermes-pair", 300, 20.7e-6)]
)
def test_hermes_by_hand(name, t0, g_max):
    pcm = device(name)
    sigma = {
        "pcm-hermes": 0.15781817 + 2.32443916 * 0.5 - 2.16310839 * 0.25 + 0.68841818 * 0.125,
        "pcm-hermes-pair": 0.16603222 + 4.71806468 * 0.5 - 8.48101252 * 0.25 + 4.68961419 * 0.125,
    }[name]
    assert pcm.programming.spread(np.array(0.5 * g_max)) == pytest.approx(sigma * 1e-6, rel=1e-9)
    assert pcm.drift.time == t0
    u = np.array([0.01, 0.05, 0.5])
    assert pcm.drift.mean(u) == pytest.approx(
        [0.13, -0.0387 * np.log(0.05) - 0.0182, -0.0436 * 0.25 - 0.0126 * 0.5 + 0.0736]
    )


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 3.0, 20.0])
def test_moments_of_a_cut_gaussian(ratio):
    sample = np.maximum(ratio + np.random.default_rng(0).standard_normal(2_000_000), 0)
    mean, variance = moments(np.array(ratio), np.array(1.0))
    _within(sample, mean, np.sqrt(variance), 5)
    first, second, third, fourth = cumulants(np.array(ratio), np.array(1.0))
    assert (first, second) == (mean, variance)
    centred = sample - sample.mean()
    assert third == pytest.approx((centred**3).mean(), abs=0.01)
    assert fourth == pytest.approx((centred**4).mean() - 3 * (centred**2).mean() ** 2, abs=0.03)


def test_no_spread_is_exact():
    mean, variance = moments(np.array([0.0, 2.0]), np.zeros(2))
    assert mean.tolist() == [0, 2]
    assert variance.tolist() == [0, 0]


@settings(max_examples=20, deadline=None)
@given(g=st.floats(0, 10), sigma=st.floats(0, 10))
def test_cutting_lifts_the_mean_and_lowers_the_spread(g, sigma):
    mean, variance = moments(np.array(g), np.array(sigma))
    assert mean >= g - 1e-12
    assert 0 <= variance <= sigma**2 * (1 + 1e-12)


def test_errors_teach():
    pcm = device("pcm-joshi2020")
    with pytest.raises(ValueError, match="did you mean 'pcm-joshi2020'"):
        device("pcm-joshi")
    with pytest.raises(ValueError, match=r"outside 0 S\.\.25 uS"):
        pcm.program(np.array([26e-6]))
    with pytest.raises(ValueError, match="not a time"):
        pcm.read(np.array([1e-6]), -3)
    with pytest.raises(ValueError, match="not a conductance"):
        pcm.but(g_max="25 uA")
    with pytest.raises(ValueError, match="is not below g_max"):
        Device(name="flat", g_min="5 uS", g_max="5 uS")
    with pytest.raises(ValueError, match="0 S or more"):
        pcm.read(np.array([-1e-6]))


def test_gaussian_noise():
    cell = Device(
        name="mine",
        g_min=0,
        g_max="10 uS",
        read_noise=GaussianReadNoise(absolute="0.1 uS", relative="2 %"),
    )
    _within(cell.read(np.full((500, 400), 5e-6)), 5e-6, 0.2e-6)
