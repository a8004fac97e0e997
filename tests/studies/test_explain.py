"""Is a waterfall made of paired runs, and does each cause stand alone and taken away?"""

import importlib

import numpy as np
import pytest
import xarray as xr

import pimlab as pim

module = importlib.import_module("pimlab.studies.explain")  # the package names its function


@pytest.fixture(scope="module")
def digits():
    return pim.load_model("digits-mlp"), pim.load_data("digits", split="test", limit=40)


@pytest.fixture(scope="module")
def explained(digits):
    return pim.explain(digits[0], pim.target("pcm-hermes"), digits[1], at="1 year", seed=2)


def test_the_steps_are_ideal_and_then_each_cause(explained):
    causes = pim.target("pcm-hermes").causes
    assert explained.step.values.tolist() == ["ideal", *(f"+ {cause}" for cause in causes)]
    assert explained.cause.values.tolist() == list(causes)
    assert {str(name) for name in explained.data_vars} == {
        f"accuracy{suffix}{end}"
        for suffix in ("", "_alone", "_without")
        for end in ("", "_low", "_high")
    }


def test_steps_are_paired_with_run(digits, explained):
    model, data = digits
    target = pim.target("pcm-hermes")
    full = pim.run(model, target, data, at="1 year", seed=2)
    assert float(explained.accuracy[-1]) == float(full.accuracy)
    ideal = pim.run(model, target.with_causes(()), data, at="1 year", seed=2)
    assert float(explained.accuracy[0]) == float(ideal.accuracy)
    for cause in target.causes:
        alone = pim.run(model, target.with_causes((cause,)), data, at="1 year", seed=2)
        assert float(explained.accuracy_alone.sel(cause=cause)) == float(alone.accuracy)
        rest = tuple(other for other in target.causes if other != cause)
        without = pim.run(model, target.with_causes(rest), data, at="1 year", seed=2)
        assert float(explained.accuracy_without.sel(cause=cause)) == float(without.accuracy)


def test_first_and_last_cause_are_in_both_orders(explained):
    assert float(explained.accuracy[1]) == float(explained.accuracy_alone[0])
    assert float(explained.accuracy[-2]) == float(explained.accuracy_without[-1])


def test_intervals_hold_the_value_and_everything_is_named(explained, tmp_path):
    for suffix in ("", "_alone", "_without"):
        value, low, high = (explained[f"accuracy{suffix}{end}"] for end in ("", "_low", "_high"))
        assert (low <= value).all()
        assert (value <= high).all()
    assert all(
        explained[name].attrs["units"] == "1" and explained[name].attrs["long_name"]
        for name in explained.data_vars
    )
    assert all(
        "long_name" in explained[name].attrs and explained[name].dtype.kind in "Ofi"
        for name in explained.coords
    )
    assert explained["at"].attrs["units"] == "s"
    assert {"model", "data", "sources", "pimlab", "commit", "lock"} <= explained.attrs.keys()
    explained.to_netcdf(tmp_path / "e.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "e.nc"), explained)


def test_a_machine_without_causes_has_one_step(digits):
    ideal = pim.target("pcm-hermes").with_causes(())
    assert ideal.causes == ()
    found = pim.explain(digits[0], ideal, digits[1])
    assert found.step.values.tolist() == ["ideal"]
    assert "cause" not in found.dims
    np.testing.assert_array_equal(found.accuracy, [pim.run(digits[0], ideal, digits[1]).accuracy])


@pytest.mark.parametrize("target", ["warboy", "hbm-pim"])
def test_digital_machines_end_where_run_does(digits, target):
    found = pim.explain(digits[0], pim.target(target), digits[1])
    assert float(found.accuracy[-1]) == float(
        pim.run(digits[0], pim.target(target), digits[1]).accuracy
    )


def test_several_times_and_no_data_are_refused(digits):
    with pytest.raises(TypeError, match="is not a time"):
        pim.explain(digits[0], pim.target("warboy"), digits[1], at=["1 h", "1 day"])
    with pytest.raises(
        TypeError, match=r"data=None is no data; write for example pimlab\.load_data"
    ):
        pim.explain(digits[0], pim.target("warboy"), None)


def test_shapley_is_true_or_false(digits):
    with pytest.raises(TypeError, match="explain shapley='no' is not True or False"):
        pim.explain(digits[0], pim.target("warboy"), digits[1], shapley="no")


@pytest.fixture(scope="module")
def shared(digits):
    return pim.explain(
        digits[0], pim.target("pcm-hermes"), digits[1], at="1 year", seed=2, shapley=True
    )


def test_shapley_shares_add_up_to_the_whole_change(shared):
    whole = float(shared.accuracy[-1] - shared.accuracy[0])
    assert float(shared.accuracy_shapley.sum()) == pytest.approx(whole, abs=1e-12)


def test_first_and_last_are_alone_and_without(shared, explained):
    ideal, full = float(explained.accuracy[0]), float(explained.accuracy[-1])
    assert shared.accuracy_first.values == pytest.approx(explained.accuracy_alone.values - ideal)
    assert shared.accuracy_last.values == pytest.approx(full - explained.accuracy_without.values)


def test_shapley_is_the_mean_over_all_orders_by_hand():
    known = {(): 1.0, ("a",): 0.9, ("b",): 0.8, ("a", "b"): 0.4}
    scored = {causes: xr.Dataset({"accuracy": value}) for causes, value in known.items()}
    found = module._changes(scored, ("a", "b"), "accuracy")
    assert found.accuracy_shapley.values == pytest.approx([-0.25, -0.35])
    assert found.accuracy_first.values == pytest.approx([-0.1, -0.2])
    assert found.accuracy_last.values == pytest.approx([-0.4, -0.5])


def test_too_many_causes_are_refused_with_their_number():
    with pytest.raises(ValueError, match="9 causes takes 512 runs; allowed: up to 8"):
        module._subsets(tuple("abcdefghi"))
