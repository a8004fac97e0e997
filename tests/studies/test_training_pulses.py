"""Does every rule of pulses learn, and are its pulses counted, priced and worn?"""

import pytest

import pimlab as pim
from pimlab.analog.learning import (
    SGD,
    MixedPrecision,
    ReadPass,
    TikiTaka,
    TikiTakaV2,
    read_pass,
    reference_cell,
    update_device,
)

MODEL, TRAIN, TEST = (
    pim.load_model("digits-mlp"),
    pim.load_data("digits", split="train"),
    pim.load_data("digits", split="test"),
)


@pytest.mark.parametrize("rule", [SGD, MixedPrecision, TikiTaka, TikiTakaV2])
def test_each_rule_learns_from_random_weights(rule):
    trained = pim.train(
        MODEL,
        rule(device=update_device("ecram-tang2018")),
        TRAIN,
        epochs=1,
        rate=0.03,
        batch=4,
        start="random",
    )
    outputs = trained.execute(TEST.inputs, trained.exact)
    assert (outputs.argmax(axis=1) == TEST.labels).mean() > 0.75
    pulses = trained.history.pulses
    assert pulses.dims == ("epoch", "layer")
    assert (pulses > 0).all()
    assert (trained.history.most_pulses < pulses).all()
    assert (trained.history.cut < 0.5).all()


def test_pulses_are_priced_and_wear():
    trained = pim.train(
        MODEL,
        MixedPrecision(device=update_device("pcm-nandakumar2020")),
        TRAIN[:128],
        epochs=2,
        rate=0.02,
        batch=8,
    )
    history = trained.history
    assert history.energy.sel(epoch=2, layer="fc1") == pytest.approx(
        20e-12 * float(history.pulses.sel(epoch=2, layer="fc1"))
    )
    assert (history.pulses[1] >= history.pulses[0]).all()
    assert history.endurance_used.max() == pytest.approx(float(history.most_pulses.max()) / 1e9)
    assert "nandakumar2020" in history.attrs["sources"]
    assert (
        "energy"
        not in pim.train(
            MODEL, SGD(device=update_device("rpu-gokmen2016")), TRAIN[:8], rate=0.02, batch=4
        ).history
    )


def _accuracy(rule, epochs=1):
    trained = pim.train(MODEL, rule, TRAIN, epochs=epochs, rate=0.03, batch=4, start="random")
    outputs = trained.execute(TEST.inputs, trained.exact)
    return float((outputs.argmax(axis=1) == TEST.labels).mean()), trained


def test_a_network_learns_through_the_converters_of_both_ways():
    """Gokmen, Onen, Haensch 2017: 7-bit inputs, 9-bit outputs and noise of 0.06 do not hinder."""
    cell = reference_cell(update_device("ecram-tang2018"))
    ways = (read_pass("rpu-gokmen2017"), read_pass("rpu-gokmen2017", "backward"))
    found, trained = _accuracy(SGD(device=cell, forward=ways[0], backward=ways[1]))
    assert found > 0.75
    sources = trained.history.attrs["sources"]
    assert "gokmen2017" in sources
    assert "tang2018" in sources


def test_each_way_is_read_by_its_own_pass():
    """A way back that carries nothing leaves the first layer as it was, and the last learns."""
    cell = update_device("rpu-idealized")
    nothing = ReadPass(bound=1e-30)
    rule = SGD(device=cell, backward=nothing)
    trained = pim.train(MODEL, rule, TRAIN[:64], rate=0.03, batch=8)
    pulses = trained.history.pulses.sel(epoch=1)
    first, last = pulses.layer.values[[0, -1]]
    assert float(pulses.sel(layer=first)) == 0
    assert float(pulses.sel(layer=last)) > 0
    blind = pim.train(MODEL, SGD(device=cell, forward=nothing), TRAIN[:64], rate=0.03, batch=8)
    loss = float(blind.history.loss[-1])
    assert loss > 5 * float(trained.history.loss[-1])
