"""Does a Dataset say what it holds: words, units, intervals, sources, and which way is better?"""

import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab import result


def test_an_intervals_ends_have_the_words_of_their_variable():
    assert result.attrs("energy") == {"units": "J", "long_name": "energy of one inference"}
    assert result.attrs("energy_low")["long_name"] == "energy of one inference, lower end"
    assert result.attrs("energy_high")["units"] == "J"
    with pytest.raises(KeyError, match="did you mean 'latency'"):
        result.attrs("latencyy")


def test_sources_travel_sorted_each_once_and_either_separator_is_read():
    first = result.finished(xr.Dataset(attrs={"sources": "b2001, a1999"}), ["c2002", "a1999"])
    assert first.attrs["sources"] == "a1999,b2001,c2002"
    assert result.sources_of(first) == ("a1999", "b2001", "c2002")
    assert result.sources_of(xr.Dataset()) == ()


@pytest.mark.parametrize("name", ["count", "sum", "mean", "sizes", "attrs"])
def test_no_variable_hides_behind_a_method_of_a_dataset(name):
    with pytest.raises(ValueError, match=f"'{name}' is a method of Dataset"):
        result.finished(xr.Dataset({name: ((), 1.0)}))


def test_no_word_is_a_method_of_a_dataset():
    assert not [name for name in result.WORDS if hasattr(xr.Dataset, name)]


def test_a_metric_says_which_way_is_better_and_nothing_else_does():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
    answer = pim.run(model, pim.target("warboy"), data)
    assert result.metrics(answer) == ("accuracy",)
    assert result.better(answer, "accuracy") == "higher"
    with pytest.raises(ValueError, match="'energy' is no metric"):
        result.better(answer, "energy")
    with pytest.raises(KeyError, match="did you mean 'accuracy'"):
        result.better(answer, "acuracy")


def test_summary_has_a_row_a_place_and_its_numbers_are_those_of_the_answer():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
    answer = pim.run(model, pim.target("pcm-hermes"), data, at=["0 s", "1 year"])
    table = pim.summary(answer)
    assert table.columns.tolist() == ["accuracy", "energy", "latency", "assumed"]
    assert len(table) == 2
    value, low, high = (
        float(answer[name].sum()) for name in ("energy", "energy_low", "energy_high")
    )
    shown = [pim.units.si(one, "J") for one in (value, low, high)]
    assert table.energy.tolist() == [f"{shown[0]} [{shown[1]}, {shown[2]}]"] * 2
    first = float(answer.accuracy.isel(at=0))
    assert table.accuracy.iloc[0].startswith(f"{first:.4g} [")


def test_summary_of_what_is_not_scored_and_of_what_is_no_answer():
    both = pim.compare(["digits-mlp", "llama2-7b"], ["warboy"], limit=5)
    table = pim.summary(both)
    assert table.accuracy.loc[("llama2-7b", "warboy")] == "-"
    with pytest.raises(TypeError, match="summary takes a Dataset"):
        pim.summary(3)
    with pytest.raises(ValueError, match="neither a metric nor energy"):
        pim.summary(xr.Dataset({"x": ("y", np.zeros(2))}))


def test_seeds_are_joined_in_quadrature():
    values = np.array([0.8, 0.9, 1.0])
    says = {"units": "1", "better": "higher"}
    answer = xr.Dataset(
        {
            "accuracy": ("seed", values, says),
            "accuracy_low": ("seed", values - 0.03, says),
            "accuracy_high": ("seed", values + 0.04, says),
        },
        coords={"seed": [0, 1, 2]},
    )
    joined = result.over_seeds(answer, "accuracy")
    of_mean = 1.959963984540054 * values.std(ddof=1) / np.sqrt(3)
    assert float(joined.accuracy) == pytest.approx(0.9)
    assert float(joined.accuracy_low) == pytest.approx(0.9 - np.hypot(0.03, of_mean))
    assert float(joined.accuracy_high) == pytest.approx(0.9 + np.hypot(0.04, of_mean))
    assert pim.summary(answer).accuracy.iloc[0].startswith("0.9 [")
    one = answer.isel(seed=[0])
    assert float(result.over_seeds(one, "accuracy").accuracy_low) == pytest.approx(0.77)


def test_summary_of_machines_with_different_parts_has_their_energies():
    both = pim.compare(["digits-mlp"], ["warboy", "hbm-pim"], limit=5)
    assert both.energy.isnull().any()
    assert not pim.summary(both).energy.eq("-").any()
