"""Are weights written anew in each step, ranges found or learned, and adapters trained beside what stays?"""

from types import SimpleNamespace

import numpy as np
import pytest
from training_examples import INT3, MODEL, NPU, PCM, TEST, TRAIN, accuracy, parameters

import pimlab as pim
from pimlab.studies import training_machines
from pimlab.workload import ModelError


def _one(recipe, seed=0, **settings):
    given = {"epochs": 2, "rate": 2e-3, "batch": 64, **settings}
    return pim.train(MODEL, INT3, TRAIN, seed=seed, recipe=recipe, **given)


def test_ranges_follow_the_weights(monkeypatch):
    steps, calibrate = [], training_machines.calibrate
    monkeypatch.setattr(
        training_machines, "calibrate", lambda *given: steps.append(None) or calibrate(*given)
    )
    pim.train(MODEL, NPU, TRAIN[:70], batch=1, epochs=1)
    assert len(steps) == 8  # steps 0, 1, 2, 4, 8, 16, 32, 64


def test_drift_times_take_turns():
    both = pim.train(MODEL, PCM, TRAIN[:64], batch=32, at=["1 s", "1 y"])
    first, last = (pim.train(MODEL, PCM, TRAIN[:64], batch=32, at=at) for at in ("1 s", "1 y"))
    assert len({parameters(one) for one in (both, first, last)}) == 3


def test_clipped_weights_have_no_outliers():
    clipped, plain = (_one(pim.Recipe(clip=clip), epochs=1) for clip in (1.5, None))

    def largest(model):
        w = model.weights["fc2"]
        return (np.abs(w) / np.sqrt(np.square(w).mean(axis=1, keepdims=True))).max(axis=1).mean()

    assert largest(clipped) < 2 < largest(plain)


def test_learned_ranges_go_with_the_model():
    trained = _one(pim.Recipe(ranges="learned", range_decay=0.2))
    assert set(trained.ranges) == set(MODEL.weights)
    found = pim.workload.calibrate(trained, TEST, "learned")
    for name, learned in trained.ranges.items():
        assert found[name].x == learned
        assert found[name].x != pim.workload.calibrate(trained, TEST)[name].x
    assert accuracy(trained, INT3, rule="learned") > 0.95
    with pytest.raises(ValueError, match="calibration rule 'learned' is not known"):
        pim.run(MODEL, INT3, TEST, rule="learned")


def test_adapters_learn_beside_weights_that_stay():
    trained = _one(pim.Recipe(adapter=4), rate=5e-3)
    for name, w in MODEL.weights.items():
        assert np.array_equal(trained.weights[name], w)
    assert accuracy(trained, INT3) > accuracy(MODEL, INT3) + 0.005
    with pytest.raises(ModelError, match="adapter of rank 40 beside layer"):
        _one(pim.Recipe(adapter=40))


def test_a_calibration_reads_the_inputs_of_the_loss():
    """Each token is asked for the next one, so that the last of a window is no input; a product of
    one token has one row a token."""
    graph = SimpleNamespace(weights={}, biases={}, outputs=lambda read, product: (read, product))
    tokens = np.arange(12).reshape(3, 4)
    for objective, inputs in ((True, tokens[:, :-1]), (False, tokens)):
        view = training_machines._view(SimpleNamespace(), graph, SimpleNamespace(tokens=objective))
        read, product = view.execute(tokens, lambda op, x, w, row: row, first=2)
        assert read.tolist() == inputs.tolist()
        assert product(SimpleNamespace(m=1), None, None, 1) == 2 * (3 if objective else 1) + 1
