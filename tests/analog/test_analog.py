"""Does the room of analog memory load what it names?"""

import pytest

from pimlab import analog


@pytest.mark.parametrize("name", analog.__all__)
def test_every_name_is_there(name):
    assert getattr(analog, name) is not None


def test_a_typo_is_told_the_nearest():
    with pytest.raises(AttributeError, match="pimlab.analog has no 'Crosbar'.*Crossbar"):
        _ = analog.Crosbar
