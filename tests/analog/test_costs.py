"""What does a macro's file say of its time, its area and the prices of its events?"""

import pytest

from pimlab.analog import array_area, macro
from pimlab.analog.costs import COMPONENTS
from pimlab.constants import assumed


def test_a_price_of_ones_own_takes_the_place_of_the_macros():
    held = macro("generic-22nm").with_price("DAC conversion", assumed("mine", 1e-12, "J", "test"))
    price = held.prices(8.0)["DAC conversion"]
    assert (price.constant.value, price.component) == (1e-12, COMPONENTS["DAC conversion"])
    with pytest.raises(KeyError, match="DAC conversion"):
        held.with_price("DAC conversions", assumed("mine", 1e-12, "J", "test"))


def test_conversions_without_a_price_come_from_the_survey():
    generic = macro("generic-22nm")
    few, many = (generic.prices(enob)["ADC conversion"].constant for enob in (6.0, 12.0))
    assert 0 < few.value < many.value
    assert "ADC conversion" not in generic.prices(None)


def test_a_macro_that_prices_whole_reads_has_no_survey_beside_it():
    assert "ADC conversion" not in macro("pcm-hermes").prices(8.0)


def test_another_supply_needs_a_measured_range():
    with pytest.raises(ValueError, match="only one supply is known"):
        macro("generic-22nm").at_supply("0.7 V")


def test_area_of_an_array_by_part():
    """A converter for eight columns: an eighth as many, and a driver a row."""
    each = array_area("isaac", 128, 128, 1)
    shared = array_area("isaac", 128, 128, 8)
    assert each["ADC"].value == pytest.approx(8 * shared["ADC"].value)
    assert each["cells"].value == shared["cells"].value
    assert array_area("isaac", 256, 128, 1)["DAC"].value == pytest.approx(2 * each["DAC"].value)
