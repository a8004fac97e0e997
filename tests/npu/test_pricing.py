"""Do prices follow width, node, voltage and memory size, and do two sources that disagree bound the answer?"""

import math

import pytest

from pimlab import catalogue
from pimlab.constants import Constant, assumed
from pimlab.npu import pricing

PICO = 1e-12


def test_an_integer_mac_lies_between_horowitz_and_aladdin():
    table = catalogue.entry("energy", "arithmetic-45nm")
    sums = [
        table["int8_multiply"].value + table["int32_add"].value,
        table["aladdin_int8_multiply"].value + table["aladdin_int32_add"].value,
    ]
    mac = pricing.mac("int8")
    assert mac.value == pytest.approx(math.prod(sums) ** 0.5)
    assert mac.low <= min(sums) * 1.000001
    assert mac.high >= max(sums) * 0.999999
    wide = pricing.mac("int16")
    assert wide.value > 3 * mac.value


def test_a_float_mac_is_printed_for_fp16_and_between_two_laws_for_others():
    table = catalogue.entry("energy", "arithmetic-45nm")
    fp16 = pricing.mac("fp16")
    assert fp16.value == pytest.approx(table["fp16_multiply"].value + table["fp32_add"].value)
    assert fp16.low == pytest.approx(table["fp16_multiply"].low + table["fp16_add"].low)
    assert pricing.mac("fp8_e4m3").status == "assumed"
    assert pricing.mac("fp8_e4m3").value < pricing.mac("bf16").value < fp16.value
    with pytest.raises(ValueError, match="blocks"):
        pricing.mac("mxfp8_e4m3")


def test_smaller_nodes_and_lower_supplies_cost_less():
    at = [
        pricing.mac_price("int8", node * 1e-9, volts).constant.value
        for node, volts in ((45, 0.9), (14, 0.9), (14, 0.7), (7, 0.7))
    ]
    assert at == sorted(at, reverse=True)
    assert at[0] == pytest.approx(pricing.mac("int8").value)


def test_larger_memories_cost_more_a_bit():
    reads = [
        pricing.memory_prices(7e-9, 0.7, "hbm2", bits)["sram.read"].constant
        for bits in (8 * 2**10, 2**20, 2**25, 2**30)
    ]
    nominal = [one.value for one in reads]
    assert nominal == sorted(nominal)
    assert nominal[2] == pytest.approx(nominal[3]), "slices of 4 MB from there on"
    assert reads[3].high > reads[2].high, "one memory of all bits is the upper end"


def test_static_power_moves_as_energy_does_or_not_at_all():
    power = Constant(
        name="p", value=10.0, low=8.0, high=12.0, unit="W", printed="10 W", status="published"
    )
    assert pricing.static_price(power, 1).constant == power
    moved = pricing.static_price(power, 0.5).constant
    assert (moved.value, moved.low, moved.high) == (5.0, 4.0, 12.0)
    assert moved.status == "assumed"


def test_two_sources_that_disagree_meet_at_the_geometric_mean():
    low, high = (assumed("x", v * PICO, "J", "a test") for v in (1, 4))
    both = pricing.between("x", low, high)
    assert (both.value, both.low, both.high) == pytest.approx((2 * PICO, 1 * PICO, 4 * PICO))


def test_unknown_memories_are_refused():
    with pytest.raises(ValueError, match="hbm2"):
        pricing.memory_prices(7e-9, 0.7, "hbm9", 2**25)
    assert "hbm2" in pricing.dram_types()
