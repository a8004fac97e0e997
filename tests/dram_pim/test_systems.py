"""Are systems known by name, each with its units, and is a wrong name told the nearest?"""

import pytest

import pimlab.dram_pim as pim


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [("attacc", pim.HeadUnits, "one"), ("neupims", pim.RequestUnits, "two")],
)
def test_each_name_gives_its_units_and_its_target(name, kind, rows):
    stacks = pim.head_stacks(name)
    assert type(stacks.units) is kind
    assert stacks.units == pim.head_units(name)
    assert (stacks.name, stacks.row_buffers) == (name, rows)
    assert name in stacks.cited


def test_levels_and_limits_are_the_files():
    assert pim.head_units("attacc", limited=False).gap < pim.head_units("attacc").gap
    assert pim.head_stacks("attacc", level="buffer").units.level == "buffer"
    with pytest.raises(ValueError, match="did you mean 'bank'"):
        pim.head_units("attacc", level="banks")
    with pytest.raises(ValueError, match="did you mean 'attacc'"):
        pim.head_stacks("atacc")
