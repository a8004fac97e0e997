"""Is a published number met only where ours is near enough, and is a README's table what was computed?"""

import math

import pytest

from pimlab.studies import published
from pimlab.studies.published import Row

HEAD = ",".join(published.COLUMNS)


def row(text="10", tolerance=0.5, kind="absolute", role="held-out", unit="pJ", condition="c"):
    return Row("q", condition, text, unit, "Table 1", "read in x", role, tolerance, kind)


@pytest.mark.parametrize(
    ("one", "met", "missed"),
    [
        (row(), [9.5, 10, 10.5], [9.49, 10.51]),
        (row("-10", 0.1, "relative"), [-11, -9], [-11.1, -8.9, 10]),
        (row("10 to 99", 0.0, "inside"), [10, 99], [9.9, 99.1]),
        (row("0", 0.2, "above"), [0.2, 5], [0.1, -1]),
        (row("8", 0.0, "below"), [8, -3, 8 * (1 + 1e-15)], [8.1, 8 * (1 + 1e-9)]),
        (row("8", 0.0, "none", "context"), [0, 1e9], []),
    ],
)
def test_near_enough_is_what_the_kind_says(one, met, missed):
    assert all(one.met(ours) for ours in met)
    assert not any(one.met(ours) for ours in (*missed, math.nan, math.inf, -math.inf))


def test_a_missed_row_passes_while_it_is_missed():
    one = row("1000 to 9999", 0.0, "inside", "missed")
    assert one.passes(20)
    assert not any(one.passes(ours) for ours in (2000, math.nan, math.inf))
    assert one.miss(20) == "not met"


@pytest.mark.parametrize(
    ("one", "ours", "said"),
    [
        (row(), 10.25, ("+0.25", "0.5")),
        (row("4", 0.1, "relative"), 3.9, ("-2.5 %", "10 %")),
        (row("4", 0.1, "relative"), 4.0000000001, ("0", "10 %")),
        (row("0", 1e-9), 1e-13, ("0", "1e-09")),
        (row("8", 0.0, "below"), 6, ("", "below")),
        (row("0", 0.2, "above"), 0.1, ("not met", "above by 0.2")),
        (row("10 to 99", 0.0, "inside"), 20, ("", "inside")),
        (row("8", 0.0, "none", "context"), 6, ("", "not compared")),
    ],
)
def test_a_miss_is_said_in_the_kind_of_its_tolerance(one, ours, said):
    assert (one.miss(ours), one.allowed()) == said


def write(tmp_path, *lines, head=HEAD):
    path = tmp_path / "targets.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_rows_are_read_with_their_numbers(tmp_path):
    path = write(
        tmp_path, "q,c,1.5e3,pJ,T,read,fitted,0.1,relative", "q,d,1 to 2,1,T,read,held-out,,inside"
    )
    first, second = published.targets(path)
    assert (first.value, first.ends) == (1500.0, (1350.0, 1650.0))
    assert (second.tolerance, second.ends, math.isnan(second.value)) == (0.0, (1.0, 2.0), True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("q,c,1,pJ,T,read,fited,0.1,relative", "role='fited' is not one of fitted, held-out"),
        ("q,c,1,pJ,T,read,fitted,0.1,rel", "tolerance_kind='rel' is not one of absolute, relative"),
        ("q,c,1,pJ,T,read,fitted,inf,relative", "tolerance=inf is outside 0.."),
        ("q,c,1,pJ,T,read,fitted,nan,relative", "tolerance=nan is outside 0.."),
        ("q,c,1,pJ,T,read,fitted,-1,absolute", "tolerance=-1 is outside 0.."),
        ("q,c,nan,pJ,T,read,fitted,1,absolute", "published='nan' is not a number"),
        ("q,c,10,pJ,T,read,fitted,1,inside", "is no range; write for example '10 to 99'"),
        ("q,c,1,pJ,T,read,held-out,,none", "tolerance_kind is 'none' for role 'context'"),
        ("q,c,1,pJ,T,read,context,1,absolute", "tolerance_kind is 'none' for role 'context'"),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused_with_its_line(tmp_path, line, why):
    path = write(tmp_path, "q,c,1,pJ,T,read,fitted,0.1,relative", line)
    with pytest.raises(ValueError, match="line 3: .*") as error:
        published.targets(path)
    assert why in str(error.value)


def test_other_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"the columns are not quantity, condition"):
        published.targets(write(tmp_path, head="quantity,published"))


def test_few_rows_are_listed_and_many_summed():
    pairs = [
        (row(condition=str(i), tolerance=0.1, kind="relative"), 10 + i / 40) for i in range(32)
    ]
    listed = published.table(pairs).splitlines()
    assert len(listed) == 34
    assert listed[3] == "| q | 1 | 10 pJ | 10 | +0.25 % | 10 % | held-out |"
    (line,) = published.table([*pairs, (row(tolerance=0.1, kind="relative"), 10.0)]).splitlines()[
        2:
    ]
    assert line == "| q | held-out | 33 | 7.8 % | 3.8 % | 10 % |"


def test_rows_without_an_answer_are_left_out():
    one, other = row(condition="a"), row(condition="b")
    assert published.judged([one, other], lambda r: 1 if r is one else None) == [(one, 1.0)]


TEXT = "# A\n\n<!-- targets -->\nold\n<!-- /targets -->\n\nwords\n\n<!-- two words -->\n<!-- /two words -->\n"


def test_tables_go_between_their_markers():
    new = published.filled(TEXT, {"targets": "| a |", "two words": "| b |"})
    assert published.marked(new) == {"targets": "| a |", "two words": "| b |"}
    assert new.startswith("# A\n\n<!-- targets -->\n| a |\n<!-- /targets -->\n\nwords\n")
    assert published.filled(new, published.marked(new)) == new


@pytest.mark.parametrize(
    "tables", [{"targets": "x"}, {"targets": "x", "two words": "y", "more": "z"}]
)
def test_a_table_without_a_place_and_a_place_without_a_table_are_refused(tables):
    with pytest.raises(ValueError, match=r"places targets, two words; tables"):
        published.filled(TEXT, tables)


def test_fill_writes_the_readme_beside_make(tmp_path, capsys):
    write(tmp_path, "q,c,10,pJ,T,read,held-out,0.5,absolute")
    (tmp_path / "README.md").write_text("# A\n\n<!-- targets -->\n<!-- /targets -->\n")
    published.fill(tmp_path / "make.py", lambda row: 10.25)
    line = "| q | c | 10 pJ | 10.2 | +0.25 | 0.5 | held-out |"
    assert line in (tmp_path / "README.md").read_text()
    assert line in capsys.readouterr().out
