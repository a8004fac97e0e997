"""Are reasons named by the largest part of what an operator costs on a machine?"""

import pytest

import pimlab as pim
from pimlab.machine.links import link
from pimlab.machine.protocol import MacOp
from pimlab.plan.reasons import amounts, padding, reason, reasons, refused

NPU, BANKS = pim.target("warboy").as_host(), pim.target("gddr6-aim").searched()


def fc(m, k=4096, n=4096):
    return MacOp(name="fc", m=m, k=k, n=n)


@pytest.mark.parametrize("objective", ["latency", "energy"])
def test_amounts_are_those_of_the_machine_and_of_the_link(objective):
    op, wire = fc(1), link("cxl")
    inside, beyond = (amounts(BANKS, op, between, objective) for between in (None, wire))
    assert "link" not in inside
    bits = (4096 + 4096) * 16
    added = {"latency": 2 * wire.delay + bits / wire.bandwidth, "energy": bits * wire.bit.value}
    assert beyond["link"] == pytest.approx(added[objective])


def test_each_reason_is_given_where_it_holds():
    npu = NPU.placed((fc(1, 16384, 16384),))
    assert reason(npu, fc(1, 16384, 16384), None, "latency").startswith("bandwidth")
    assert "9 vectors" in reason(npu, fc(9, 16384, 16384), None, "latency")
    assert reason(BANKS, fc(64), None, "latency").startswith("reuse")
    assert reason(BANKS, fc(1, 64, 8), None, "latency").startswith("padding: it does 64.0 times")
    assert reason(BANKS, fc(1, 64, 8), link("smartssd"), "latency").startswith("transfer")


def test_products_beyond_those_wanted_are_padding():
    assert padding(BANKS, fc(1)) == 1
    assert padding(BANKS, fc(1, 4096, 256)) == 2, "512 outputs a group of banks"
    assert padding(NPU, fc(1)) >= 1


def test_a_memory_that_is_too_small_is_named_with_what_it_would_take():
    large = fc(1, 1 << 16, 1 << 18)
    times = BANKS.occupancy(large)
    assert times > 1
    assert refused(BANKS, large) == f"capacity: gddr6-aim would need {times:.2g} times its memory"
    assert refused(BANKS, fc(1)) is None
    told = reasons(
        {"fc": large}, {"fc": "warboy"}, {"warboy": NPU, "gddr6-aim": BANKS}, {}, "energy"
    )
    assert told["fc"]["gddr6-aim"].startswith("capacity")
