"""Does the command line answer, teach, and refuse in one line with exit 2?"""

import functools
import os
import subprocess
import sys
from pathlib import Path

import bibtexparser
import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab import cli
from pimlab.roadmap import study

RUN = ["run", "digits-mlp", "warboy"]


def asked(capsys, *words):
    code = cli.main([str(word) for word in words])
    out, error = capsys.readouterr()
    return code, out, error


def stopped(capsys, *words):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(words))
    out, error = capsys.readouterr()
    return caught.value.code, out, error


def test_help_teaches_every_verb_and_examples(capsys):
    code, out, _ = stopped(capsys, "--help")
    assert code == 0
    assert all(
        f"\n    {verb} " in out for verb in ("info", "targets", "run", "serve", "reproduce", "cite")
    )
    assert "examples:" in out
    assert 'pimlab run fashion-cnn pcm-hermes --at "1 day"' in out


@pytest.mark.parametrize("verb", ["info", "targets", "run", "serve", "reproduce", "cite"])
def test_each_verb_has_help(capsys, verb):
    code, out, _ = stopped(capsys, verb, "--help")
    assert code == 0
    assert f"usage: pimlab {verb}" in out
    assert "options:" in out


def test_version(capsys):
    assert stopped(capsys, "--version") == (0, f"pimlab {pim.__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [(), ("rnu",), ("run",), ("run", "digits-mlp"), ("info", "more"), (*RUN, "--seed", "a")],
)
def test_wrong_words_exit_2_with_usage(capsys, words):
    code, _, error = stopped(capsys, *words)
    assert code == 2
    assert "usage: pimlab" in error


def test_info(capsys):
    code, out, _ = asked(capsys, "info")
    assert code == 0
    assert all(
        f"{name} " in out for name in ("pimlab", "commit", "lock", "threads", "optional parts")
    )


def test_targets_lists_each(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = asked(capsys, "targets")
    assert code == 0
    assert all(f" {name} " in out for name in pim.targets())


def test_run_answers_in_a_line_and_writes_what_run_returns(capsys, tmp_path):
    out_file = tmp_path / "r.nc"
    code, out, error = asked(
        capsys,
        *RUN[:2],
        "pcm-hermes",
        "--data",
        "digits",
        "--at",
        "1 day",
        "--seed",
        4,
        "--limit",
        10,
        "--out",
        out_file,
    )
    assert (code, error) == (0, "")
    head, row = out.rstrip().splitlines()[-2:]
    assert row.startswith("pcm-hermes ")
    assert all(word in head for word in ("accuracy", "energy", "latency", "assumed"))
    data = pim.load_data("digits", split="test", limit=10)
    expected = pim.run(
        pim.load_model("digits-mlp"), pim.target("pcm-hermes"), data, at="1 day", seed=4
    )
    xr.testing.assert_identical(xr.load_dataset(out_file), expected)
    assert list(tmp_path.iterdir()) == [out_file]


def test_run_takes_data_of_ones_own(capsys, tmp_path):
    digits = pim.load_data("digits", limit=20)
    np.savez(tmp_path / "mine.npz", x=digits.inputs, y=digits.labels)
    file = str(pim.workload.files.ROOT / "models" / "digits-mlp.onnx")
    asking = ("run", file, "warboy", "--data", str(tmp_path / "mine.npz"))
    code, out, _ = asked(capsys, *asking)
    assert code == 0
    assert "accuracy" in out.rstrip().splitlines()[-2]
    code, out, _ = asked(capsys, *asking, "--metric", "top-3")
    assert code == 0
    assert "top_3_accuracy" in out.rstrip().splitlines()[-2]
    code, _, err = asked(capsys, "run", "llama2-7b", "warboy", "--metric", "r2")
    assert code == 2
    assert "--metric r2 judges no data" in err


def test_run_takes_the_models_usual_data(capsys):
    code, out, _ = asked(capsys, *RUN, "--limit", 10)
    assert code == 0
    assert "accuracy" in out.rstrip().splitlines()[-2]


def test_run_of_a_shape_gives_costs_alone(capsys):
    code, out, _ = asked(capsys, "run", "llama2-7b", "hbm-pim", "--chips", "needed")
    assert code == 0
    head = out.rstrip().splitlines()[-2]
    assert "accuracy" not in head
    assert "energy" in head


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "digits-mpl", "warboy"), "did you mean 'digits-mlp'?"),
        (("run", "digits-mlp", "warboi"), "did you mean 'warboy'?"),
        ((*RUN, "--data", "digts"), "did you mean 'digits'?"),
        ((*RUN, "--at", "1 dya"), "at='1 dya' is not a time"),
        ((*RUN, "--limit", "0"), "limit=0; allowed"),
        ((*RUN, "--seed", "-1"), "seed=-1 is outside"),
        ((*RUN, "--out", "r.txt"), "--out r.txt; allowed: a path that ends in .nc"),
        ((*RUN, "--out", "no/such/r.nc"), "in a folder that exists"),
        (("run", "no-such.onnx", "warboy"), "no-such.onnx is not a file"),
        (("cite", "warboi"), "did you mean 'warboy'?"),
        (("cite", "pyproject.toml"), "pyproject.toml is no .nc file or .zarr store"),
    ],
)
def test_wrong_input_is_one_line_and_exit_2(capsys, words, told):
    code, out, error = asked(capsys, *words)
    assert (code, out) == (2, "")
    assert error.startswith(f"pimlab {words[0]}: ")
    assert error.count("\n") == 1
    assert told in error


def test_a_failed_write_leaves_the_earlier_file(capsys, tmp_path, monkeypatch):
    place = tmp_path / "r.nc"
    place.write_text("earlier")
    monkeypatch.setattr("pimlab.studies.store.os.replace", _full)
    code, _, error = asked(capsys, *RUN, "--limit", 5, "--out", place)
    assert code == 2
    assert "No space left on device" in error
    assert place.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [place]


def _full(*_):
    raise OSError(28, os.strerror(28))


def test_cite_a_target_a_file_and_a_store(capsys, tmp_path):
    result = pim.run(pim.load_model("digits-mlp"), pim.target("hbm-pim"))
    result.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    result.to_zarr(tmp_path / "r.zarr", consolidated=False, zarr_format=2)
    told = {
        what: asked(capsys, "cite", what)
        for what in ("hbm-pim", tmp_path / "r.nc", tmp_path / "r.zarr")
    }
    assert len(set(told.values())) == 1
    code, out, error = told["hbm-pim"]
    assert (code, error) == (0, "")
    assert [entry.key for entry in bibtexparser.parse_string(out).entries] == result.attrs[
        "sources"
    ].split(",")


def test_ctrl_c_exits_130_and_says_what_is_kept(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pimlab.roadmap.reproduce.reproduce", interrupted)
    code, _, error = asked(capsys, "reproduce")
    assert code == 130
    assert "what was finished is kept, and the same command goes on from there" in error
    monkeypatch.setattr(pim, "run", interrupted)
    code, _, error = asked(capsys, *RUN)
    assert (code, error) == (130, "\nstopped\n")


def test_reproduce_takes_size_folder_and_workers(capsys, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        "pimlab.roadmap.reproduce.reproduce", lambda *given, **named: seen.append((given, named))
    )
    assert (
        asked(
            capsys,
            "reproduce",
            "--quick",
            "--results",
            tmp_path,
            "--workers",
            2,
            "--with",
            "smollm2-135m",
        )[0]
        == 0
    )
    assert asked(capsys, "reproduce")[0] == 0
    assert seen == [
        ((tmp_path,), {"quick": True, "workers": 2, "extra": ["smollm2-135m"]}),
        ((Path("results"),), {"quick": False, "workers": None, "extra": []}),
    ]


def test_reproduce_refuses_a_store_of_another_version_in_one_line(capsys, monkeypatch, tmp_path):
    tiny = study.Size(
        samples=5, files=1, windows=1, seeds=1, explained=5, chips=1, times=("0 s", "1 year")
    )
    monkeypatch.setattr(study, "QUICK", tiny)
    monkeypatch.setattr(
        study, "compute", functools.partial(study.compute, workloads=("digits-mlp",))
    )
    folder = tmp_path / "quick"
    folder.mkdir()
    xr.Dataset({"y": 1}).to_zarr(folder / "roadmap.zarr", consolidated=False, zarr_format=2)
    before = sorted(str(path) for path in folder.rglob("*"))
    code, _, error = asked(capsys, "reproduce", "--quick", "--results", tmp_path)
    assert code == 2
    assert "roadmap.zarr exists and was not made by a sweep here" in error
    assert sorted(str(path) for path in folder.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    [[sys.executable, "-m", "pimlab"], [str(Path(sys.executable).with_name("pimlab"))]],
    ids=["-m", "script"],
)
def test_both_commands_are_the_same(command, tmp_path):
    version = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert version.stdout == f"pimlab {pim.__version__}\n"


@pytest.mark.full
def test_the_quick_study_in_full(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pimlab", "reproduce", "--quick", "--results", str(tmp_path)],
        check=True,
    )
    assert (
        xr.open_zarr(tmp_path / "quick" / "roadmap.zarr", consolidated=False).sizes["target"] == 3
    )


def test_serve_prints_percentiles_and_writes_the_answer(capsys, tmp_path):
    out = tmp_path / "load.nc"
    words = ("serve", "llama2-70b", "rngd", "--chips", 8, "--rate", "2 Hz", "--count", 20)
    code, text, _ = asked(capsys, *words, "--batch", 4, "--ttft", "2 s", "--out", out)
    assert code == 0
    assert "ttft" in text
    assert "99 %" in text
    assert xr.load_dataset(out).sizes["request"] == 20


def test_serve_takes_a_model_that_answers_once(capsys):
    code, text, _ = asked(
        capsys,
        "serve",
        "digits-mlp",
        "warboy",
        "--rate",
        "1 kHz",
        "--count",
        50,
    )
    assert code == 0
    assert "token energy" in text


def test_serve_without_requests_says_what_to_add(capsys):
    code, _, error = asked(capsys, "serve", "digits-mlp", "warboy")
    assert code == 2
    assert 'add --requests NAME, --rate "4 Hz" or --users 8' in error
