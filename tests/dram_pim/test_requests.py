"""Does attention in channels of requests take its rows and products by hand?"""

import pytest

import pimlab.dram_pim as pim

UNITS = pim.head_units("neupims")
# 3 more bank groups tFAW 30 apart, tRCD 14, close: tRTP and tRP
T = UNITS.timing
OPEN = 3 * 30 + 14 + T.read_to_precharge + T.tRP


def test_rows_of_keys_by_hand():
    # 10 heads of 128: four side by side in a row of 512 values, so 4 + 4 + 2; 300 tokens over 16
    # banks are 19 rows; 8 products of 16 lanes a head in 2 cycles each, a result a head
    four, two = (OPEN + n * 8 * 2 + n * 2 for n in (4, 2))
    assert UNITS.scores(300, 10, 128) == 3 * 96 + 19 * (2 * four + two)


def test_rows_of_values_by_hand():
    # 128 features over 16 banks are 8 rows; 300 tokens are 19 products, which come as 32
    assert UNITS.values(300, 1, 128) == 96 + 8 * (OPEN + 32 * 2 + 2)
    # 513 tokens are a whole row of 32 products and one more
    assert UNITS.values(513, 1, 128) == 2 * 96 + 8 * (2 * OPEN + 32 * 2 + 1 * 2 + 4)


def test_requests_are_dealt_out_over_the_channels():
    one = UNITS.cycles(300, 10, 128)
    assert UNITS.cycles(300, 10 * 32, 128) == one
    assert UNITS.cycles(300, 10 * 33, 128) == pytest.approx(2 * one)
    assert one < UNITS.cycles(300, 10 * 32 + 1, 128) < 2 * one
    lost = (T.tRFC + T.tRP + T.tRCDRD) / T.tREFI
    busy = UNITS.scores(300, 10, 128) + UNITS.values(300, 10, 128)
    assert one == pytest.approx(busy / (1 - lost))


def test_a_head_alone_opens_as_many_rows():
    assert UNITS.scores(300, 1, 128) > UNITS.scores(300, 4, 128) / 4
    with pytest.raises(ValueError, match="context=0"):
        UNITS.cycles(0, 1, 128)
