"""Do values, models and answers show themselves, escaped, and is anything else refused?"""

import pytest
import xarray as xr

import pimlab as pim
from pimlab.lab import html
from pimlab.plot.style import STAGE_COLOURS


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_a_machine_shows_prices_with_status_and_source(name):
    machine = pim.target(name)
    text = html(machine)
    assert name in text
    statuses = {machine.prices[event].constant.status for event in machine.prices}
    assert all(f"&#9679; {status}" in text for status in statuses)
    assert all(source in text for source in machine.sources)


def test_models_plans_answers_and_devices_show_themselves():
    model = pim.load_model("digits-mlp")
    out = pim.run(model, pim.target("warboy"), pim.load_data("digits", limit=20))
    assert "fc1" in html(model)
    assert "warboy" in html(pim.Plan(model=model, machines=[pim.target("warboy")]))
    assert html(out).index("accuracy") < html(out).index("xarray.Dataset")
    assert "data:image/png" in html(pim.device("pcm-joshi2020"))
    assert "bits" in html(pim.ADC(bits=6))


def test_text_is_escaped():
    machine = pim.target("warboy").but(name="<script>alert(1)</script>")
    assert "<script>" not in html(machine)
    assert "&lt;script&gt;" in html(machine)


def test_cells_of_tables_are_escaped_once():
    text = html(pim.target("pcm-hermes"))
    assert "&amp;" not in text
    assert "<td style='text-align:left;padding-right:1em'>differential</td>" in text


def test_prices_have_units_that_a_reader_knows():
    text = html(pim.target("warboy"))
    assert "J/bit" in text
    assert "bit^-1" not in text
    assert "250 m " not in html(pim.target("pcm-hermes"))


def test_a_schedule_shows_its_picture_and_a_plan_its_machines():
    model, npu = pim.load_model("digits-mlp"), pim.target("warboy")
    assert "data:image/png" in html(pim.schedule(model, npu))
    plan = html(pim.Plan(model=model, machines=[npu]))
    assert f"solid {STAGE_COLOURS[1]}" in plan
    assert plan.index("display:flex") < plan.index("<details>")


def test_what_has_no_view_is_refused():
    with pytest.raises(TypeError, match="html takes"):
        html(3)


def test_ipython_shows_values_by_it():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        pim._show_in_notebooks()
        data, _ = shell.display_formatter.format(pim.target("warboy"))
        assert "organisation" in data["text/html"]
        ours = xr.Dataset({"accuracy": 0.5}, attrs={"sources": "joshi2020"})
        assert shell.display_formatter.format(ours)[0]["text/html"].startswith(
            '<div class="pimlab"'
        )
        foreign = xr.Dataset({"accuracy": 0.5})
        assert "pimlab" not in shell.display_formatter.format(foreign)[0]["text/html"]
    finally:
        InteractiveShell.clear_instance()
