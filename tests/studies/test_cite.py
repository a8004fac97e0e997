"""Does `cite` give BibTeX that a parser reads, one entry a source?"""

import bibtexparser
import pytest
import xarray as xr

import pimlab as pim
from pimlab.analog.devices import Device


@pytest.mark.parametrize("target", pim.targets())
def test_every_source_of_a_target_is_an_entry_that_can_be_found(target):
    library = bibtexparser.parse_string(pim.cite(pim.target(target)))
    assert not library.failed_blocks
    keys = [entry.key for entry in library.entries]
    assert set(pim.target(target).cited) <= set(keys)
    assert keys == sorted(set(keys))
    for entry in library.entries:
        fields = {field.key for field in entry.fields}
        assert "title" in fields, entry.key
        assert fields & {"author", "institution", "organization", "editor", "url"}, entry.key


def test_cited_is_what_run_names():
    model = pim.load_model("digits-mlp")
    result = pim.run(model, pim.target("hbm-pim"), pim.load_data("digits", split="test", limit=5))
    cited = pim.cite(result)
    assert all(f"{{{key}," in cited for key in result.attrs["sources"].split(","))
    assert pim.cite(result[["accuracy", "energy"]]) == cited


def test_a_cell_cites_its_catalogue_entry():
    cell = pim.device("pcm-hermes")
    assert set(cell.sources) <= set(cell.cited) != set()
    assert all(f"{{{key}," in pim.cite(cell) for key in cell.cited)
    assert pim.cite(Device(name="mine", g_min=1e-6, g_max=2e-6)) == ""


def test_nothing_published_is_nothing_cited():
    assert pim.cite(xr.Dataset(attrs={"sources": ""})) == ""


def test_what_pimlab_did_not_make_is_refused():
    with pytest.raises(TypeError, match="cite takes a Dataset"):
        pim.cite("warboy")
    with pytest.raises(ValueError, match="no attribute 'sources'"):
        pim.cite(xr.Dataset())
    with pytest.raises(
        ValueError, match="source 'nobody1900' of this Dataset is not in the catalogue"
    ):
        pim.cite(xr.Dataset(attrs={"sources": "nobody1900"}))
