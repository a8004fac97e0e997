"""Does a text stand for the SI number it says, and is anything else refused?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab import units


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [("25 uS", "S", 25e-6), ("10.35uS", "S", 10.35e-6), ("1 fF", "S s", 1e-15), ("0.267 pJ", "J", 0.267e-12),
     ("3.92 pJ/bit", "J/bit", 3.92e-12), ("66 GB/s", "bit/s", 66e9 * 8), ("64 TOPS", "op/s", 64e12), ("1 day", "s", 86400.0),
     ("4 Ki bit", "bit", None), ("2 %", "", 0.02), ("-0.5e-3 V", "V", -0.5e-3), ("1 kohm", "ohm", 1e3), ("40 fJ", "V^2 S s", 40e-15),
     ("9.76 TOPS/W", "op/J", 9.76e12), ("300 K", "K", 300.0), ("1 mW", "W", 1e-3), ("2 GHz", "1/s", 2e9)],
)  # fmt: skip
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
    scale = {"f": "e-15", "p": "e-12", "n": "e-9", "u": "e-6", "m": "e-3", "": "", "k": "e3", "M": "e6", "G": "e9"}[prefix]
    assert units.parse(f"{number:f} {prefix}V", "V") == float(f"{number:f}{scale}")


@pytest.mark.parametrize("text", ["25 uA", "uS", "25 furlong", "", "nan uS", "25 uS/s"])
def test_another_quantity_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"g_max=.*is not a conductance"):
        units.parse(text, "S", "g_max")


@pytest.mark.parametrize("bad", [-1.0, "-1 s", float("nan"), float("inf"), "3 V"])
def test_time_is_never_negative_or_endless(bad):
    with pytest.raises(ValueError, match="at="):
        units.seconds(bad)


@given(st.floats(1e-14, 1e13))
def test_si_text_reads_back(value):
    text = units.si(value, "J", digits=6)
    assert np.isclose(units.parse(text, "J"), value, rtol=1e-5)
