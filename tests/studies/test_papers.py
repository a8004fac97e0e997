"""Does one table hold all published numbers, and are papers computed again only where needed?"""

import shutil
import textwrap

import pytest

import pimlab as pim
from pimlab.studies import papers, published

MAKE = """
    import sys
    from pathlib import Path
    here = Path(__file__).parent
    if (here / "broken").exists():
        sys.exit("no data")
    (here / "figure.svg").write_text("<svg/>")
    readme = here / "README.md"
    readme.write_text(readme.read_text().replace("none", TABLE))
    print("made")
"""
TABLE = "".join(
    f"| {line} |\n"
    for line in (
        "quantity | condition | published | ours | miss | allowed | role",
        "--- | --- | --- | --- | --- | --- | ---",
        "rate | here | 2 op/s | 2.1 | +5 % | 10 % | held-out",
    )
).rstrip()  # as `published.fill` writes it; these scripts import nothing, which takes seconds
ROW = "rate,here,2,op/s,table 1,read in a test,held-out,0.1,relative"


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """Two papers of a repository of their own."""
    for name in ("one", "two"):
        folder = tmp_path / "papers" / name
        folder.mkdir(parents=True)
        (folder / "make.py").write_text(textwrap.dedent(MAKE).replace("TABLE", repr(TABLE)))
        (folder / "targets.csv").write_text(f"{','.join(published.COLUMNS)}\n{ROW}\n")
        (folder / "README.md").write_text("# A\n\n<!-- targets -->\nnone\n<!-- /targets -->\n")
    monkeypatch.setattr(papers, "PAPERS", tmp_path / "papers")
    return tmp_path / "papers"


def test_every_published_number_is_in_the_table():
    table = pim.scores()
    rows = {name: len(published.targets(f / "targets.csv")) for name, f in papers.folders().items()}
    assert table.groupby("paper").rows.sum().to_dict() == rows
    assert set(table.role) <= set(published.ROLES)


def test_what_a_role_says_of_a_row_is_what_the_table_says():
    table = pim.scores()
    compared = table[table.role.isin(papers.COMPARED)]
    assert compared.within.eq(compared.role.ne("missed")).all()
    assert table[table.role == "context"].within.isna().all()
    counted = papers.tally(table)
    assert counted.loc["held-out", "rows"] == counted.loc["held-out", "within"] > 500
    assert counted.loc["missed", "within"] == 0


def test_a_long_table_is_judged_by_its_largest_miss():
    said = {"quantity": "q", "role": "held-out", "rows": "40", "largest miss": "21 %", "mean miss": "3 %", "allowed": "20 %"}  # fmt: skip
    assert papers._many("p", said)[-1] is False
    assert papers._many("p", {**said, "largest miss": "19 %"})[-1] is True
    assert papers._many("p", {**said, "allowed": "not compared"})[-1] is None


def test_a_row_that_targets_lack_names_the_command(folders):
    papers.regenerate(["one"], results=folders.parent, progress=False)
    (folders / "one" / "targets.csv").write_text(
        f"{','.join(published.COLUMNS)}\n{ROW.replace('here', 'there')}\n"
    )
    with pytest.raises(ValueError, match=r"python papers/one/make\.py"):
        papers.scores()


def test_only_what_changed_is_computed_again(folders):
    def states(**how):
        made = papers.regenerate(results=folders.parent / "out", progress=False, **how)
        return [one.state for one in made]

    assert states() == ["computed", "computed"]
    assert papers.scores().ours.tolist() == ["2.1", "2.1"]
    assert "made" in (folders.parent / "out" / "one.log").read_text()
    assert states() == ["kept", "kept"]
    (folders / "two" / "figure.svg").unlink()
    assert states() == ["kept", "computed"]
    with (folders / "one" / "make.py").open("a") as file:
        file.write("\nx = 1\n")
    assert states() == ["computed", "kept"]
    assert states(names=["two"], again=True) == ["computed"]


def test_a_paper_that_fails_is_said_and_stops_no_other(folders):
    (folders / "one" / "broken").touch()
    made = papers.regenerate(results=folders.parent / "out", progress=False)
    assert [one.state for one in made] == ["failed", "computed"]
    assert "no data" in made[0].log.read_text()


@pytest.mark.full
def test_workers_compute_the_same(folders):
    made = papers.regenerate(results=folders.parent / "out", progress=False, workers=1)
    assert [one.state for one in made] == ["computed", "computed"]


def test_unknown_papers_are_named(folders):
    with pytest.raises(ValueError, match="paper 'on' is not known; did you mean 'one'"):
        papers.regenerate(["on"], results=folders.parent, progress=False)
    shutil.rmtree(folders)
    with pytest.raises(FileNotFoundError, match="repository's folder papers/"):
        papers.scores()
