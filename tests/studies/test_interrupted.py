"""Does a call that Ctrl-C stopped go on from what it had finished, with the same numbers?"""

import importlib

import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab.analog.learning import SGD, update_device
from pimlab.studies import execution, interrupted
from pimlab.studies.interrupted import going_on
from pimlab.studies.training_steps import Steps

RUN, EXPLAIN = (importlib.import_module(f"pimlab.studies.{name}") for name in ("run", "explain"))
MODEL, DATA = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
PCM = pim.target("pcm-hermes")


class Stop:
    """Calls `function`; the call number `at` is Ctrl-C."""

    def __init__(self, function, at):
        self.function, self.at, self.calls = function, at, 0

    def __call__(self, *args, **named):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return self.function(*args, **named)


def _stopped(identity, error=KeyboardInterrupt):
    with going_on(identity, "work", 3, "part") as (kept, _):
        kept["a"] = identity
        raise error


def _kept(identity):
    with going_on(identity, "work", 3, "part") as (kept, bar):
        assert bar.initial == len(kept)
        return kept


def test_what_is_kept_is_of_one_call_and_used_once():
    with pytest.raises(KeyboardInterrupt, match="1 of 3 parts are kept"):
        _stopped("one")
    assert _kept("another") == {}
    assert _kept("one") == {"a": "one"}
    assert _kept("one") == {}


def test_only_the_last_calls_are_remembered():
    for number in range(interrupted.MOST + 1):
        with pytest.raises(KeyboardInterrupt):
            _stopped(number)
    assert _kept(0) == {}
    assert _kept(1) == {"a": 1}


def test_an_error_is_no_interrupt():
    with pytest.raises(ValueError, match="broken"):
        _stopped("broken", ValueError("broken"))
    assert _kept("broken") == {}


def test_run_goes_on_with_the_next_time(monkeypatch):
    times = ["0 s", "1 day", "1 year"]
    whole = pim.run(MODEL, PCM, DATA, at=times)
    scored = Stop(RUN.score, 3)
    monkeypatch.setattr(RUN, "score", scored)
    with pytest.raises(KeyboardInterrupt, match="2 of 3 times are kept"):
        pim.run(MODEL, PCM, DATA, at=times)
    again = pim.run(MODEL, PCM, DATA, at=times)
    assert scored.calls == 4
    xr.testing.assert_identical(again, whole)


def test_explain_goes_on_with_the_next_variant(monkeypatch):
    whole = pim.explain(MODEL, PCM, DATA)
    scored = Stop(EXPLAIN.score, 5)
    monkeypatch.setattr(EXPLAIN, "score", scored)
    with pytest.raises(KeyboardInterrupt, match="4 of 14 variants are kept"):
        pim.explain(MODEL, PCM, DATA)
    again = pim.explain(MODEL, PCM, DATA)
    assert scored.calls == 15
    xr.testing.assert_identical(again, whole)


RULE = SGD(device=update_device("rpu-idealized"))


@pytest.mark.parametrize(
    ("target", "recipe"),
    [
        (PCM, None),
        (pim.target("warboy"), pim.Recipe(ranges="learned")),
        (PCM, pim.Recipe(adapter=2)),
        (RULE, None),
    ],
    ids=["machine", "learned ranges", "adapters", "pulses"],
)
def test_training_goes_on_with_the_next_epoch(target, recipe, monkeypatch):
    data = pim.load_data("digits", split="train", limit=32)
    asked = {"epochs": 3, "batch": 16, "rate": 1e-3 if recipe or target is PCM else 0.01}
    whole = pim.train(MODEL, target, data, recipe=recipe, **asked)
    stepped = Stop(Steps.operands, 6)
    monkeypatch.setattr(Steps, "operands", lambda self, *args: stepped(self, *args))
    with pytest.raises(KeyboardInterrupt, match="2 of 3 epochs are kept"):
        pim.train(MODEL, target, data, recipe=recipe, **asked)
    again = pim.train(MODEL, target, data, recipe=recipe, **asked)
    assert stepped.calls == 8
    xr.testing.assert_identical(again.history, whole.history)
    for name, w in whole.weights.items():
        assert np.array_equal(again.weights[name], w)


def test_placing_goes_on_with_the_next_placement(monkeypatch):
    machines = [pim.target("warboy"), PCM.but(host=None)]
    asked = {"accuracy_drop": 0.0, "data": DATA}
    whole = pim.place(MODEL, machines, **asked)
    programmed = Stop(execution.Execution, 2)
    monkeypatch.setattr(RUN, "Execution", programmed)
    with pytest.raises(KeyboardInterrupt, match="1 of . placements are kept"):
        pim.place(MODEL, machines, **asked)
    again = pim.place(MODEL, machines, **asked)
    assert again.owners == whole.owners
    assert again.accuracy == whole.accuracy
