"""Names of formats, read and written."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pimlab
from pimlab import formats


@pytest.mark.parametrize("name", formats.formats())
def test_every_named_format_knows_its_name(name):
    assert formats.format(name).name == name


@pytest.mark.parametrize("name", ["uint4_g1024", "int3_g64", "fp8_e5m2_1x32", "fp4_e2m1_2x16"])
def test_names_are_read_back(name):
    assert formats.format(name).name == name


@given(
    st.integers(1, 8),
    st.integers(0, 10),
    st.sampled_from(["ieee", "nan", "fnuz", "none"]),
    st.sampled_from([None, "fp32", "fp8_e4m3"]),
)
def test_every_float_and_block_of_floats_is_read_back_from_its_name(
    exponent, mantissa, kept, scale
):
    try:
        element = formats.FloatFormat(exponent=exponent, mantissa=mantissa, specials=kept)
    except ValueError:
        assume(False)
    one = (
        element
        if scale is None
        else formats.ScaledBlockFormat(element=element, block=24, scale=scale)
    )
    assert formats.format(one.name) == one


def test_a_machine_computes_in_any_float_that_has_a_name():
    machine = pimlab.target("a100").in_format("fp8_e3m4/none")
    assert machine.activation_bits == 8.0
    assert formats.format("nf4_2x16").name == "nf4_2x16"


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


def test_integers_of_a_format_and_who_shares_a_scale():
    from pimlab.formats.names import integer_codes

    assert integer_codes("int8") == (formats.format("int8"), None)
    assert integer_codes("uint4_g32") == (formats.format("uint4"), 32)
    assert integer_codes("fp8_e4m3") is integer_codes("mxfp4") is integer_codes(None) is None
