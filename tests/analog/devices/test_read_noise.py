"""How far apart are two reads of the same cell?"""

import numpy as np
import pytest
from scipy.stats import norm

from pimlab.analog.devices.curves import Polynomial
from pimlab.analog.devices.read_noise import (
    CurveReadNoise,
    FlickerNoise,
    GaussianReadNoise,
    LogFlickerNoise,
    TelegraphNoise,
)
from pimlab.analog.process import FOREVER

G = np.array([1e-6, 1e-5])


def test_flicker_grows_with_the_logarithm_of_time():
    noise = FlickerNoise(
        strength=Polynomial(coefficients=(0.01,)), start=20.0, read_time=250e-9, g_reference=1e-5
    )
    wanted = G * 0.01 * np.sqrt(np.log((20 + 100 + 250e-9) / 500e-9))
    assert noise.spread(G, 100.0, G) == pytest.approx(wanted)


def test_how_long_noise_lasts_is_a_choice():
    noise = LogFlickerNoise(factor=1e-8, read_time=1e-6)
    assert noise.lasts
    assert sum(share for _, share in noise.parts(1e6, 1e-6)) <= 1
    assert noise.but(process="frozen").parts(1e6, 1e-6) == ((FOREVER, 1.0),)
    assert noise.but(process="white").parts(1e6, 1e-6) == ()
    assert not noise.but(process="white").lasts


def test_logarithmic_flicker_is_zero_below_a_microsiemens():
    noise = LogFlickerNoise(factor=1e-8, read_time=1e-6, low=1e-7, high=9e-6)
    sigma = noise.spread(G, 1.0, G)
    assert sigma[0] == 0
    assert sigma[1] == pytest.approx(1e-8 * np.sqrt(np.log((1 + 1e-6) / 2e-6)))
    assert noise.seen(G, np.array([1.0, 1.0]), np.array([-1.0, 1.0])).tolist() == [1e-7, 9e-6]


def test_a_cut_at_zero_moves_the_mean():
    """A Gaussian of mean 0 and spread 1 cut at 0 has mean phi(0) and second moment 1/2."""
    noise = GaussianReadNoise(absolute=1e-6)
    mean, variance = noise.moments(np.zeros(1), np.full(1, 1e-6))
    assert mean[0] == pytest.approx(norm.pdf(0) * 1e-6)
    assert variance[0] == pytest.approx((0.5 - norm.pdf(0) ** 2) * 1e-12)


def test_gaussian_noise_has_a_floor_and_a_share():
    assert GaussianReadNoise(absolute=1e-8, relative=0.01).spread(G, 0.0, G) == pytest.approx(
        [2e-8, 1.1e-7]
    )


def test_a_curve_is_never_negative():
    noise = CurveReadNoise(sigma=Polynomial(coefficients=(-1e-8, 5e-8)), g_reference=1e-5)
    assert noise.spread(G, 0.0, G) == pytest.approx([0, 4e-8])


def test_telegraph_noise_has_the_cumulants_of_a_bernoulli_variable():
    noise = TelegraphNoise(depth=0.1, share=0.3)
    z = np.random.default_rng(6).standard_normal(200_000)
    step = noise.spread(np.array(1.0), 0.0, np.array(1.0))
    seen = noise.seen(np.ones_like(z), step, z)
    mean, variance, third, fourth = noise.cumulants(np.array(1.0), step)
    assert seen.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / z.size))
    assert seen.var() == pytest.approx(variance, rel=0.02)
    centred = seen - mean
    assert (centred**3).mean() == pytest.approx(third, rel=0.05)
    assert (centred**4).mean() - 3 * variance**2 == pytest.approx(fourth, rel=0.05)


def test_a_dwell_time_holds_the_state_for_some_reads():
    assert TelegraphNoise(depth=0.1, share=0.3, dwell=5e-6).parts(1.0, 1e-6) == ((5, 1.0),)
    assert not TelegraphNoise(depth=0.1, share=0.3).lasts
