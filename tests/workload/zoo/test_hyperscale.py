"""What does a token of a hyperscale model cost, when its weights are not here?"""

import pytest

from pimlab.workload import ModelError
from pimlab.workload.zoo.hyperscale import hyperscale


def test_weights_of_llama_2_7b():
    """7 billion parameters, of which 32,000 x 4,096 embeddings are looked up and not multiplied."""
    model = hyperscale("llama2-7b")
    weights = sum(op.k * op.n * op.groups for op in model.mac_ops if op.kind == "weights")
    assert weights == pytest.approx(6.738e9 - 32000 * 4096, rel=1e-3)


def test_another_step_is_another_count_of_the_same_shape():
    model = hyperscale("llama2-7b")
    longer = model.at(context=2048, batch=4)
    assert longer.sha256 == model.sha256
    assert (longer.context, longer.batch) == (2048, 4)
    assert model.context == model.shape.context
    prompt = model.at(prompt=100)
    assert (prompt.context, prompt.prompt) == (100, 100)
    with pytest.raises(ValueError, match="context"):
        model.at(context=10**6)


def test_no_weights_no_outputs():
    with pytest.raises(ModelError, match="its weights are not here.*load_model\\('small-lm'\\)"):
        hyperscale("llama2-7b").execute()


def test_what_was_announced_without_a_shape_says_so():
    with pytest.raises(ModelError, match="no division of it.*'hyperclova-82b'"):
        hyperscale("hyperclova-204b")
    with pytest.raises(ValueError, match="llama2-7"):
        hyperscale("llama2-7")
