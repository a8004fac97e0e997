"""Does the room of figures offer what it names, and name the nearest for what it does not?"""

import inspect

import pytest

from pimlab import plot


@pytest.mark.parametrize("name", plot.__all__)
def test_every_name_is_there_and_says_what_it_draws(name):
    one = getattr(plot, name)
    assert not inspect.isfunction(one) or inspect.getdoc(one)


def test_a_typo_is_told_the_nearest():
    with pytest.raises(AttributeError, match="pimlab.plot has no 'waterfal'.*waterfall"):
        _ = plot.waterfal
