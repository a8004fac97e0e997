"""Does every rule of pulses learn, and are its pulses counted, priced and worn?"""

import pytest

import pimlab as pim
from pimlab.analog.learning import SGD, MixedPrecision, TikiTaka, TikiTakaV2, update_device

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
