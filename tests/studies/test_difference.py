"""Are the parts of a difference all of it, and is each what made it?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.constants import assumed


@pytest.fixture(scope="module")
def run():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
    return lambda machine, **how: pim.run(model, machine, data, **how)


@pytest.mark.parametrize(
    ("one", "other"), [("pcm-hermes", "warboy"), ("warboy", "rngd"), ("hbm-pim", "gddr6-aim")]
)
def test_the_parts_add_up(run, one, other):
    a, b = run(pim.target(one)), run(pim.target(other))
    why = pim.compare_results(a, b)
    whole = float(b.energy.sum() - a.energy.sum())
    assert float(why.energy_change.sum()) == pytest.approx(whole, rel=1e-9)
    assert float(why.latency_change.sum()) == pytest.approx(
        float(b.latency.sum() - a.latency.sum()), rel=1e-9
    )
    sizes = abs(why.energy_change.sum("part").values)
    assert (np.diff(sizes) <= 0).all()


def test_another_price_is_named_and_counts_nothing(run):
    machine = pim.target("hbm-pim")
    counted = run(machine).events.sum("layer")
    event = next(
        name for name in machine.energies if name in counted.event and counted.sel(event=name)
    )
    own = machine.energies[event].constant
    dearer = machine.but(
        energies=machine.energies.with_price(
            event, assumed("mine", 2 * own.value, "J", "twice", low=own.value, high=3 * own.value)
        )
    )
    a, b = run(machine), run(dearer)
    why = pim.compare_results(a, b)
    assert why.reason.values.tolist() == [f"hbm-pim: {event}"]
    assert float(why.energy_change.sel(part="count").sum()) == 0
    assert float(why.energy_change.sum()) == pytest.approx(float(b.energy.sum() - a.energy.sum()))
    assert "energies.prices" in " ".join(why.setting.values)


def test_settings_that_differ_are_named_by_path(run):
    machine = pim.target("pcm-hermes")
    a, b = run(machine), run(machine.but(adc=pim.ADC(bits=4)), seed=3, at="1 day")
    why = pim.compare_results(a, b)
    told = {
        str(name): (str(x), str(y))
        for name, x, y in zip(
            why.setting.values, why.setting_a.values, why.setting_b.values, strict=True
        )
    }
    assert told == {"at": ("0.0", "86400.0"), "seed": ("0", "3"), "adc.bits": ("8", "4")}
    assert float(why.metric_change.sel(metric="accuracy")) == float(b.accuracy) - float(a.accuracy)


def test_equal_results_differ_in_nothing(run):
    a = run(pim.target("warboy"))
    why = pim.compare_results(a, a)
    assert why.sizes["setting"] == why.sizes["reason"] == 0


def test_results_of_several_machines_are_refused(run):
    a = run(pim.target("warboy"))
    with pytest.raises(ValueError, match="compare_results b: allowed: what run returned"):
        pim.compare_results(a, pim.compare(["digits-mlp"], ["warboy"], limit=2))
