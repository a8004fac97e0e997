"""Are files of one's own machines, devices and links everywhere, held to the same rules?"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab import catalogue, cli
from pimlab.catalogue import CatalogueError
from pimlab.studies.store import StoreError

PACKAGE = Path(catalogue.__file__).parent
OWN = {
    "npu": ("warboy", "my-npu"),
    "dram": ("hbm2", "my-dram"),
    "pim": ("hbm-pim", "my-pim"),
    "devices": ("pcm-joshi2020", "my-cell"),
    "links": ("cxl", "my-link"),
    "analog": ("pcm-hermes", "my-macro"),
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of one's own with a changed copy of one file of every room; the variable is free."""
    monkeypatch.setenv(catalogue.VARIABLE, "")
    for room, (name, mine) in OWN.items():
        (tmp_path / "own" / room).mkdir(parents=True)
        text = (PACKAGE / room / f"{name}.toml").read_text()
        text = text.replace('dram   = "hbm2"', 'dram   = "my-dram"')
        (tmp_path / "own" / room / f"{mine}.toml").write_text(text)
    return tmp_path / "own"


def bus(delay="1 us", more=""):
    return f"""
{more}
[bandwidth]
value = "10 GB/s"
where = "our board, March 2026"
status = "measured"
[delay]
value = "{delay}"
status = "assumed"
reason = "not measured yet"
[energy.bit]
value = "5 pJ/bit"
status = "assumed"
reason = "as PCIe"
"""


def test_files_of_ones_own_are_known_everywhere(own, capsys):
    assert "my-npu" not in pim.targets()
    assert pim.add_catalogue(own) == tuple(
        sorted(f"{room}/{mine}" for room, (_, mine) in OWN.items())
    )
    assert {"my-npu", "my-pim", "my-macro"} <= set(pim.targets())
    assert pim.target("my-npu").but(name="warboy").array == pim.target("warboy").array
    assert pim.target("my-pim").host.name == "warboy"
    assert pim.dram_pim.timing("my-dram").tCK == pim.dram_pim.timing("hbm2").tCK
    assert pim.device("my-cell").g_max == pim.device("pcm-joshi2020").g_max
    assert pim.link("my-link").delay == pim.link("cxl").delay
    with pytest.raises(ValueError, match="did you mean 'my-npu'"):
        pim.target("my-npux")
    result = pim.run(pim.load_model("digits-mlp"), pim.target("my-pim"))
    assert pim.target_of(result) == pim.target("my-pim")
    assert pim.cite(result)
    assert cli.main(["targets"]) == 0
    assert "my-npu" in capsys.readouterr().out


def test_the_variable_reaches_other_processes(own):
    code = "import pimlab as pim; print(pim.target('my-npu').name, pim.link('my-link').name)"
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env={**os.environ, catalogue.VARIABLE: str(own)},
    ).stdout  # fmt: skip
    assert told == "my-npu my-link\n"


def test_a_changed_file_is_read_anew(tmp_path, monkeypatch):
    monkeypatch.setenv(catalogue.VARIABLE, str(tmp_path))
    file = tmp_path / "my-bus.toml"
    file.write_text(bus("1 us", 'room = "links"'))
    before = catalogue.state()
    assert pim.link("my-bus").delay == 1e-6
    file.write_text(bus("2 us", 'room = "links"'))
    assert pim.link("my-bus").delay == 2e-6
    assert catalogue.state() != before


def test_a_machine_is_built_anew_when_its_file_changes(own):
    pim.add_catalogue(own)
    assert pim.target("my-npu").lanes == pim.target("warboy").lanes
    file = own / "npu" / "my-npu.toml"
    file.write_text(file.read_text().replace('"2 GHz"', '"1 GHz"'))
    assert pim.target("my-npu").array.clock == 1e9


def test_one_file_may_name_its_room(tmp_path, monkeypatch):
    monkeypatch.setenv(catalogue.VARIABLE, "")
    file = tmp_path / "my-bus.toml"
    file.write_text(bus(more='room = "links"'))
    assert pim.add_catalogue(str(file)) == ("links/my-bus",)
    assert pim.link("my-bus").bit.status == "assumed"
    assert pim.add_catalogue(file) == ("links/my-bus",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe = 1", "not UTF-8 text"),
        (b"[a", "not TOML"),
        (b"a = " + b"[" * 5000, "not TOML: nested too deeply"),
        (b"a = " + b"9" * 5000, "not TOML"),
        (bus().encode(), "no text `room`"),
        (bus(more='room = "link"').encode(), "room 'link' is not known; did you mean 'links'"),
        (bus(more='room = "links"').replace('"5 pJ/bit"', '"5 pJ/bitt"').encode(), "unknown unit"),
        (bus("1e999999999 s", 'room = "links"').encode(), r"\[delay\] .* beyond any number"),
        (bus("1 us", 'room = "links"').replace("measured", "mesured").encode(), "did you mean 'measured'"),
        (bus(more='room = "links"').replace('where = "our board, March 2026"', "").encode(),
         r"\[bandwidth\] is measured and names no where \(chip, bench, date\)"),
        (bus(more='room = "links"').replace('reason = "as PCIe"', "reason = 3").encode(),
         r"\[energy.bit\] reason=3 is not a text"),
        (bus(more='room = "links"').replace('"1 us"', '"1 us"\nhigh = "3 V"').encode(),
         r"\[delay\] high='3 V' is in V, value in s"),
        (bus(more='room = "links"').replace('"1 us"', '["1 us", "2 us"]\nlow = ["1 us"]').encode(),
         r"\[delay\] low has 1 values, value 2"),
        (bus(more='room = "links"\n[energy]\nnote = "x"').encode(), "stands beside tables|not TOML"),
    ],
    ids=range(14),
)  # fmt: skip
def test_a_file_that_breaks_a_rule_is_one_error_that_names_it(tmp_path, monkeypatch, content, says):
    monkeypatch.setenv(catalogue.VARIABLE, "")
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(CatalogueError, match=f"mine.toml: .*({says})"):
        pim.add_catalogue(tmp_path)
    assert os.environ[catalogue.VARIABLE] == ""
    assert "mine" not in catalogue.names("links")


@pytest.mark.parametrize(
    ("room", "old", "new", "says"),
    [
        ("npu", "[clock]", "[clok]", r"my-npu.toml has no \[clock\]; it has \[clok\], which is spelt almost so"),
        ("npu", "format = ", "formt = ", "my-npu.toml: the text formt='int8' is not known; did you mean 'format'"),
        ("npu", '"tensor unit"', '"tensor unt"', "my-npu: .*organisation 'tensor unt' is not known; did you mean 'tensor unit'"),
        ("npu", "[slices]", "[slics]", r"my-npu.toml has no \[slices\]; it has \[slics\]"),
        ("devices", "[g_max]", "[g_mx]", r"my-cell.toml: .*g_mx"),
        ("links", '"150 ns"', '"-150 ns"', "my-link.toml: .*(delay|low)"),
        ("dram", "[tCK]", "[tCC]", r"my-dram.toml has no \[tCK\]"),
    ],
)  # fmt: skip
def test_what_its_parts_refuse_names_the_file(own, room, old, new, says):
    file = own / room / f"{OWN[room][1]}.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    ask = {"npu": pim.target, "devices": pim.device, "links": pim.link, "dram": pim.dram_pim.timing}
    os.environ[catalogue.VARIABLE] = str(own)
    with pytest.raises(CatalogueError, match=says):
        ask[room](OWN[room][1])


def test_what_a_systolic_array_refuses_names_the_file(tmp_path, monkeypatch):
    text = (PACKAGE / "npu" / "x220.toml").read_text()
    assert 'dataflow = "ws"' in text
    (tmp_path / "npu").mkdir()
    (tmp_path / "npu" / "my-npu.toml").write_text(text.replace('"ws"', '"up"'))
    monkeypatch.setenv(catalogue.VARIABLE, str(tmp_path))
    with pytest.raises(CatalogueError, match="my-npu: MacArray dataflow='up'"):
        pim.target("my-npu")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"2.84 us"', '"-2.84 us"', r"my-npu.*Efficiency operator=.* is outside"),
        ("value  = 0.548", "value  = 1.548", r"my-npu.*Efficiency arrays=1.548 is outside"),
        ('"50 W"', '"-50 W"', r"my-npu.*(tdp|limit)"),
    ],
)
def test_constants_of_efficiency_outside_their_bounds_name_the_file(own, old, new, says):
    file = own / "npu" / "my-npu.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    os.environ[catalogue.VARIABLE] = str(own)
    with pytest.raises(CatalogueError, match=says):
        pim.target("my-npu")


def test_names_that_are_taken_are_refused(own):
    shutil.copy(own / "npu" / "my-npu.toml", own / "npu" / "warboy.toml")
    with pytest.raises(CatalogueError, match=r"'warboy' is taken in pimlab's own catalogue"):
        pim.add_catalogue(own)
    (own / "npu" / "warboy.toml").unlink()
    pim.add_catalogue(own)
    (own / "other").mkdir()
    shutil.copytree(own / "npu", own / "other" / "npu")
    with pytest.raises(CatalogueError, match=r"'my-npu' is taken by .*own/npu/my-npu.toml"):
        pim.add_catalogue(own / "other")


@pytest.mark.parametrize("path", [None, 3, "", "no-such-folder", "a:b"])
def test_a_path_that_is_none_is_refused(path, monkeypatch):
    monkeypatch.setenv(catalogue.VARIABLE, "")
    with pytest.raises((TypeError, CatalogueError), match="path|no such folder"):
        pim.add_catalogue(path)
    assert os.environ[catalogue.VARIABLE] == ""


def test_a_store_knows_the_catalogue_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv(catalogue.VARIABLE, "")
    (tmp_path / "my-bus.toml").write_text(bus("1 us", 'room = "links"'))
    pim.add_catalogue(tmp_path / "my-bus.toml")

    @pim.study
    def delays(x):
        return xr.Dataset({"y": x * pim.link("my-bus").delay})

    store = tmp_path / "s.zarr"
    pim.sweep(delays, x=[1], store=store, progress=False)
    (tmp_path / "my-bus.toml").write_text(bus("2 us", 'room = "links"'))
    with pytest.raises(StoreError, match="another catalogue of your own"):
        pim.sweep(delays, x=[1, 2], store=store, progress=False)
    np.testing.assert_allclose(pim.sweep(delays, x=[1], progress=False).y, 2e-6)


@pytest.mark.parametrize(("room", "more", "text"), [
    ("npu", 'on_chp = "cache"', r"text on_chp='cache' is not known; did you mean 'on_chip'"),
    ("pim", 'curents = "hbm2"', r"text curents='hbm2' is not known; did you mean 'currents'"),
    ("links", 'vendr = "us"', r"text vendr='us' is not known; did you mean 'vendor'"),
    ("npu", "efficency.x", r"has no \[efficiency\]; it has \[efficency\], which is"),
    ("npu", "peaks.int4", r"has no \[peak\]; it has \[peaks\], which is"),
])  # fmt: skip
def test_words_that_no_reader_knows_are_told_the_nearest(own, room, more, text):
    name, mine = OWN[room]
    if "=" in more:
        written = f"{more}\n{(PACKAGE / room / f'{name}.toml').read_text()}"
    else:
        table = f'\n[{more}]\nvalue = 3\nstatus = "assumed"\nreason = "a try"\n'
        written = (PACKAGE / room / f"{name}.toml").read_text() + table
    (own / room / f"{mine}.toml").write_text(written)
    with pytest.raises(CatalogueError, match=text):
        pim.add_catalogue(own)


def test_a_fact_of_ones_own_may_stand_in_a_file(own):
    file = own / "npu" / "my-npu.toml"
    table = '\n[board_length]\nvalue = "0.27 m"\nstatus = "assumed"\nreason = "a ruler"\n'
    file.write_text(file.read_text() + table)
    pim.add_catalogue(own)
    assert catalogue.entry("npu", "my-npu")["board_length"].value == 0.27
