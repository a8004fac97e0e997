"""Does the text of each part of the state name every array in it?"""

import pytest

from pimlab.kernels import serving_state

PARTS = [one for one in vars(serving_state).values() if hasattr(one, "_fields")]


@pytest.mark.parametrize("part", [one for one in PARTS if one is not serving_state.Tables])
def test_every_array_is_described(part):
    assert len(PARTS) == 7
    for field in part._fields:
        assert field in part.__doc__, field
