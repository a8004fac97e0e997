"""Does the price of a refresh follow from the rows it restores?"""

import pytest

from pimlab.catalogue import entry, names
from pimlab.dram_pim.prices import refresh_energy


def _table():
    for name in names("pim"):
        table = entry("pim", name)
        if "energy.activate" in table and "refresh_commands" in table:
            return table
    raise AssertionError("no table prices a refresh")


def test_a_refresh_restores_its_share_of_the_rows_in_every_bank():
    table = _table()
    commands, activate = table["refresh_commands"].value, table["energy.activate"].value

    def of(rows, banks):
        return refresh_energy(table, rows, banks).value

    assert of(int(4 * commands), 16) == pytest.approx(4 * 16 * activate)
    assert of(int(4 * commands), 32) == pytest.approx(2 * of(int(4 * commands), 16))
    assert of(1, 16) == pytest.approx(16 * activate), "at least one row a bank"
