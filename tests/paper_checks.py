"""What every paper's tests check: its rows, that NaN meets none of them, and the tables of its README.

`tests/papers/test_<slug>.py` imports them all; `tests/papers/test_every_paper.py` sees that it does.
"""

import dis
import re

import numpy as np
import pytest

from pimlab.studies import published

__all__ = [  # noqa: RUF022  # rows first, then READMEs
    "test_targets",
    "test_nan_meets_no_row",
    "test_readme_says_what_is_computed",
    "test_readme_says_what_is_computed_at_full_size",
]


def found_by(make, ds):
    """Row -> ours, or None where the quick size does not answer it."""
    return lambda row: make.found(ds, row)


def nothing(ds):
    """The same Dataset with every number NaN; texts, truth values and the places on an axis stay."""

    def empty(one):
        return one * np.nan if one.dtype.kind in "fiu" else one

    axes = {name: empty(one) for name, one in ds.coords.items() if name not in ds.dims}
    return ds.map(empty, keep_attrs=True).assign_coords(axes)


def missed(pairs):
    """A line for each row that is not what its role says."""
    return [
        f"{row.quantity} {row.condition}: published {row.published} {row.unit}, ours {ours:.6g}, "
        f"allowed {row.allowed()} ({row.role})"
        for row, ours in pairs
        if not row.passes(ours)
    ]


def copied(row, ours):
    """Whether a row that was read in print agrees to more digits than were printed: our own catalogue
    holds it.
    """
    digits = len(re.sub(r"e.*|[-.]", "", row.published.lower()).strip("0"))
    whole = row.value == round(row.value)
    read = row.provenance.startswith("read") and row.role == "held-out"
    return read and not whole and digits < 9 and abs(ours - row.value) <= 1e-9 * abs(row.value)


def test_targets(make, ds, targets):
    pairs = published.judged(targets, found_by(make, ds))
    assert pairs
    assert not missed(pairs), "\n".join(missed(pairs))
    assert not [row for row, ours in pairs if copied(row, ours)], "the role of these is input"


def test_nan_meets_no_row(make, ds, targets):
    empty = nothing(ds)
    for row in targets:
        ours = make.found(empty, row)
        assert ours is None or not row.passes(float(ours)), row


def looks_at_size(make):
    """Whether `compute` reads its argument `quick`."""
    return any(step.argval == "quick" for step in dis.get_instructions(make.compute))


def _differences(printed, expected, row_of):
    """Lines that differ in more than digits of ours that the row still allows."""
    old, new = printed.splitlines(), expected.splitlines()
    if len(old) != len(new):
        return [f"{len(old)} lines, computed {len(new)}"]
    pairs = zip(old, new, strict=True)
    return [f"{a}\n{b}" for a, b in pairs if not (same_digits(a, b) or row_of(a, b))]


def _stale(printed, computed):
    """Names of tables whose numbers differ in more than their last digit."""
    assert set(printed) == set(computed)
    return {name for name, text in computed.items() if not same_digits(printed[name], text)}


NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
SHARE = 0.01
"""A last digit counts at most this share of a number, so short numbers must be equal: a result that
differs by 1e-5 elsewhere turns the last of four digits in one case of ten, of two in one of a
thousand."""


def same_digits(printed, computed):
    """Whether two texts differ in the last printed digit of some numbers at most, and by one there."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", computed):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(computed), strict=True)
    return all(_near(a.replace(",", ""), b.replace(",", "")) for a, b in pairs)


def _near(a, b):
    if a == b:
        return True
    step = min(_last_digit(a), _last_digit(b))
    a, b = float(a), float(b)
    return abs(a - b) <= 1.001 * step and step <= SHARE * max(abs(a), abs(b))


def _last_digit(number):
    """What one more in the last printed digit of a number adds to it."""
    mantissa, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))


def _same_row(targets):
    """Whether two lines of a table are the same row, and the printed number passes."""
    rows = {(row.quantity, row.condition, row.allowed(), row.role): row for row in targets}

    def same(a, b):
        cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in (a, b)]
        keys = [(one[0], one[1], one[-2], one[-1]) for one in cells if len(one) == 7]
        if len(keys) < 2 or keys[0] != keys[1] or keys[0] not in rows:
            return False
        return rows[keys[0]].passes(float(re.sub(r"[^\d.e+-]", "", cells[0][3])))

    return same


def test_readme_says_what_is_computed(make, ds, targets, readme):
    """At the quick size: the table of targets, whose numbers may differ where the row allows it; and
    every table where the size makes no difference.
    """
    tables = published.marked(readme)
    pairs = published.judged(targets, found_by(make, ds))
    if len(pairs) == len(targets):
        expected = published.table(pairs)
        assert not _differences(tables["targets"], expected, _same_row(targets))
    if not looks_at_size(make):
        own = make.tables(ds) if hasattr(make, "tables") else {}
        assert not _stale(tables, {**own, "targets": tables["targets"]})


@pytest.mark.full
def test_readme_says_what_is_computed_at_full_size(make, targets, readme):
    ds = make.compute()
    own = make.tables(ds) if hasattr(make, "tables") else {}
    pairs = published.judged(targets, found_by(make, ds))
    assert len(pairs) == len(targets)
    assert not missed(pairs)
    tables = published.marked(readme)
    expected = published.table(pairs)
    assert not _differences(tables["targets"], expected, _same_row(targets))
    assert not _stale(tables, {**own, "targets": tables["targets"]})
