"""Does every kind of answer draw, sum up and cite itself?"""

import subprocess
import sys

import pytest
import xarray as xr

import pimlab as pim


@pytest.fixture(scope="module")
def answers():
    model, pcm = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    data = pim.load_data("digits", limit=20)
    busy = pim.schedule(model, pcm, inferences=4)
    return {
        "run": pim.run(model, pcm, data),
        "compare": pim.compare(["digits-mlp"], ["warboy", "pcm-hermes"], limit=10),
        "explain": pim.explain(model, pcm, data),
        "schedule": busy,
        "energy_at": pim.energy_at(busy, ["1 Hz", "1 kHz"]),
        "operating_points": pim.operating_points(model, pcm, data),
        "life": pim.service_life(model, pcm, rate="1 Hz"),
        "roofline": pim.npu.roofline(pim.target("warboy"), model.mac_ops),
    }


@pytest.mark.parametrize(
    "kind",
    ["run", "compare", "explain", "schedule", "energy_at", "operating_points", "life", "roofline"],
)
def test_every_answer_draws_itself(answers, kind):
    figure = answers[kind].pim.plot()
    assert figure.axes
    assert (figure.axes[0].get_title() or figure.get_suptitle()) != ""


def test_a_sweep_over_time_draws_its_drift():
    chips = xr.Dataset(
        {"accuracy": (("cell", "at"), [[0.9, 0.8], [0.9, 0.7]], {"better": "higher"})},
        coords={"cell": ["a", "b"], "at": [0.0, 3600.0]},
    )
    assert "accuracy -20.0 to -10.0 points after 1 h" in chips.pim.plot().axes[0].get_title()


def test_the_summary_is_the_public_one(answers):
    assert answers["run"].pim.summary().equals(pim.summary(answers["run"]))


def test_the_table_sums_to_the_answer(answers):
    out = answers["run"]
    table = out.pim.table()
    assert table.energy.sum() == pytest.approx(float(out.energy.sum()))
    assert "fc1" in table.index


def test_the_table_keeps_times_and_swept_values_apart(answers):
    one = answers["run"][["energy"]]
    both = xr.concat([one, 3 * one], "adc_bits").assign_coords(adc_bits=[4, 6])
    table, alone = both.pim.table(), one.pim.table()
    assert table.index.names == ["layer", "adc_bits"]
    assert table.energy["fc1", 4] == pytest.approx(alone.energy["fc1"])
    assert table.energy["fc1", 6] == pytest.approx(3 * alone.energy["fc1"])
    named = both.assign(executor=(("adc_bits", "layer"), [["x"] * one.layer.size] * 2))
    assert set(named.pim.table().executor) == {"x"}


def test_a_misspelt_view_is_told_the_nearest():
    with pytest.raises(AttributeError, match=r"has no 'sumary'; did you mean 'summary'"):
        _ = xr.Dataset().pim.sumary


def test_it_cites_itself(answers):
    assert answers["run"].pim.cite() == pim.cite(answers["run"])


def test_what_has_no_figure_and_no_number_is_said():
    with pytest.raises(ValueError, match="no figure fits"):
        xr.Dataset({"a": 1}).pim.plot()
    with pytest.raises(ValueError, match="no variable with numbers"):
        xr.Dataset({"a": "text"}).pim.table()


def test_an_answer_without_layers_has_a_row_a_number(answers):
    assert answers["compare"].pim.table().equals(pim.interchange.table(answers["compare"]))


def test_a_sweep_draws_its_metric_or_its_joules(answers):
    def bits(bits):
        return answers["run"][["accuracy", "energy"]].expand_dims(adc_bits=[bits])

    both = xr.concat([bits(4), bits(6)], "adc_bits", join="outer")
    assert both.pim.plot().axes[0].get_xlabel() == "adc_bits"
    assert "whiskers" not in both[["energy"]].pim.plot().axes[0].get_xlabel()


def test_two_results_sum_up_why_they_differ(answers):
    npu = pim.target("warboy")
    slower = npu.but(voltage=1.1 * npu.voltage)
    a, b = (pim.run(pim.load_model("digits-mlp"), machine) for machine in (npu, slower))
    why = pim.compare_results(a, b)
    table = why.pim.summary()
    assert len(table) > 0
    assert list(table.columns) == ["count", "price", "energy"]
    assert list(table.index) == list(why.reason.values)


def test_rooms_can_be_imported_after_xarray():
    """The accessor is registered while the first room is only half imported."""
    code = "import xarray; from pimlab.values import Value; print(xarray.Dataset.pim.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "Answer", done.stderr
