"""Does every sample come once an epoch, and does the history say what happened?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.keys import Key
from pimlab.progress import Bar
from pimlab.studies.training_steps import Steps
from pimlab.workload.training import Graph, Objective, Recipe

MODEL, TRAIN = pim.load_model("digits-mlp"), pim.load_data("digits", split="train", limit=30)


def _steps(epochs=2, batch=8):
    objective = Objective(TRAIN, Recipe())
    return Steps(Graph(MODEL), objective, epochs, batch, Key(seed=0), None, {}, Bar("t", 1, "step"))


def test_every_sample_comes_once_an_epoch_in_an_order_of_its_own():
    found = list(_steps())
    assert [epoch for epoch, _ in found] == [0] * 4 + [1] * 4
    first, second = (np.concatenate([c for e, c in found if e == epoch]) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(30))
    assert list(first) != list(second)


def test_history_says_what_happened():
    steps = _steps(epochs=1, batch=15)
    for epoch, chosen in steps:
        seen, terms = steps.operands(epoch, chosen, steps.graph.exact)
        assert terms == 15
        assert set(seen) == set(MODEL.weights)
    history = steps.history()
    assert history.loss.shape == (1,)
    outputs = MODEL.execute(TRAIN.inputs, MODEL.exact)
    right = (outputs.argmax(axis=1) == TRAIN.labels).mean()
    assert float(history.train_accuracy[0]) == pytest.approx(right)
    assert all({"units", "long_name"} <= set(history[name].attrs) for name in history.data_vars)
