"""Does a name give its machine, with a host where it needs one, and any other a clear error?"""

import pytest

import pimlab as pim
from pimlab.machine.protocol import Target


@pytest.mark.parametrize("name", pim.targets())
def test_each_name_gives_the_machine_of_that_name(name):
    machine = pim.target(name)
    assert isinstance(machine, Target)
    assert machine.name == name
    assert machine is pim.target(name)
    assert machine.stage == 1 or machine.host is not None


def test_a_wrong_name_is_told_the_nearest():
    with pytest.raises(ValueError, match="target 'warboi' is not known; did you mean 'warboy'"):
        pim.target("warboi")


@pytest.mark.parametrize("name", [None, 3, ["warboy"], {}])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(
        TypeError, match=r"target .* is not a name; write for example pimlab\.target\('warboy'\)"
    ):
        pim.target(name)
