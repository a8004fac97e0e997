"""What does a busy chip draw beside its operations: operands, DRAM interface, static power, its limit?"""

import pytest

from pimlab import npu
from pimlab.cost import price
from pimlab.machine.protocol import MacOp, VectorOp

LARGE = MacOp(name="gemm", m=8192, k=8192, n=8192)
VECTOR = MacOp(name="gemv", m=1, k=8192, n=8192)


def _watts(chip, op):
    seconds = sum(chip.latency(op).values())
    return sum(price(chip.events(op), chip.prices).nominal.values()) / seconds


def test_every_mac_has_its_operands_delivered_and_every_bit_of_dram_its_interface():
    chip = npu.chip("a100", "fp16")
    events = chip.events(VECTOR)
    assert events["delivery"] == events["mac.fp16"] == VECTOR.macs
    assert events["interface"] == events["dram.read"] + events["dram.write"]
    prices = {event: chip.prices[event].constant.value for event in events}
    assert prices["delivery"] == pytest.approx(18.8 * prices["mac.fp16"])
    assert chip.prices["interface"].component == "DRAM interface"
    assert "interface" not in npu.chip("rngd").events(VectorOp(name="r", kind="relu", elements=9))


def test_the_interface_does_not_shrink_with_the_node_but_its_interval_does():
    a100, h100 = (npu.chip(name, "fp16").prices["interface"].constant for name in ("a100", "h100"))
    assert a100.value == h100.value
    assert h100.low < a100.low
    assert npu.chip("warboy").prices["interface"].constant.high > h100.high


def test_a_board_draws_no_more_than_its_limit():
    chip = npu.chip("h100", "fp16")
    static = chip.static_power.value
    assert _watts(chip, LARGE) > chip.limit - static > 0
    assert chip.throttled(LARGE) * _watts(chip, LARGE) == pytest.approx(chip.limit - static)
    assert chip.throttled(VECTOR) == 1.0
    assert chip.but(limit=None).throttled(LARGE) == 1.0
    assert chip.but(limit=static / 2).throttled(LARGE) == 0.0
    with pytest.raises(ValueError, match="Npu limit=-3"):
        chip.but(limit=-3)


def test_sparse_indices_cross_the_interface_too():
    chip = npu.chip("a100", "fp16").but(sparsity="2:4")
    events = chip.events(LARGE)
    assert events["interface"] == sum(n for e, n in events.items() if e.startswith("dram."))
