"""Does one Dataset hold every model on every machine, with what is absent left absent?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plan import planned
from pimlab.studies.compare import HOST_STATIC, HOST_WORK
from pimlab.studies.run import calibrations

MODELS, TARGETS = ["digits-mlp", "small-lm", "llama2-7b"], ["warboy", "pcm-hermes"]


@pytest.fixture(scope="module")
def compared():
    return pim.compare(MODELS, TARGETS, limit=1, at=["0 s", "1 day"])


def test_each_cell_is_what_run_says(compared):
    one = pim.run(
        pim.load_model("digits-mlp"),
        pim.target("pcm-hermes"),
        pim.load_data("digits", limit=1),
        at=["0 s", "1 day"],
    )
    cell = compared.sel(model="digits-mlp", target="pcm-hermes")
    assert np.array_equal(cell.accuracy, one.accuracy)
    assert float(cell.energy.sum()) == pytest.approx(float(one.energy.sum()), rel=1e-12)
    assert float(cell.latency) == pytest.approx(float(one.latency.sum()), rel=1e-12)
    assert set(one.executor.values) == {"pcm-hermes"}, "its chip needs no host"
    assert float(cell.energy.sel(component=[HOST_STATIC, HOST_WORK]).sum()) == 0


def test_a_hosts_share_is_apart(compared):
    one = pim.run(pim.load_model("small-lm"), pim.target("pcm-hermes"))
    cell = compared.sel(model="small-lm", target="pcm-hermes")
    hosted = one.energy.where(one.executor == "warboy").sum("component")
    static = float(hosted.sel(layer="static warboy"))
    assert static > 0
    assert float(cell.energy.sel(component=HOST_STATIC)) == pytest.approx(static)
    assert float(cell.energy.sel(component=HOST_WORK)) == pytest.approx(
        float(hosted.sum()) - static
    )


def test_what_is_not_scored_is_absent(compared):
    assert np.isnan(compared.accuracy.sel(model=["small-lm", "llama2-7b"])).all()
    assert np.isfinite(compared.perplexity.sel(model="small-lm")).all()
    assert np.isnan(compared.perplexity.sel(model="llama2-7b")).all()
    assert (compared.energy.sel(model="llama2-7b").sum("component") > 0).all()
    assert compared.stage.values.tolist() == [1, 3]
    assert all(
        "units" in compared[name].attrs and "long_name" in compared[name].attrs
        for name in compared.data_vars
    )
    assert all(
        "long_name" in compared[name].attrs and compared[name].dtype.kind in "Of"
        for name in compared.coords
    )
    assert compared.attrs["seed"] == 0


def test_a_store_keeps_the_comparison(tmp_path, compared):
    store = str(tmp_path / "compared.zarr")
    first = pim.compare(["digits-mlp"], TARGETS, limit=5, store=store)
    again = pim.compare(["digits-mlp"], TARGETS, limit=5, store=store)
    assert first.identical(again)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"model 'digit-mlp' is not known.*did you mean|nearest"):
        pim.compare(["digit-mlp"], TARGETS)
    with pytest.raises(ValueError, match="target 'warbo'"):
        pim.compare(["digits-mlp"], ["warbo"])
    with pytest.raises(TypeError, match="compare data: model 'digits'"):
        pim.compare(["digits-mlp"], TARGETS, data={"digits": "digits"})
    with pytest.raises(ValueError, match="empty"):
        pim.compare([], TARGETS)
    with pytest.raises(
        TypeError, match=r"compare targets='warboy' is not a list; write targets=\['warboy'\]"
    ):
        pim.compare(["digits-mlp"], "warboy")
    with pytest.raises(TypeError, match="compare data='digits' is not a mapping"):
        pim.compare(["digits-mlp"], TARGETS, data="digits")
    with pytest.raises(
        TypeError, match="compare models: 3 is neither a name nor one of the models"
    ):
        pim.compare([3], TARGETS)


def test_two_machines_of_one_name_are_refused_and_not_merged():
    npu = pim.target("warboy")
    with pytest.raises(
        ValueError,
        match=r"compare targets=\['warboy', 'warboy'\] repeats a name; .*\.but\(name=\.\.\.\)",
    ):
        pim.compare(["digits-mlp"], [npu, npu.but(array=npu.array.but(slices=64))])
    found = pim.compare(
        ["digits-mlp"], [npu, npu.but(name="half", array=npu.array.but(slices=64))], limit=1
    )
    assert found.target.values.tolist() == ["warboy", "half"]
    assert found.sizes["target"] == 2


def test_ranges_are_chosen_for_the_codes_of_the_machine():
    model, data, npu = (
        pim.load_model("digits-mlp"),
        pim.load_data("digits", limit=50),
        pim.target("warboy"),
    )
    narrow = npu.in_format("int4")
    for rule, same in (("minmax", True), ("mse", False)):
        wide, few = (
            calibrations(planned(model, machine), data, rule)["fc1"].y for machine in (npu, narrow)
        )
        assert (wide == few) == same, rule
    assert float(pim.run(model, narrow, data, rule="mse").accuracy) > 0.8
