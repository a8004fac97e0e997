"""Are the moments of a Gaussian that is cut at its ends those of integrals and of draws?"""

import numpy as np
import pytest
from scipy import integrate, stats

from pimlab.analog.devices import clipped

G, SIGMA = (a.ravel() for a in np.meshgrid([0.0, 0.02, 0.5, 1.0], [0.0, 0.05, 0.3, 2.0]))


def by_integral(g, sigma, low, high, power, centre):
    """E (x - centre)^power of the cut Gaussian: the ends have the mass beyond them."""
    if sigma == 0:
        return (np.clip(g, low, high) - centre) ** power
    law = stats.norm(g, sigma)
    top = min(high, g + 12 * sigma)
    inside = integrate.quad(
        lambda x: (x - centre) ** power * law.pdf(x), low, max(top, low), limit=200, points=[np.clip(g, low, max(top, low))]
    )[0]  # fmt: skip
    ends = law.cdf(low) * (low - centre) ** power
    return inside + ends + (law.sf(high) * (high - centre) ** power if np.isfinite(high) else 0)


def test_mean_and_variance_are_the_integrals():
    mean, variance = clipped.moments(G, SIGMA)
    for g, s, m, v in zip(G, SIGMA, mean, variance, strict=True):
        assert m == pytest.approx(by_integral(g, s, 0, np.inf, 1, 0), abs=1e-9)
        assert v == pytest.approx(by_integral(g, s, 0, np.inf, 2, m), abs=1e-8)


def test_third_and_fourth_cumulants_are_the_integrals():
    mean, variance, third, fourth = clipped.cumulants(G, SIGMA)
    np.testing.assert_allclose((mean, variance), clipped.moments(G, SIGMA))
    for g, s, m, v, k3, k4 in zip(G, SIGMA, mean, variance, third, fourth, strict=True):
        assert k3 == pytest.approx(by_integral(g, s, 0, np.inf, 3, m), abs=1e-6)
        assert k4 == pytest.approx(by_integral(g, s, 0, np.inf, 4, m) - 3 * v * v, abs=1e-5)


@pytest.mark.parametrize(("g", "sigma"), [(0.12, 0.05), (0.9, 0.08), (0.5, 0.05), (1.0, 0.1)])
def test_of_two_ends_the_nearer_one_cuts(g, sigma):
    mean, variance = clipped.bounded_moments(np.array([g]), np.array([sigma]), 0.1, 1.0)
    assert mean[0] == pytest.approx(by_integral(g, sigma, 0.1, 1.0, 1, 0), abs=1e-6)
    assert variance[0] == pytest.approx(by_integral(g, sigma, 0.1, 1.0, 2, mean[0]), abs=1e-6)
    third = clipped.bounded_cumulants(np.array([g]), np.array([sigma]), 0.1, 1.0)[2][0]
    assert third == pytest.approx(by_integral(g, sigma, 0.1, 1.0, 3, mean[0]), abs=1e-6)


def test_far_from_the_cut_nothing_changes():
    mean, variance = clipped.moments(np.array([9.0]), np.array([1.0]))
    assert (mean[0], variance[0]) == (9.0, 1.0)
