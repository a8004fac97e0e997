"""Names of formats, read and written."""

import pytest

from pimlab import formats


@pytest.mark.parametrize("name", formats.formats())
def test_every_named_format_knows_its_name(name):
    assert formats.format(name).name == name


@pytest.mark.parametrize("name", ["uint4_g1024", "int3_g64", "fp8_e5m2_1x32", "fp4_e2m1_2x16"])
def test_names_are_read_back(name):
    assert formats.format(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [("int4_g0", "GroupFormat group=0"), ("mxfp4_1x32", "element"), ("int99_g8", "99")],
)
def test_impossible_names_say_why(name, message):
    with pytest.raises((ValueError, TypeError), match=message):
        formats.format(name)


def test_an_unknown_name_gets_the_nearest_one():
    with pytest.raises(ValueError, match=r"'nvfp5' is not known; did you mean 'nvfp4'"):
        formats.format("nvfp5")
