"""Is the decoder that is trained the decoder that runs, and are its gradients slopes?"""

import numpy as np
import pytest
from finite_differences import assert_gradients

from pimlab.workload import ModelError, load_model
from pimlab.workload.language.experts import ExpertShape
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.training import Graph
from pimlab.workload.training.decoder_layers import read_decoder

RNG = np.random.default_rng(5)
SIZES = {
    "vocabulary": 256,
    "width": 8,
    "layers": 2,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 4,
    "hidden": 12,
    "context": 16,
    "rope_base": 100.0,
    "norm_epsilon": 1e-5,
}
GEMMA = {
    "qk_norm": True,
    "post_norms": True,
    "window": 3,
    "global_every": 2,
    "attention_cap": 5.0,
    "logit_cap": 4.0,
    "gate": "gelu",
    "embedding_scale": 2.0,
    "local_rope_base": 50.0,
}


class Bytes:
    """A tokenizer whose tokens are bytes."""

    name, size = "bytes", 256


def decoder(**more):
    """A small decoder with random weights."""
    shape = DecoderShape(**SIZES, **more)
    names = [f"layer{i}.{name}" for i in range(shape.layers) for name in shape.matrices]
    sizes = [size for _ in range(shape.layers) for size in shape.matrices.values()]
    weights = {
        name: RNG.standard_normal((1, *size)).astype(np.float32) / np.float32(size[0] ** 0.5)
        for name, size in zip(names, sizes, strict=True)
    }
    weights["head"] = RNG.standard_normal((1, 8, 256)).astype(np.float32) / 3
    gains = {f"layer{i}.{n}": size for i in range(shape.layers) for n, size in shape.gains.items()}
    parameters = {
        name: 1 + RNG.standard_normal(size).astype(np.float32) / 5
        for name, size in {**gains, "norm": shape.width}.items()
    }
    parameters["embedding"] = RNG.standard_normal((256, 8)).astype(np.float32)
    return LanguageModel(
        name="tiny",
        sha256="0",
        shape=shape,
        tokenizer=Bytes(),
        weights=weights,
        parameters=parameters,
    )


@pytest.mark.parametrize("more", [{}, GEMMA], ids=["LLaMA", "Gemma"])
def test_the_layers_compute_what_the_model_does_and_their_gradients_are_slopes(more):
    model = decoder(**more)
    tokens = RNG.integers(0, 256, (2, 7))
    graph = Graph(model)
    found = graph.outputs(tokens, graph.exact)
    np.testing.assert_allclose(found, model.logits(tokens), rtol=1e-4, atol=1e-5)
    assert set(graph.parameters) == set(model.parameters)
    assert_gradients(graph, tokens, RNG, step=1e-3, tolerance=1e-2)


def test_the_projects_own_model_is_read_whole():
    model = load_model("small-lm")
    tokens = RNG.integers(0, 1024, (1, 12))
    graph = Graph(model)
    np.testing.assert_allclose(
        graph.outputs(tokens, graph.exact), model.logits(tokens), rtol=1e-3, atol=1e-3
    )


def test_a_router_is_refused():
    model = decoder()
    model.shape = ExpertShape(**SIZES, experts=4, active=2)
    with pytest.raises(ModelError, match="tiny: its layers have a router"):
        read_decoder(model)
