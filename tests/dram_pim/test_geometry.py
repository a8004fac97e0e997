"""Do tiles cover a matrix, and rows hold what they have room for and no more?"""

import pytest

from pimlab.dram_pim.geometry import BankPairs, Banks

ORG = BankPairs(
    channels=2, ranks=1, banks=8, bank_groups=4, rows=64, columns=32, access_bits=256,
    units=4, lanes=16, registers=8,
)  # fmt: skip


def test_sizes_by_hand():
    assert ORG.capacity == 2 * 8 * 64 * 32 * 32
    assert (ORG.outputs_per_tile, ORG.inputs_per_tile) == (2 * 4 * 8, 16 * 8)
    assert (ORG.reads_per_tile, ORG.weight_bits) == (64, 16)
    assert ORG.elements_per_step == 2 * 2 * 4 * 16 * 8


@pytest.mark.parametrize(
    ("outputs", "inputs", "tiles"),
    [(1, 1, (1, 1, 0)), (64, 128, (1, 1, 0)), (65, 129, (2, 1, 1)), (128, 640, (2, 3, 2))],
)
def test_tiles_alternate_between_even_and_odd_banks(outputs, inputs, tiles):
    assert ORG.tiles(outputs, inputs) == tiles
    padded = tiles[0] * 64 * (tiles[1] + tiles[2]) * 128
    assert ORG.macs_done(outputs, inputs, 3) == 3 * padded >= 3 * outputs * inputs


def test_half_of_the_rows_hold_weights():
    """A tile of one parity takes 64 reads: two rows of 32 columns; 32 rows hold 16 such tiles."""
    assert ORG.occupancy(64 * 16, 128) == 1
    ORG.tiles(64 * 16, 256)
    with pytest.raises(ValueError, match="needs 34 rows a bank; 32 of 64"):
        ORG.tiles(64 * 17, 128)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"units": 3}, "one unit for each pair"),
        ({"lanes": 17}, "lanes that divide"),
        ({"bank_groups": 3}, "multiple"),
    ],
)
def test_organisations_that_cannot_be_are_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        ORG.but(**wrong)


def test_plain_banks_have_no_units():
    with pytest.raises(ValueError, match="columns"):
        Banks(channels=1, ranks=1, banks=4, bank_groups=1, rows=4, columns=0, access_bits=64)
