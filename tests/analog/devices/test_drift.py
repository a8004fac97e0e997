"""How does a conductance change after programming?"""

import numpy as np
import pytest

from pimlab.analog.devices.curves import Polynomial
from pimlab.analog.devices.drift import Arrhenius, Leak, LogRelaxation, PowerLawDrift, Relaxation
from pimlab.keys import Key

KEY, G = Key(seed=3), np.full(20_000, 5e-6)


def flat(value):
    return Polynomial(coefficients=(value,))


def test_a_power_law_with_one_exponent():
    law = PowerLawDrift(time=20.0, mean=flat(0.06), g_reference=1e-5)
    assert law.after(G[:1], 86400.0, KEY, G[:1]) == pytest.approx(G[:1] * (1 + 86400 / 20) ** -0.06)
    assert law.after(G, 0.0, KEY, G) is G


def test_exponents_spread_over_cells_and_stay():
    law = PowerLawDrift(time=20.0, mean=flat(0.06), sigma=flat(0.01), g_reference=1e-5)
    nu = law.exponent(G, KEY)
    assert nu.mean() == pytest.approx(0.06, abs=4 * 0.01 / np.sqrt(G.size))
    assert nu.std() == pytest.approx(0.01, rel=0.03)
    day, year = law.after(G, 86400.0, KEY, G), law.after(G, 3.15e7, KEY, G)
    ratio = np.log1p(3.15e7 / 20) / np.log1p(86400 / 20)
    assert np.log(year / G) == pytest.approx(ratio * np.log(day / G))


def test_relaxation_has_the_measured_spread_at_each_time():
    law = Relaxation(
        times=(1.0, 100.0),
        spreads=(flat(3e-8), flat(5e-8)),
        shifts=(flat(0.0), flat(-1e-7)),
        g_reference=1e-5,
    )
    programmed = G + 3e-8 * np.random.default_rng(1).standard_normal(G.size)
    late = law.after(programmed, 1e9, KEY, G)
    assert late.std() == pytest.approx(5e-8, rel=0.03)
    assert late.mean() == pytest.approx(5e-6 - 1e-7, abs=3e-9)
    assert law.spread(G[:1], 50.5)[0] == pytest.approx(4e-8)


def test_relaxation_in_the_logarithm_of_time():
    law = Relaxation(
        times=(1.0, 100.0), spreads=(flat(2e-8), flat(4e-8)), scale="log", g_reference=1e-5
    )
    assert law.spread(G[:1], 10.0)[0] == pytest.approx(3e-8)
    with pytest.raises(ValueError, match=r"scale='log' cannot start at 0.0 s"):
        law.but(times=(0.0, 100.0))
    with pytest.raises(ValueError, match="needs 2 ascending times or more"):
        law.but(times=(5.0, 1.0))
    with pytest.raises(ValueError, match="has 1 shifts for 2 times"):
        law.but(shifts=(flat(0.0),))


def test_nothing_was_measured_before_a_second():
    law = LogRelaxation(shift_rate=-1e-8, spread_rate=1e-9, spread=0.0)
    assert law.after(G, 0.5, KEY, G) is G
    later = law.after(G, np.e, KEY, G)
    assert later.mean() == pytest.approx(5e-6 - 1e-8, abs=1e-10)
    assert later.std() == pytest.approx(1e-9, rel=0.03)


def test_charge_leaks_to_rest():
    law = Leak(time=2.0, rest=1e-6)
    assert law.after(G[:1], 2.0, KEY, G[:1]) == pytest.approx([1e-6 + 4e-6 / np.e])


def test_conduction_is_activated_by_heat():
    """0.2 eV between 300 and 330 K: exp(0.2 / 8.617e-5 (1/300 - 1/330))."""
    hot = Arrhenius(energy="0.2 eV", temperature=330.0)
    assert hot.factor == pytest.approx(np.exp(0.2 / 8.617333e-5 * (1 / 300 - 1 / 330)), rel=1e-5)
    assert hot.but(temperature=300.0).factor == 1
