"""Digital units of a chip: what they serve, how long it takes, and what is left for a host."""

import pytest

import pimlab as pim
from pimlab.analog.digital import DigitalUnits
from pimlab.machine.protocol import VectorOp


def test_activations_run_on_the_chip_and_pooling_on_the_host():
    hermes = pim.target("pcm-hermes")
    relu, pool = (VectorOp(name=kind, kind=kind, elements=640) for kind in ("relu", "maxpool"))
    assert hermes.serves(relu)
    assert not hermes.serves(pool)
    assert hermes.events(relu) == {"digital operation": 640}
    assert hermes.latency(relu) == {"digital operation": pytest.approx(640 / 64e9)}
    assert hermes.resources(relu) == {"digital operation": "digital units"}
    assert hermes.latency(pool) == hermes.events(pool) == {}
    assert not hermes.but(digital=None).serves(relu)


def test_a_network_of_products_and_activations_needs_no_host():
    model = pim.load_model("digits-mlp")
    answer = pim.run(model, pim.target("pcm-hermes"))
    assert set(answer.executor.values) == {"pcm-hermes"}


def test_kinds_are_words():
    with pytest.raises(ValueError, match="operator types in lower case"):
        DigitalUnits(kinds=("ReLU",), rate="1 GHz")
    with pytest.raises(ValueError, match="operator types in lower case"):
        DigitalUnits(kinds=(), rate="1 GHz")
