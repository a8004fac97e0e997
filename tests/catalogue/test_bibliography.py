"""May a file bring its own sources, and can what rests on them be cited?"""

import pytest

import pimlab as pim
from pimlab import catalogue
from pimlab.catalogue import CatalogueError

CELL = """
model = "generic"
source = "mine2026"
{sources}
[g_min]
value = "0 S"
where = "Fig. 2"
status = "published"
[g_max]
value = "20 uS"
where = "our wafer 3, January 2026"
status = "measured"
"""
TABLE = """
[sources.mine2026]
type = "article"
title = "A cell of our own"
author = "One, A. and Two, B."
year = 2026
"""
BIBTEX = "@article{mine2026,\n  title = {A cell of our own},\n  year = {2026},\n}\n"


def cell(folder, sources=""):
    file = folder / "mine.toml"
    head, tail = CELL.split("{sources}")
    file.write_text(head + tail + sources)
    return file


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setenv(catalogue.VARIABLE, "")
    monkeypatch.setattr(catalogue.bibliography, "_read", {})


def test_a_table_of_sources_is_enough(tmp_path):
    device = pim.device(cell(tmp_path, TABLE))
    assert device.sources == ("mine2026",)
    machine = pim.Crossbar(rows=64, cols=64, cell=device)
    cited = pim.cite(pim.run(pim.load_model("digits-mlp"), machine))
    assert "@article{mine2026,\n  title = {A cell of our own}" in cited


def test_bibtex_beside_a_file_is_enough(tmp_path):
    file = cell(tmp_path)
    with pytest.raises(
        CatalogueError, match="source 'mine2026' is not known.*a file may bring its own"
    ):
        pim.device(file)
    (tmp_path / "mine.bib").write_text(BIBTEX)
    assert pim.device(file).sources == ("mine2026",)
    assert catalogue.sources()["mine2026"]["title"] == "A cell of our own"


def test_bibtex_of_a_folder_is_known(tmp_path):
    (tmp_path / "devices").mkdir()
    cell(tmp_path / "devices")
    (tmp_path / "papers.bib").write_text(BIBTEX)
    assert pim.add_catalogue(tmp_path) == ("devices/mine",)
    assert pim.device("mine").sources == ("mine2026",)


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        ("[sources.mine2026]\nyear = 2026", r"\[sources.mine2026\] has no title"),
        ("[sources.mine2026]\ntitle = true", r"\[sources.mine2026\] title=True is no text"),
        ("[sources.mine2026]\ntitle = \"x\"\nauthor = [1]", r"\[sources.mine2026\] author=\[1\] is no text"),
        ("[sources]\nmine2026 = 3", r"\[sources.mine2026\] has no title"),
        (TABLE.replace("mine2026", "legallo2023"), "the source 'legallo2023' is another publication"),
    ],
)  # fmt: skip
def test_a_source_that_is_none_is_refused(tmp_path, sources, says):
    with pytest.raises(CatalogueError, match=rf"mine\.toml: {says}"):
        pim.device(cell(tmp_path, sources))


def test_bibtex_that_is_none_is_refused(tmp_path):
    (tmp_path / "mine.bib").write_text("@article{mine2026, title = {open")
    with pytest.raises(CatalogueError, match=r"mine\.bib: .* is not a BibTeX entry"):
        pim.device(cell(tmp_path))


def test_two_sources_of_one_key_are_refused(tmp_path):
    (tmp_path / "devices").mkdir()
    cell(tmp_path / "devices", TABLE)
    (tmp_path / "a.bib").write_text(BIBTEX)
    with pytest.raises(CatalogueError, match="'mine2026' is another publication already"):
        pim.add_catalogue(tmp_path)
