"""Does the room of language models load what it names?"""

import pytest

from pimlab.workload import language


@pytest.mark.parametrize("name", language.__all__)
def test_every_name_is_there(name):
    assert getattr(language, name) is not None


def test_a_typo_is_told_the_nearest():
    with pytest.raises(AttributeError, match="has no 'hyperscal'.*hyperscale"):
        _ = language.hyperscal
