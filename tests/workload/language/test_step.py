"""Does another step of a decoder count another context, batch and prompt, and leave the first?"""

import pytest

import pimlab as pim


@pytest.fixture(scope="module")
def model():
    return pim.load_model("llama2-7b")


def test_attention_grows_with_the_context_and_weights_do_not(model):
    short, long = (model.at(context=context) for context in (512, 1024))
    for a, b in zip(short.mac_ops, long.mac_ops, strict=True):
        assert b.macs == (a.macs if a.kind == "weights" else 2 * a.macs)


def test_a_prompt_is_its_own_context(model):
    prompt = model.at(prompt=64)
    assert (prompt.context, prompt.prompt, prompt.batch) == (64, 64, 1)
    weights = [(a, b) for a, b in zip(model.mac_ops, prompt.mac_ops, strict=True)]
    assert all(b.m == 64 * a.m for a, b in weights if a.kind == "weights" and a.name != "head")


def test_the_model_it_came_from_is_as_it_was(model):
    before = model.mac_ops
    assert model.at(batch=7).batch == 7
    assert model.mac_ops is before


@pytest.mark.parametrize("wrong", [{"context": 0}, {"batch": 0}, {"prompt": 10**6}])
def test_steps_that_cannot_be(model, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("prompt", "context")):
        model.at(**wrong)
