"""Is any stream of a host's requests served, each once, and are requests that cannot be named?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.dram_pim.traffic import schedule, stream

BANKS = pim.dram_pim.Banks(
    channels=1, ranks=1, banks=16, bank_groups=4, rows=64, columns=32, access_bits=256
)
TABLE = pim.dram_pim.timing("hbm3")
RNG = np.random.default_rng(3)


def test_every_request_is_served_once_and_its_row_was_opened():
    n = 60
    write = RNG.random(n) < 0.3
    bank, row, column = (RNG.integers(0, top, n) for top in (16, 4, 32))
    found = schedule(TABLE, BANKS, write, bank, row, column, refresh=False)
    served = found.where(found.request >= 0, drop=True)
    served = served.sel(index=served.command.isin(["RD", "WR"]))
    assert sorted(served.request.values.astype(int)) == list(range(n))
    open_rows = {}
    for command, b, r in zip(
        found.command.values, found.bank.values, found.row.values, strict=True
    ):
        if command == "ACT":
            open_rows[b] = r
        elif command == "PRE":
            open_rows.pop(b, None)
        elif command in ("RD", "WR"):
            assert open_rows[b] == r
    assert int(found.attrs["cycles"]) > int(found.cycle.max())


def test_rows_that_stay_open_are_faster():
    zeros = np.zeros(40, int)
    same = schedule(TABLE, BANKS, zeros > 0, zeros, zeros, np.arange(40) % 32, refresh=False)
    other = schedule(TABLE, BANKS, zeros > 0, zeros, np.arange(40) % 2, zeros, refresh=False)
    assert same.attrs["cycles"] < other.attrs["cycles"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"bank": np.array([16])}, r"bank=16 is outside 0\.\.15"),
        ({"row": np.array([-1])}, "row=-1"),
        ({"column": np.array([0.5])}, "dtype float64"),
        ({"write": np.array(["w"])}, "True and False"),
        ({"row": np.array([0, 1])}, "one shape"),
    ],
)
def test_requests_that_cannot_be_are_named(change, match):
    one = np.zeros(1, int)
    given = {"write": one > 0, "bank": one, "row": one, "column": one} | change
    with pytest.raises((ValueError, TypeError), match=match):
        stream(BANKS, **given)
