"""Is every paper's folder whole: rows that can be judged, a figure, tables between markers, and the tests of every paper?"""

import csv
import importlib.util
import re
from pathlib import Path

import paper_checks
import pytest

from pimlab.studies import published

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "papers").glob("*/make.py"))
LARGEST = 300_000


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_can_be_judged_and_have_sources(folder):
    rows = published.targets(folder / "targets.csv")
    assert rows
    assert all(row.provenance and row.unit for row in rows)
    assert not [row for row in rows if "memory" in row.provenance]


def test_no_row_is_so_wide_that_anything_meets_it(folder):
    for row in published.targets(folder / "targets.csv"):
        if row.tolerance_kind in ("relative", "absolute"):
            assert not row.met(float("nan"))
            assert not row.met(float("inf"))
            assert row.tolerance < (
                1 if row.tolerance_kind == "relative" else abs(row.value) or 1
            ), row


def test_a_copy_of_the_catalogue_is_seen():
    row = published.Row("q", "c", "0.9", "pJ", "w", "read in x", "held-out", 1e-9, "absolute")
    assert paper_checks.copied(row, 0.9)
    assert not paper_checks.copied(row, 0.9004)


@pytest.mark.parametrize(
    ("printed", "computed", "same"),
    [
        ("| a 3.142 | 1,024 |", "| a 3.141 | 1,024 |", True),  # the last digit
        ("| a 0.1 |", "| a 0.0999 |", True),  # %g drops zeros
        ("1.235e-05 J", "1.236e-05 J", True),
        ("| a 3.142 |", "| a 3.139 |", False),  # three of the last digit
        ("1.235e-05 J", "1.235e-06 J", False),
        ("| 4 of 10 |", "| 5 of 10 |", False),  # a count
        ("0.29", "0.30", False),  # two digits: a real change
        ("| -1.00 |", "| 1.00 |", False),
        ("| a 3.142 |", "| b 3.142 |", False),
        ("| 1 | 2 |", "| 12 |", False),
    ],
)
def test_readmes_may_differ_in_a_last_digit(printed, computed, same):
    assert paper_checks.same_digits(printed, computed) is same
    assert paper_checks.same_digits(computed, printed) is same


def test_the_tests_of_every_paper_are_there(folder):
    path = ROOT / "tests" / "papers" / f"test_{folder.name.replace('-', '_')}.py"
    module = _module(path)
    assert all(
        getattr(module, name) is getattr(paper_checks, name) for name in paper_checks.__all__
    )


def test_a_figure_is_committed_and_shown(folder):
    readme = (folder / "README.md").read_text()
    shown = re.findall(r"!\[[^\]]+\]\(([\w-]+\.(?:svg|png))\)", readme)
    assert shown
    for name in shown:
        assert 1000 < (folder / name).stat().st_size < LARGEST, name


def test_every_table_is_written_by_make(folder):
    readme = (folder / "README.md").read_text()
    for inside in published.marked(readme).values():
        assert inside, "run make.py"
        readme = readme.replace(inside, "")
    assert not re.findall(r"^\|.*\d.*\|$", readme, re.MULTILINE)


def test_a_folder_has_no_column_of_its_own(folder):
    with (folder / "targets.csv").open() as file:
        assert tuple(next(csv.reader(file))) == published.COLUMNS
