"""Does every name of the library stand in its table, with what the catalogue says?"""

import pytest

import pimlab as pim
from pimlab.studies import papers as folders


def test_every_machine_has_a_row_as_the_catalogue_prints_it():
    table = pim.machines()
    assert set(table.index) == set(pim.targets())
    assert table.loc["warboy", "peak"] == pim.catalogue.entry("npu", "warboy")["peak.int8"].printed
    assert table.loc["hbm-pim", "host"] == "warboy"
    assert set(table.stage) == {1, 2, 3}


def test_every_device_has_a_row():
    table = pim.devices()
    assert set(pim.analog.device_names()) <= set(table.index)
    assert "drift" in table.loc["pcm-joshi2020", "faults"]
    assert (table.use == "training").sum() == len(pim.catalogue.names("updates"))


def test_models_and_data_name_each_other():
    models, data = pim.models(), pim.datasets()
    for name, row in models.iterrows():
        assert not row["data"] or name in data.loc[row["data"], "models"]
    assert data.licence.ne("").all()


def test_every_macro_and_every_paper_has_a_row():
    assert set(pim.macros().index) == set(pim.catalogue.names("analog"))
    papers = pim.papers()
    assert {path.parent.name for path in folders.PAPERS.glob("*/make.py")} == set(papers.index)
    assert papers["held-out"].sum() > 100


def test_papers_outside_the_repository_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(folders, "PAPERS", tmp_path / "papers")
    with pytest.raises(FileNotFoundError, match="repository"):
        pim.papers()
