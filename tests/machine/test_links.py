"""Does a link answer in seconds by hand, is each of the catalogue usable, and is a bad one refused by name?"""

import pytest

import pimlab as pim
from pimlab.machine.links import Link, links


def test_a_megabyte_over_pcie_by_hand():
    link = pim.link("pcie5-x16")
    assert link.bandwidth == 63e9 * 8
    assert link.seconds(63e3) == pytest.approx(link.delay + 1e-6)
    assert link.seconds(0) == link.delay


@pytest.mark.parametrize("name", links())
def test_every_link_has_bandwidth_delay_and_energy_in_range(name):
    link = pim.link(name)
    assert 1e9 < link.bandwidth < 1e13
    assert 0 < link.delay < 1e-4
    assert link.bit.unit == "J"
    assert 1e-13 < link.bit.low <= link.bit.value <= link.bit.high < 1e-10


def test_newer_generations_carry_more():
    for family in (
        ["pcie4-x16", "pcie5-x16", "pcie6-x16"],
        ["nvlink3", "nvlink4", "nvlink5"],
        [f"ethernet-{rate}g" for rate in (100, 200, 400, 800)],
    ):
        rates = [pim.link(name).bandwidth for name in family]
        assert rates == sorted(rates)


def test_a_link_without_bandwidth_is_refused_by_name():
    with pytest.raises(ValueError, match="Link bandwidth=0 is outside above 0 bit/s"):
        pim.link("pcie5-x16").but(bandwidth=0)
    with pytest.raises(TypeError, match="Link needs bandwidth"):
        Link(name="x", delay=0.0, bit=pim.link("cxl").bit)


def test_an_unknown_link_answers_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'pcie5-x16'"):
        pim.link("pcie5-x15")
    with pytest.raises(TypeError, match=r"pimlab.link\('pcie5-x16'\)"):
        pim.link(5)
