"""Technology scaling by Stillmaker and Baas' polynomials."""

from __future__ import annotations

import pytest

from pimlab import catalogue
from pimlab.cost.technology import nodes, relative_energy, scaled


def test_equals_what_hwcomponents_answers():
    """Its AladdinIntMAC: 1.15366 pJ at 45 nm, 0.20021 pJ at 16 nm and 0.1088 pJ at 7 nm, all at 0.8 V."""
    for node, published in ((16, 0.2002141875424712), (7, 0.1088000438123656)):
        assert relative_energy(node, 0.8) / relative_energy(45, 0.8) == pytest.approx(
            published / 1.1536553499624467, rel=1e-6
        )


def test_smaller_nodes_and_lower_supplies_cost_less():
    for voltage in (0.7, 0.8, 0.9):
        energies = [relative_energy(node, voltage) for node in (5, *nodes()[:6])]
        assert energies == sorted(energies)
    assert relative_energy(28, 0.7) < relative_energy(28, 0.8)


def test_a_scaled_constant_keeps_its_source_and_widens_its_interval():
    add = catalogue.entry("energy", "arithmetic-45nm")["int32_add"]
    there = scaled(add, from_node=45, from_voltage=0.9, node=14, voltage=0.8)
    assert there.low < there.value < there.high
    assert set(there.sources) == {"pmc8934428", "stillmaker2017", "hwcomponents"}
    assert there.status == "derived"
    assert scaled(add, from_node=45, from_voltage=0.9, node=5, voltage=0.7).status == "assumed"


@pytest.mark.parametrize(("node", "voltage"), [(1, 0.8), (180, 0.8), (14, 0.2), (14, 3.3)])
def test_where_nothing_is_published_is_refused(node, voltage):
    with pytest.raises(ValueError, match="outside"):
        relative_energy(node, voltage)


def test_the_interval_stays_where_the_polynomials_hold():
    add = catalogue.entry("energy", "arithmetic-45nm")["int32_add"]
    for voltage in (0.5, 0.55, 1.5):
        there = scaled(add, from_node=45, from_voltage=0.9, node=14, voltage=voltage)
        assert there.low <= there.value <= there.high
