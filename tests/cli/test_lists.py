"""Does every list show what Python lists, for a reader and for a program?"""

import csv
import io
import json

import pytest

import pimlab as pim
from pimlab import cli
from pimlab.cli import lists


@pytest.mark.parametrize("name", lists.LISTS)
def test_a_list_has_every_name(capsys, name):
    assert cli.main([name, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    table = pim.machines() if name == "targets" else getattr(pim, name)()
    assert {row[table.index.name] for row in rows} == set(table.index)


def test_targets_show_vendor_format_peak_and_power(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")
    assert cli.main(["targets"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "│ warboy  " in line)
    cells = [cell.strip() for cell in line.split("│")]
    assert cells[1:6] == ["warboy", "1", "FuriosaAI", "int8", "64 TOPS"]
    assert "50 W" in cells


def test_json_is_a_list_of_rows(capsys):
    assert cli.main(["devices", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"device", "kind", "sources"} <= set(rows[0])
