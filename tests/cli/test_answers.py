"""Do run, compare, sweep and explain answer from a shell as they do in Python?"""

import csv
import io
import json

import pytest
import xarray as xr

import pimlab as pim
from pimlab import cli
from pimlab.studies.variants import variant

FEW = ("--limit", "5")


def asked(capsys, *words):
    code = cli.main([str(word) for word in words])
    out, error = capsys.readouterr()
    assert code == 0, error
    return out


@pytest.fixture(scope="module")
def hermes():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=5)
    return lambda **changes: pim.run(model, variant(pim.target("pcm-hermes"), changes), data)


def test_a_variant_runs_and_prints_json(capsys, hermes):
    out = asked(capsys, "run", "digits-mlp", "pcm-hermes", *FEW, "--set", "adc.bits=4", "--json")
    held, ours = json.loads(out), hermes(**{"adc.bits": "4"})
    assert held["rows"][0]["energy"] == float(ours.energy.sum())
    assert held["attributes"]["target"] == "pcm-hermes (adc.bits=4)"


def test_run_prints_csv(capsys, hermes):
    out = asked(capsys, "run", "digits-mlp", "pcm-hermes", *FEW, "--csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert float(row["accuracy"]) == float(hermes().accuracy)


def test_compare_shows_every_pair(capsys):
    out = asked(capsys, "compare", "digits-mlp", "--on", "warboy", "hbm-pim", *FEW)
    assert [line.split()[-4] for line in out.splitlines()[2:]] != ["-", "-"]
    assert "warboy" in out
    assert "hbm-pim" in out


def test_sweep_is_that_of_python(capsys, tmp_path, hermes):
    asked(
        capsys, "sweep", "digits-mlp", "pcm-hermes", *FEW, "--over", "adc.bits=4,8",
        "--over", "seed=0,1", "--csv", "--out", tmp_path / "s.nc",
    )  # fmt: skip
    kept = xr.load_dataset(tmp_path / "s.nc")
    assert kept.accuracy.dims == ("adc_bits", "seed")
    assert float(kept.accuracy.sel(adc_bits=4, seed=0)) == float(hermes(**{"adc.bits": 4}).accuracy)


def test_sweep_over_time_and_machines_by_name(capsys):
    out = asked(
        capsys, "sweep", "digits-mlp", "pcm-hermes", *FEW,
        "--over", "at=0 s,1 day", "--over", "host=warboy,rngd", "--csv",
    )  # fmt: skip
    assert len(out.splitlines()) == 5


def test_explain_shows_steps_and_causes(capsys):
    out = asked(capsys, "explain", "digits-mlp", "hbm-pim", *FEW)
    assert "ideal" in out
    assert "+ fp16 operands" in out
    assert "accuracy_without" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sweep", "digits-mlp", "warboy", "--over", "adc.bits=4"), "field 'adc' is not known"),
        (("sweep", "digits-mlp", "warboy", "--over", "seed"), "write FIELD=A,B,C"),
        (("sweep", "digits-mlp", "warboy", "--over", "seed=1", "--over", "seed=2"), "field twice"),
        (("explain", "llama2-7b", "warboy"), "llama2-7b has no usual data; add --data"),
        (("compare", "digits-mlp", "--on", "warboi"), "did you mean 'warboy'"),
    ],
)
def test_wrong_words_teach(capsys, words, told):
    assert cli.main(list(words)) == 2
    assert told in capsys.readouterr().err
