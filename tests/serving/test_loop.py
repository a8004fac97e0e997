"""Does a run that was stopped go on to the same bits?"""

import pytest
from serving_examples import requests, times

import pimlab as pim
from pimlab.serving import serve


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    from pimlab.serving import loop

    some = pim.poisson(rate="0.2 Hz", count=60, input=[5, 30], output=[1, 6])
    whole = serve(times(), some)
    store = tmp_path / "run.npz"
    monkeypatch.setattr(loop, "PIECES", 20)
    plain, calls = loop.advance, []

    def stopped(*state):
        calls.append(1)
        if len(calls) == 90:
            raise KeyboardInterrupt
        plain(*state)

    monkeypatch.setattr(loop, "advance", stopped)
    with pytest.raises(KeyboardInterrupt):
        serve(times(), some, store=store)
    monkeypatch.setattr(loop, "advance", plain)
    with pytest.raises(ValueError, match="holds another run"):
        serve(times(), some, store=store, replicas=2)
    again = serve(times(), some, store=store)
    assert again.identical(whole)
    assert not store.exists()
    store.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="is no state of a run"):
        serve(times(), some, store=store)


def test_whatever_requests_hold_the_loop_is_compiled_once():
    """Arrays that a loop may write are another type to Numba: 20 s of compilation for each mixture."""
    from pimlab.serving import Policy
    from pimlab.serving.bounds import Service
    from pimlab.serving.loop import started

    lone = requests([0.0, 1.0], [40, 40], [1, 1])
    sharing = requests([0.0, 1.0], [40, 40], [1, 1], first=[0, 2, 4], blocks=[1, 2, 1, 2])
    states = [started(one, Service(times(), 1, Policy())) for one in (lone, sharing)]
    written = [[one.flags.writeable for one in (*s.load, *s.tables, *s.drafts)] for s in states]
    assert written[0] == written[1]
    assert not any(written[0])
