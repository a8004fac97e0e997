"""Does a cell's random number depend on its key, row and column alone, and follow its law?"""

import numpy as np
import pytest
from scipy import stats

from pimlab.analog.draws import normals, uniforms
from pimlab.keys import Key

KEY = Key(seed=7).child("layer")


@pytest.mark.parametrize("draw", [normals, uniforms])
def test_a_part_of_an_array_is_that_part(draw):
    whole = draw(KEY, (40, 8))
    np.testing.assert_array_equal(draw(KEY.rows(10), (5, 8)), whole[10:15])
    np.testing.assert_array_equal(draw(KEY, (5, 8, 8)).reshape(40, 8), whole)
    assert draw(KEY, ()).shape == ()
    assert whole.dtype == np.float32


@pytest.mark.parametrize("draw", [normals, uniforms])
def test_other_keys_and_lanes_are_other_numbers(draw):
    one, key, lane = draw(KEY, (200, 50)), draw(KEY.child(1), (200, 50)), draw(KEY, (200, 50), 1)
    for other in (key, lane):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.05


def test_the_laws():
    assert stats.kstest(normals(KEY, (100, 100)).ravel(), "norm").pvalue > 1e-3
    drawn = uniforms(KEY, (100, 100)).ravel()
    assert stats.kstest(drawn, "uniform").pvalue > 1e-3
    assert 0 <= drawn.min() <= drawn.max() < 1
