"""pimlab.dram_pim.heads: cycles of attention by hand, and what the stacks do not hold."""

import pytest

import pimlab as pim

UNITS = {level: pim.dram_pim.head_units(level=level) for level in ("bank", "bank group", "buffer")}


def test_steps_by_hand():
    # 2,048 tokens over 16 bank groups; 128 features over four banks of 16 lanes
    assert UNITS["bank"].steps(2048, 128) == 128 * 2
    assert UNITS["bank group"].steps(2048, 128) == 128 * 8
    assert UNITS["buffer"].steps(2048, 128) == 1024 * 8


def test_two_turns_of_heads_by_hand():
    units = UNITS["bank"]
    t = units.timing
    head = 512 * 6 + 16 * (t.tRTPL + t.tRP + t.tRCDRD - 6)
    refreshed = 1 - (t.tRFC + t.tRP + t.tRCDRD) / t.tREFI
    assert units.cycles(2048, 160, 128) == pytest.approx(2 * head / refreshed)
    moves = (8 + 8 * 8) * t.tCCDL + 8 * 16
    assert units.cycles(2048, 80, 128) == pytest.approx((head + moves) / refreshed)


def test_a_power_limit_slows_products_down():
    free = pim.dram_pim.head_units(level="bank", limited=False)
    ratio = UNITS["bank"].seconds(2048, 160, 128) / free.seconds(2048, 160, 128)
    assert 1.2 < ratio < 1.5
    # the energy is of what is done, not of how fast
    assert free.energy(2048, 160, 128) == UNITS["bank"].energy(2048, 160, 128)


def test_reading_costs_less_near_the_cells():
    joules = [UNITS[level].energy(2048, 8, 128)["DRAM columns"] for level in UNITS]
    assert joules == sorted(joules)
    assert joules[0] == pytest.approx(2 * 2048 * 128 * 8 * 16 * 0.55e-12)


def test_what_the_stacks_do_not_hold():
    assert UNITS["bank"].capacity == 5 * 16 * 2**30
    with pytest.raises(ValueError, match=r"needs 192.0 GiB, 5 stacks hold 80.0 GiB; 112.0 GiB are"):
        UNITS["bank"].cycles(131072, 3072, 128)
    with pytest.raises(ValueError, match="heads=0; allowed: 1 or more"):
        UNITS["bank"].seconds(64, 0, 128)


def test_unknown_levels_and_systems():
    with pytest.raises(ValueError, match="did you mean 'bank'"):
        pim.dram_pim.head_units(level="banks")
    with pytest.raises(ValueError, match="attacc"):
        pim.dram_pim.head_units("atacc")


def test_tokens_of_few_heads_spread_over_the_channels():
    units = UNITS["bank"]
    alone = units.seconds(131072, 8, 128)
    spread = units.mapped(131072, 8, 128)
    assert spread.spread == 20  # four heads at a time: the second four hide what the first move
    assert 8 < alone / spread.seconds(131072, 8, 128) < 12
    # many heads fill the channels by themselves
    assert units.mapped(2048, 800, 128).spread == 1
    # and parts that nobody has tokens for only cost what is gathered
    assert units.mapped(16, 1, 128).spread < 80


def test_what_is_gathered_by_hand():
    units = UNITS["bank"].but(spread=2)
    t = units.timing
    refreshed = 1 - (t.tRFC + t.tRP + t.tRCDRD) / t.tREFI
    halves = UNITS["bank"].cycles(1024, 160, 128)  # two turns, as 80 heads on 40 pairs have
    extra = 2 * (8 + 1) * t.tCCDS / refreshed
    assert units.cycles(2048, 80, 128) == pytest.approx(halves + extra)


def test_a_head_has_at_most_all_channels():
    with pytest.raises(ValueError, match="spread=81 is more than the 80 channels of 5 stacks"):
        UNITS["bank"].but(spread=81)
