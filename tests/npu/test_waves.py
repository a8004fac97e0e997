"""Blocks and rows dealt to arrays: cases by hand, and a plain search over the same blocks."""

from __future__ import annotations

import math

import pytest

from pimlab import npu
from pimlab.machine.protocol import MacOp
from pimlab.npu.arrays import Product
from pimlab.npu.waves import Dealt, Pace, dealt, turns

PACE = Pace(arrays=100, macs=1e12, feed=50e9)


def searched(product, pace, transfer, exposed):
    """The same choice, block by block."""
    found = []
    sides = (16, 32, 64, 128, 256)
    for rows, cols in ((r, c) for r in sides for c in sides if 1024 <= r * c <= 32768):
        for parts in (1, 2, 4):
            down, across = math.ceil(product.m / rows), math.ceil(product.n / cols)
            waves = math.ceil(product.groups * down * across * parts / pace.arrays)
            operands = (rows * product.x_bits + cols * product.w_bits) / 8
            step = max(rows * cols / pace.macs, operands / pace.feed)
            busy = waves * math.ceil(product.k / parts) * step
            if parts > 1:
                sums = 4 * product.groups * product.m * product.n
                busy += 2 * parts * sums / (pace.feed * pace.arrays)
            longer, shorter = max(busy, transfer), min(busy, transfer)
            found.append((longer + exposed * shorter / waves, Dealt(busy, waves)))
    return min(found, key=lambda one: one[0])[1]


@pytest.mark.parametrize("m", [1, 64, 65, 500, 4096])
@pytest.mark.parametrize(("n", "k", "groups"), [(4096, 4096, 1), (100, 77, 1), (128, 128, 64)])
@pytest.mark.parametrize("transfer", [0.0, 1e-4])
def test_it_is_the_best_of_all_blocks(m, n, k, groups, transfer):
    product = Product(m=m, n=n, k=k, groups=groups, x_bits=16, w_bits=8)
    ours, plain = dealt(product, PACE, transfer, 0.3), searched(product, PACE, transfer, 0.3)
    assert ours.seconds == pytest.approx(plain.seconds, rel=1e-12)
    assert ours.waves == plain.waves


def test_full_blocks_reach_what_arrays_sustain():
    """12,800 x 512 results are 200 blocks of 256 x 128: two waves of 100 arrays."""
    product = Product(m=12800, n=512, k=1000, x_bits=8, w_bits=8)
    full = dealt(product, PACE._replace(feed=1e15), 0.0, 0.0)
    assert full.seconds == pytest.approx(12800 * 512 * 1000 / (100 * PACE.macs))


def test_wider_arrays_hold_larger_blocks():
    """Arrays of 4,096 FP16 multipliers hold blocks of 256 x 256, which wait less for the cache."""
    product = Product(m=12800, n=5120, k=1000, x_bits=16, w_bits=16)
    fast = PACE._replace(macs=4e12)
    narrow = dealt(product, fast, 0.0, 0.0)
    wide = dealt(product, fast._replace(multipliers=4096), 0.0, 0.0)
    assert narrow.seconds == pytest.approx(20 * 1000 * 2 * (256 + 128) / PACE.feed)
    assert wide.seconds == pytest.approx(10 * 1000 * 2 * (256 + 256) / PACE.feed)


def test_one_row_more_than_a_wave_costs_another():
    wide = {"n": 12800, "k": 4096, "x_bits": 16, "w_bits": 16}
    exact = dealt(Product(m=256, **wide), PACE, 0.0, 0.0)
    more = dealt(Product(m=257, **wide), PACE, 0.0, 0.0)
    assert more.seconds > 1.15 * exact.seconds


def test_narrow_operands_feed_blocks_faster():
    slow = PACE._replace(feed=1e9)
    times = [
        dealt(Product(m=512, n=512, k=512, x_bits=b, w_bits=b), slow, 0.0, 0.0).seconds
        for b in (8, 16)
    ]
    assert times[0] < times[1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [(1, 0.6), (10, 0.6), (15, 0.8), (20, 1.0), (21, 1.6), (40, 2.0), (55, 2.8)],
)
def test_turns_of_two_rows_on_ten_arrays(rows, expected):
    assert turns(rows, 10, 0.6) == pytest.approx(expected)


def test_a_machine_without_feed_counts_cycles_of_its_arrays():
    """And work of its arrays is never longer without the cache in between."""
    chip = npu.chip("a100", "fp16")
    op = MacOp(name="fc", m=130, k=4096, n=4096)
    apart = chip.but(efficiency=chip.efficiency.but(feed=None))
    cycles = apart.cycles(op).total_cycles / (apart.array.clock * apart.array.rate)
    assert apart.latency(op)["compute"] == pytest.approx(cycles / chip.efficiency.arrays)
    assert chip.latency(op)["compute"] > 130 * 4096 * 4096 / (
        chip.peak() / 2 * chip.efficiency.arrays
    )
