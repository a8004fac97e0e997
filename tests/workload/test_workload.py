"""Does the room of workloads load what it names?"""

import pytest

from pimlab import workload


@pytest.mark.parametrize("name", workload.__all__)
def test_every_name_is_there(name):
    assert getattr(workload, name) is not None


def test_a_typo_is_told_the_nearest():
    with pytest.raises(AttributeError, match="pimlab.workload has no 'load_modl'.*load_model"):
        _ = workload.load_modl
