"""The small network, machines and data that the tests of training share."""

import pimlab as pim

PCM, NPU = pim.target("pcm-hermes"), pim.target("warboy")
INT3 = NPU.but(name="int3", arithmetic=NPU.arithmetic.but(weights="int3", activations="int4"))
MODEL, TRAIN, TEST = (
    pim.load_model("digits-mlp"),
    pim.load_data("digits", split="train"),
    pim.load_data("digits", split="test"),
)


def accuracy(model, target, seed=0, **settings):
    """Of the test split."""
    return float(pim.run(model, target, TEST, seed=seed, **settings).accuracy)


def parameters(model):
    """All weights and biases, as bytes."""
    return b"".join(
        model.weights[name].tobytes() + model.biases[name].tobytes() for name in model.weights
    )
