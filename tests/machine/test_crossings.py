"""Do the bits of an operator, and its seconds over a link, follow from its shape?"""

import pytest

import pimlab as pim
from pimlab.machine.crossings import link_seconds, sides, transferred
from pimlab.machine.protocol import MacOp, VectorOp

LINK = pim.link("pcie5-x16")
PRODUCT = MacOp(name="fc", m=2, k=3, n=5, groups=7)


def test_inputs_and_outputs_cross_as_words_of_the_link():
    assert sides(PRODUCT, LINK) == (7 * 2 * 3 * 16, 7 * 2 * 5 * 16)
    assert sides(PRODUCT, LINK.but(word=8), (True, False)) == (7 * 2 * 3 * 8, 0)
    assert sides(VectorOp(name="relu", kind="relu", elements=9), LINK) == (144, 144)
    assert transferred(PRODUCT, LINK) == sum(sides(PRODUCT, LINK))


def test_each_way_costs_a_delay_and_its_bits():
    bits = 7 * 2 * 3 * 16
    assert link_seconds(PRODUCT, LINK, (True, False)) == pytest.approx(
        LINK.delay + bits / LINK.bandwidth
    )
    assert link_seconds(PRODUCT, LINK, (False, False)) == 0
    both = transferred(PRODUCT, LINK)
    assert link_seconds(PRODUCT, LINK) == pytest.approx(2 * LINK.delay + both / LINK.bandwidth)
