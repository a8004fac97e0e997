"""pimlab.dram_pim.cxl.block: multiply-accumulates of a block by hand, and how they divide."""

from types import SimpleNamespace

import pimlab as pim
from pimlab.dram_pim.cxl.block import Share, block, ends, products

TARGET = pim.target("gddr6-aim")
SMALL = SimpleNamespace(
    width=1024, layers=2, heads=8, kv_heads=8, head_width=128, hidden=2048, vocabulary=4096
)


def share(blocks=1, devices=1):
    return Share(TARGET.organisation, TARGET.timing, blocks, devices, 32)


def test_the_products_of_a_block():
    # 512 banks: 1,024 outputs are two a bank, each a row of 64 columns; over 32 channels
    square = 2 * 64
    gated = 2 * 4 * 64 + 2 * 2 * 64
    assert products(share(), SMALL).counts["MAC16"] == 32 * (4 * square + gated)


def test_devices_of_a_group_share_the_products():
    one, two = products(share(), SMALL), products(share(devices=2), SMALL)
    assert two.counts["MAC16"] * 2 == one.counts["MAC16"]
    assert two.cycles < one.cycles


def test_blocks_side_by_side_take_longer_and_do_the_same_work():
    one, two = products(share(), SMALL), products(share(blocks=2), SMALL)
    assert two.counts["MAC16"] == 2 * one.counts["MAC16"]
    assert one.cycles < two.cycles < 2 * one.cycles


def test_longer_contexts_cost_what_they_hold():
    short, longer, longest = (block(share(), SMALL, n) for n in (512, 1536, 2560))
    assert short.cycles < longer.cycles < longest.cycles
    # every 512 tokens are one more key a bank: a row of keys, eight heads of eight columns
    keys = (longest.counts["MAC16"] - longer.counts["MAC16"]) // 32
    assert keys == 2 * 8 * 8 + 8 * 64  # and 1,024 tokens more of eight features a bank


def test_grouped_queries_append_less_and_wait_for_each_other():
    grouped = SimpleNamespace(**{**vars(SMALL), "kv_heads": 4, "width": 2048, "heads": 16})
    whole = SimpleNamespace(**{**vars(grouped), "kv_heads": 16})
    one, other = block(share(), grouped, 2048), block(share(), whole, 2048)
    assert 4 * one.counts["WRA16"] == other.counts["WRA16"]
    # four heads of a group use the values of one channel, one after another
    assert one.cycles > other.cycles


def test_the_ends_are_dominated_by_the_vocabulary():
    larger = SimpleNamespace(**{**vars(SMALL), "vocabulary": 4 * 4096})
    assert ends(share(), larger).counts["MAC16"] > 3 * ends(share(), SMALL).counts["MAC16"]
