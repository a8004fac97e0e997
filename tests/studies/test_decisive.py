"""Is every assumed price moved, as the machine itself would price it, and is a new order seen?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.constants import assumed


def priced(name, event, value, low, high):
    """hbm-pim with a name of its own and one price of its own."""
    machine = pim.target("hbm-pim").but(name=name)
    constant = assumed("my price", value, "J", "an example", low=low, high=high)
    return machine.but(energies=machine.energies.with_price(event, constant))


@pytest.fixture(scope="module")
def event():
    return next(iter(pim.target("hbm-pim").energies))


def test_energies_are_those_of_run():
    found = pim.decisive("fashion-cnn", ["warboy", "hbm-pim", "pcm-hermes"])
    for name in found.target.values:
        ours = pim.run(pim.load_model("fashion-cnn"), pim.target(str(name))).energy.sum()
        assert float(found.energy.sel(target=name)) == pytest.approx(float(ours), rel=1e-12)
    shares = abs(found.moved / found.energy - 1).max(("end", "target")).values
    assert (np.diff(shares) <= 0).all()
    assert (shares > 0).all()


def test_a_moved_price_gives_the_energy_of_that_machine(event):
    low, value, high = 1e-12, 2e-12, 1e-9
    machine = priced("mine", event, value, low, high)
    found = pim.decisive("digits-mlp", [machine, "warboy"])
    for end, joules in (("low", low), ("high", high)):
        other = priced("mine", event, joules, joules, joules)
        ours = pim.run(pim.load_model("digits-mlp"), other).energy.sum()
        moved = found.moved.sel(price="my price", end=end, target="mine")
        assert float(moved) == pytest.approx(float(ours), rel=1e-9)


def test_an_order_that_changes_is_seen(event):
    cheap = priced("cheap", event, 1e-12, 1e-13, 1e-3)
    dear = pim.target("hbm-pim").but(name="dear")
    found = pim.decisive("digits-mlp", [cheap, dear])
    mine = found.sel(price="my price")
    assert mine.reorders.sel(end="high")
    first = str(found.target.values[int(found.energy.values.argmin())])
    assert str(mine.cheapest.sel(end="high").item()) != first


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"targets": ["warboy"]}, "allowed: two machines or more"),
        ({"targets": ["warboy", "warboy"]}, "each once"),
        ({"targets": ["warboy", "rngd"], "status": "asumed"}, "did you mean 'assumed'"),
    ],
)
def test_wrong_questions_teach(how, told):
    with pytest.raises(ValueError, match=told):
        pim.decisive("digits-mlp", **how)
