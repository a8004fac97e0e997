"""What stays on chip: batches that go through in parts, and weights that come while others compute."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pimlab import npu
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.npu.memory import commands


@pytest.fixture(scope="module")
def machine():
    return npu.chip("atom").but(efficiency=None)


def layers(rows):
    return (
        MacOp(name="a", m=rows, k=256, n=256),
        MacOp(name="b", m=rows, k=256, n=512),
    )


def test_a_part_of_a_batch_has_its_share_of_every_size():
    op = MacOp(name="conv", m=10, k=9, n=4, distinct=50).batched(6)
    assert (op.m, op.inputs, op.inferences) == (60, 300, 6)
    assert op.part(2) == MacOp(name="conv", m=10, k=9, n=4, distinct=50).batched(2)
    cache = MacOp(name="s", m=2, k=8, n=9, groups=3, kind="activations").batched(4)
    assert (cache.groups, cache.part(1).groups) == (12, 3)
    assert VectorOp(name="r", kind="relu", elements=7).batched(3).part(1).elements == 7
    with pytest.raises(ValueError, match=r"part\(7\); allowed: 1..6"):
        op.part(7)
    with pytest.raises(ValueError, match="inferences=4 does not divide m=10"):
        MacOp(name="x", m=10, k=1, n=1, inferences=4)


def test_a_batch_goes_through_in_parts_that_fit(machine):
    """Weights of 192 kB and activations of 24 kB an inference in 300 kB: four inferences fit, of 16."""
    small = machine.but(memory=machine.memory.but(sram="300 kB"))
    batch = tuple(op.batched(16) for op in layers(32))
    placed = small.placed(batch)
    assert (placed.memory.weights_in, placed.memory.together) == ("sram", 4)
    assert all(
        placed.events(op)["dram.read"] == placed.events(op)["dram.write"] == 0 for op in batch
    )
    whole = small.events(batch[1].but(inferences=1))
    assert whole["dram.write"] > 0
    assert placed.events(batch[1])["mac.int8"] == whole["mac.int8"]


def test_a_larger_batch_is_never_slower_an_inference(machine):
    """Warboy's and ATOM's batches used to get slower where activations left the chip."""
    for sram in ("200 kB", "300 kB", "1 MB"):
        chip = machine.but(memory=machine.memory.but(sram=sram))
        times = []
        for count in (1, 2, 4, 8, 16, 32):
            batch = tuple(op.batched(count) for op in layers(32))
            placed = chip.placed(batch)
            times.append(sum(sum(placed.latency(op).values()) for op in batch) / count)
        assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(times))


def test_weights_come_while_earlier_operators_compute(machine):
    """One layer waits for the DRAM, the other leaves it idle for longer: together they take what the arrays take."""
    slow = machine.but(memory=machine.memory.but(sram="18 MB", bandwidth="30 GB/s"))
    ops = (
        MacOp(name="wide", m=4096, k=1024, n=1024),
        MacOp(name="deep", m=64, k=1024, n=8192),
        MacOp(name="again", m=4096, k=1024, n=1024),
        MacOp(name="once more", m=64, k=1024, n=4096),
    )
    placed = slow.placed(ops)
    waiting = slow.but(memory=slow.memory.but(prefetch=False)).placed(ops)
    assert placed.memory.weights_in == "dram"
    exposed = [
        sum(v for p, v in m.latency(op).items() if p != "compute")
        for m in (placed, waiting)
        for op in ops
    ]
    assert sum(exposed[:4]) < sum(exposed[4:])
    for op in ops:
        assert placed.events(op) == waiting.events(op)
    busy = sum(placed.latency(op)["compute"] for op in ops)
    transfer = sum(placed._seconds(op)[1] for op in ops)
    assert sum(sum(placed.latency(op).values()) for op in ops) >= max(busy, transfer) * (1 - 1e-9)


def test_a_cache_keeps_activations_between_operators_and_no_weights():
    chip = npu.chip("a100")
    op = MacOp(name="fc", m=4, k=64, n=32)
    events = chip.placed((op,)).events(op)
    assert events["dram.read"] == 8 * 64 * 32
    assert events["dram.write"] == 0
    many = op.batched(2**20)  # 256 MB of inputs, whose batch no software cuts
    whole = chip.placed((many,)).events(many)
    inputs = 8 * 2**20 * 4 * 64
    assert inputs < whole["dram.read"] < 1.001 * inputs, "weights come again for each block of sums"
    assert whole["dram.write"] == 8 * 2**20 * 4 * 32


def test_each_operand_that_crosses_is_a_command_and_large_ones_are_several():
    """Weights of 256 MB in a chip of 256 MB come in halves; inputs and results stay on the chip."""
    rngd = npu.chip("rngd")
    away = rngd.but(memory=rngd.memory.but(weights_in="dram"))
    widths = away._widths
    small = MacOp(name="fc", m=1, k=4096, n=4096)
    assert commands(small, away.memory, widths) == 1
    assert commands(small, rngd.memory, widths) == 0
    assert commands(small.but(k=2**14, n=2**14), away.memory, widths) == 3
    apart = away.memory.but(activations_in="dram")
    assert commands(small, apart, widths) == 3
    assert commands(VectorOp(name="a", kind="add", elements=4096), apart, widths) == 2


def test_the_time_of_rngd_is_that_of_its_dma_engines():
    """16 MB of weights, one command: 500 cycles, then the share of 1.5 TB/s that is sustained."""
    rngd = npu.chip("rngd")
    away = rngd.but(memory=rngd.memory.but(weights_in="dram"))
    op = MacOp(name="fc", m=1, k=4096, n=4096)
    lost = rngd.efficiency
    assert sum(away.latency(op).values()) - lost.operator == pytest.approx(
        500e-9 + 2**24 / (1.5e12 * lost.bandwidth)
    )
    bare = away.but(dma=None)
    assert sum(away.latency(op).values()) - sum(bare.latency(op).values()) == pytest.approx(5e-7)
    assert away.events(op) == bare.events(op)
