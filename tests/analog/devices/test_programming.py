"""Do cells land around their targets as the curve says, and stay stuck as often as the share says?"""

import numpy as np
import pytest
from scipy import stats

from pimlab.analog.devices import device
from pimlab.analog.devices.curves import Polynomial
from pimlab.analog.devices.programming import Defects, ProgrammingError
from pimlab.analog.draws import normals
from pimlab.keys import Key

MICRO = 1e-6
ERROR = ProgrammingError(
    sigma=Polynomial(coefficients=(0.5 * MICRO, 1.0 * MICRO)), g_reference=20 * MICRO,
    other=Polynomial(coefficients=(1.2 * MICRO,)), other_reference=25 * MICRO,
)  # fmt: skip


def test_the_spread_follows_the_conductance():
    g = np.array([0, 10, 20]) * MICRO
    np.testing.assert_allclose(ERROR.spread(g), np.array([0.5, 1.0, 1.5]) * MICRO)
    low, high = ERROR.interval(g)
    np.testing.assert_allclose(low, np.array([0.5, 1.0, 1.2]) * MICRO)
    np.testing.assert_allclose(high, np.array([1.2, 1.2, 1.5]) * MICRO)
    alone = ERROR.but(other=None, other_reference=None)
    np.testing.assert_array_equal(*alone.interval(g))


def test_cells_at_zero_get_back_what_the_cut_took():
    """A cut draw and what lay below zero make the Gaussian that was never cut."""
    target = np.full((200, 200), 0.3 * MICRO)
    sigma = ERROR.spread(target)
    cut = np.maximum(target + sigma * normals(Key(seed=1), target.shape), 0)
    assert 0.1 < (cut == 0).mean() < 0.5
    whole = ERROR.before_cut(cut, target, Key(seed=2))
    np.testing.assert_array_equal(whole[cut > 0], cut[cut > 0])
    assert (whole[cut == 0] <= 0).all()
    assert stats.kstest(((whole - target) / sigma).ravel(), "norm").pvalue > 1e-3
    exact = ERROR.but(sigma=Polynomial(coefficients=(0.0,)))
    assert (np.abs(exact.before_cut(np.zeros(3), np.zeros(3), Key(seed=1))) < 1e-290).all()


def test_stuck_cells_are_as_many_as_said_and_the_same_each_time():
    defects = Defects(stuck_low=0.1, stuck_high=0.05)
    g = np.full((300, 300), 0.5)
    found = defects.applied(g, 0.0, 1.0, Key(seed=3))
    for value, share in ((0.0, 0.1), (1.0, 0.05), (0.5, 0.85)):
        assert abs((found == value).mean() - share) < 4 * np.sqrt(share * (1 - share) / g.size)
    np.testing.assert_array_equal(found, defects.applied(g, 0.0, 1.0, Key(seed=3)))
    assert (Defects().applied(g, 0.0, 1.0, Key(seed=3)) == 0.5).all()


def test_shares_of_the_same_cells_add_up_to_one_at_most():
    with pytest.raises(ValueError, match="more than 1"):
        Defects(stuck_low=0.6, stuck_high=0.5)
    with pytest.raises(ValueError, match="programming sigma"):
        ERROR.check_over(np.array([0, 0.1 * MICRO]), "device")


def test_two_cubics_are_joined_and_small_targets_stay_erased():
    """The numbers of IBM's apply_noise_model.py, highest power first as it has them."""
    one = [2.939751381126213e-05, -0.00371581208142707, 0.22419685954328, 2.5797410660159494]
    two = [1.2329755395573392e-05, -0.003054993405157235, 0.2453487119885723, 2.110295720240385]
    cell = device("pcm-buchel2025")
    g = np.array([0, 0.5, 0.7, 10, 52, 53, 100, 180])
    wanted = np.where(g < 52.5, np.polyval(one, g), np.polyval(two, g)) * (g >= 0.6)
    np.testing.assert_allclose(cell.programming.spread(g * 1e-6), wanted * 1e-6, rtol=1e-12)
    written = cell.program(np.full((100, 100), 0.59e-6), 1)
    assert not written.any()
    kept = cell.program(np.full((100, 100), 100e-6), 1)
    assert kept.std() == pytest.approx(np.polyval(two, 100) * 1e-6, rel=0.03)
