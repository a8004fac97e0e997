"""Is each operator run by its machine, with keys of its own, and is what was lost named?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.keys import Key
from pimlab.plan import planned
from pimlab.studies.execution import SAMPLED, Execution

MODEL = pim.load_model("digits-mlp")
X = pim.load_data("digits", limit=40).inputs
FIRST, SECOND = MODEL.mac_ops


def execution(name="pcm-hermes", seed=3):
    return Execution(planned(MODEL, pim.target(name)), {}, seed)


def test_a_digital_machine_repeats_and_an_analog_one_follows_its_seed():
    digital = [execution("warboy", seed).outputs(X, 0, 0.0) for seed in (1, 2)]
    np.testing.assert_array_equal(*digital)
    same = [execution(seed=1).outputs(X, 0, 0.0) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(same[0], execution(seed=2).outputs(X, 0, 0.0))


def test_chunks_of_a_data_set_give_the_same_outputs():
    one = execution()
    whole = one.outputs(X, 0, 0.0)
    parts = np.concatenate([one.outputs(X[:15], 0, 0.0), one.outputs(X[15:], 15, 0.0)])
    np.testing.assert_array_equal(whole, parts)


def test_weights_are_programmed_with_the_operators_key():
    one = execution(seed=5)
    key = Key(seed=5).child(FIRST.name, 0)
    machine = pim.target("pcm-hermes")
    bias = MODEL.biases.get(FIRST.name)
    alone = machine.program(MODEL.weights[FIRST.name][0], key, bias=bias)
    read = Key(seed=5).child(FIRST.name, "read").child(0).rows(0)
    np.testing.assert_array_equal(
        alone.counted(X, read, 0.0)[0], one.programmed[FIRST.name][0].counted(X, read, 0.0)[0]
    )


def test_integrals_are_the_mean_over_the_first_samples_alone():
    one, few = execution(), execution()
    one.outputs(X, 0, 0.0)
    few.outputs(X[:SAMPLED], 0, 0.0)
    assert one.integrals(FIRST) == pytest.approx(few.integrals(FIRST))
    assert min(one.integrals(FIRST).values()) > 0
    one.forget()
    assert one.integrals(FIRST) == {}
    assert not one.overflowed


def test_the_layer_that_overflows_is_named():
    half = execution("hbm-pim")
    half.programmed[FIRST.name][0] = type("Lost", (), {
        "counted": lambda self, x, key, at: (np.full((len(x), FIRST.n), np.inf, np.float32), {})
    })()  # fmt: skip
    with pytest.raises(ValueError, match=f"layer '{FIRST.name}' overflows: {40 * FIRST.n} of its"):
        half.outputs(X, 0, 0.0)


def test_a_result_says_which_machine_computes_with_the_codes_of_the_file():
    small, data = pim.compress(MODEL, method="rtn", bits=4), pim.load_data("digits", limit=8)
    npu, banks = pim.target("warboy"), pim.target("upmem")
    plan = pim.Plan(model=small, machines=[npu, banks], owners={SECOND.name: "upmem"})
    said = "warboy: 1 layer as the model's codes, upmem: 1 layer as the model's codes"
    assert pim.run(small, plan, data).attrs["weights"] == said
    one = pim.run(small, pim.streamed(pim.target("pcm-hermes")), data)
    assert one.attrs["weights"] == "pcm-hermes: 2 layers as values in conductances"
    assert "weights" not in pim.run(MODEL, npu, data).attrs
