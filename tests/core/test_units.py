"""Does a text stand for the SI number it says, and is anything else refused?"""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab import units


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("25 uS", "S", 25e-6),
        ("10.35uS", "S", 10.35e-6),
        ("1 fF", "S s", 1e-15),
        ("0.267 pJ", "J", 0.267e-12),
        ("3.92 pJ/bit", "J/bit", 3.92e-12),
        ("66 GB/s", "bit/s", 66e9 * 8),
        ("64 TOPS", "op/s", 64e12),
        ("1 day", "s", 86400.0),
        ("4 Ki bit", "bit", None),
        ("2 %", "", 0.02),
        ("-0.5e-3 V", "V", -0.5e-3),
        ("1 kohm", "ohm", 1e3),
        ("40 fJ", "V^2 S s", 40e-15),
        ("9.76 TOPS/W", "op/J", 9.76e12),
        ("300 K", "K", 300.0),
        ("1 mW", "W", 1e-3),
        ("2 GHz", "1/s", 2e9),
    ],
)
def test_text_is_its_si_number(text, unit, expected):
    if expected is None:
        with pytest.raises(ValueError, match="value="):
            units.parse(text, unit)
    else:
        assert units.parse(text, unit) == expected


@given(
    st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, places=6),
    st.sampled_from(["f", "p", "n", "u", "m", "", "k", "M", "G"]),
)
def test_prefix_is_read_as_decimal(number, prefix):
    scale = {
        "f": "e-15",
        "p": "e-12",
        "n": "e-9",
        "u": "e-6",
        "m": "e-3",
        "": "",
        "k": "e3",
        "M": "e6",
        "G": "e9",
    }[prefix]
    assert units.parse(f"{number:f} {prefix}V", "V") == float(f"{number:f}{scale}")


@pytest.mark.parametrize("text", ["25 uA", "uS", "25 furlong", "", "nan uS", "25 uS/s"])
def test_another_quantity_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"g_max=.*is not a conductance"):
        units.parse(text, "S", "g_max")


@pytest.mark.parametrize("bad", [-1.0, "-1 s", float("nan"), float("inf"), "3 V"])
def test_time_is_never_negative_or_endless(bad):
    with pytest.raises(ValueError, match="at="):
        units.seconds(bad)


@pytest.mark.parametrize("bad", [None, True, [1.0], ("1 s",), {}, object, b"1 s"])
def test_what_is_neither_text_nor_number_is_no_time(bad):
    with pytest.raises(TypeError, match="at=.* is not a time; write for example '25 s'"):
        units.seconds(bad)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("1 dya", "unknown unit 'dya'; did you mean 'day'?"),
        ("2 hoursz", "did you mean 'hours'"),
        ("soon", "does not start with a number"),
        ("1e999999999 s", "is larger than any number"),
        ("1e400 s", "0 s or later"),
        ("1 s/s", "write for example '25 s'"),
    ],
)
def test_text_that_is_no_time_is_told_what_would_be(bad, told):
    with pytest.raises(ValueError) as caught:
        units.seconds(bad)
    assert str(caught.value).startswith(f"at={bad!r} is ")
    assert told in str(caught.value)


_TIMES = {
    "ns": "1e-9",
    "ms": "1e-3",
    "s": "1",
    "min": "60",
    "h": "3600",
    "day": "86400",
    "months": "2592000",
    "years": "31557600",
}


@given(
    st.decimals(min_value=0, max_value=10**6, allow_nan=False, places=4),
    st.sampled_from(sorted(_TIMES)),
    st.sampled_from(["", " ", "  "]),
)
def test_time_is_the_number_of_seconds_it_says(number, unit, gap):
    found = units.seconds(f"{number:f}{gap}{unit}")
    assert found == float(number * Decimal(_TIMES[unit]))
    assert units.seconds(found) == found


@given(
    st.text(max_size=12)
    | st.from_regex(r"[+-]?[0-9.]{1,4}(e[+-]?[0-9]{1,4})? ?[a-zµ%^/0-9]{0,6}", fullmatch=True)
)
def test_any_other_text_is_one_error_that_names_it(text):
    try:
        found, told = units.seconds(text), f"at={text!r}"
    except ValueError as error:
        found, told = 0.0, str(error)
    assert 0 <= found < float("inf")
    assert f"at={text!r}" in told


@given(st.floats())
def test_a_number_is_a_time_from_zero_on(number):
    if 0 <= number < float("inf"):
        assert units.seconds(number) == number
    else:
        with pytest.raises(ValueError, match="is not a time; allowed: 0 s or later"):
            units.seconds(number)


@given(st.floats(1e-14, 1e13))
def test_si_text_reads_back(value):
    text = units.si(value, "J", digits=6)
    assert np.isclose(units.parse(text, "J"), value, rtol=1e-5)


@pytest.mark.parametrize(
    ("unit", "example"),
    [("S", "'25 uS' or 2.5e-05 (SI S)"), ("s", "'25 s' or 25.0 (SI s)"), ("", "'25' or 25.0")],
)
def test_the_two_examples_of_an_error_are_one_quantity(unit, example):
    with pytest.raises(ValueError, match="write for example") as caught:
        units.parse("25 mol", unit)
    assert str(caught.value).endswith(example)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (256e6, "bit", "256 Mbit"),
        (2e9, "Hz", "2 GHz"),
        (528e9, "bit/s", "528 Gbit/s"),
        (1e-12, "J/bit", "1 pJ/bit"),
        (0.1 + 0.2, "V", "300.00000000000004 mV"),
        (-5e-3, "V", "-5 mV"),
        (86400.0, "s", "1 day"),
        (90.0, "s", "90 s"),
        (300.0, "K", "300 K"),
        (1e-6, "m^2", "1e-06 m^2"),
        (3e6, "won", "3e+06 won"),
        (0.05, "", "0.05"),
        (0.0, "J", "0.0 J"),
        (math.inf, "s", "inf s"),
    ],
)
def test_a_quantity_is_written_with_the_prefix_a_reader_expects(value, unit, text):
    assert units.written(value, unit) == text


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["bit", "J", "s", "Hz", "m", "S", "V", "bit/s", "m^2", "K", "won", "", "op/s"]),
)
def test_a_written_quantity_is_read_back_to_the_bit(value, unit):
    assert units.parse(units.written(value, unit), unit) == value


def test_what_is_an_integer_and_what_a_number():
    integers = [3, 10**400, np.int8(3), np.array(3)]
    numbers = [3.5, np.float32(3), Decimal("3"), np.array(3.0), math.nan]
    others = [
        True,
        np.True_,
        "3",
        b"3",
        3j,
        None,
        [3],
        np.array([]),
        np.array([3]),
        np.array(3j),
        int,
    ]
    assert all(map(units.is_integer, integers))
    assert not any(map(units.is_integer, numbers + others))
    assert all(map(units.is_number, integers + numbers))
    assert not any(map(units.is_number, others))
    with pytest.raises(ValueError, match="x=1000.* is larger than any number allowed"):
        units.parse(10**400, "s", "x")
