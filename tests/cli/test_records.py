"""Does `pimlab paper` compute, print the scores, and say what failed?"""

from pathlib import Path

import pytest

from pimlab import cli
from pimlab.studies import papers


@pytest.fixture
def computed(monkeypatch):
    """What `regenerate` was asked for, and what it answers."""
    asked, answer = [], []
    monkeypatch.setattr(papers, "regenerate", lambda *a, **k: asked.append((a, k)) or answer)
    return asked, answer


def test_scores_are_printed_without_computing(capsys, computed):
    assert cli.main(["paper", "--all", "--scores"]) == 0
    out = capsys.readouterr().out
    assert "three-stages" in out
    assert out.rstrip().splitlines()[-1].split()[0] == "context"
    assert computed[0] == []


def test_papers_are_computed_and_failures_are_said(capsys, computed):
    asked, answer = computed
    assert cli.main(["paper", "halo", "--again", "--csv"]) == 0
    assert asked == [((["halo"],), {"workers": None, "again": True})]
    assert capsys.readouterr().out.startswith("paper,quantity,condition,published,ours,miss,")
    answer.append(papers.Made("halo", "failed", 1.0, Path("results/papers/halo.log")))
    assert cli.main(["paper", "halo"]) == 1
    assert "halo failed" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("paper",), ("paper", "halo", "--all")])
def test_names_or_all(capsys, words):
    assert cli.main(list(words)) == 2
    assert "name papers, or write --all" in capsys.readouterr().err


def test_a_folder_that_takes_no_results_is_named_without_a_number(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    words = ["reproduce", "--quick", "--results", str(tmp_path / "file" / "results")]
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"pimlab reproduce: {tmp_path}/file/")
    assert "Errno" not in error
