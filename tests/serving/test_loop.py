"""Does a run that was stopped go on to the same bits, and is the kernel the slow loop, bit by bit?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_examples import requests, times

import pimlab as pim
from pimlab.kernels import serving as kernels
from pimlab.reference import serving as reference
from pimlab.serving import Apart, Policy, Speculation, serve, single_shot
from pimlab.serving.bounds import Service
from pimlab.serving.loop import started

LINK = pim.link("pcie4-x16").but(bandwidth="8000 bit/s", delay="1 s")


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
    lone = requests([0.0, 1.0], [40, 40], [1, 1])
    sharing = requests([0.0, 1.0], [40, 40], [1, 1], first=[0, 2, 4], blocks=[1, 2, 1, 2])
    states = [started(one, Service(times(), 1, Policy())) for one in (lone, sharing)]
    written = [[one.flags.writeable for one in (*s.load, *s.tables, *s.drafts)] for s in states]
    assert written[0] == written[1]
    assert not any(written[0])


@st.composite
def odd_loads(draw):
    """Bursts, ties and long silences; one request or many; shared beginnings; all of one length."""
    n = draw(st.integers(1, 18))
    gaps = draw(st.lists(st.sampled_from([0.0, 0.0, 1e-9, 0.5, 7.25, 1e5]), min_size=n, max_size=n))
    prompt = draw(st.lists(st.integers(1, 40), min_size=n, max_size=n))
    output = draw(st.lists(st.sampled_from([1, 1, 2, 17, 40]), min_size=n, max_size=n))
    counts = [p // 8 if draw(st.booleans()) else 0 for p in prompt]
    blocks = [10 * draw(st.integers(0, 2)) + k for c in counts for k in range(c)]
    return requests(
        np.cumsum(gaps), prompt, output, first=np.cumsum([0, *counts]),
        blocks=np.array(blocks, int), block=8, users=draw(st.sampled_from([None, 1, 3])),
    )  # fmt: skip


@st.composite
def services(draw):
    """Any router, memory just enough for the longest request, swapping, guesses, apart or not."""
    guesses = Speculation(draft=single_shot({1: 0.1}), ahead=3, acceptance=0.6, seed=5)
    policy = Policy(
        batch=draw(st.integers(1, 6)), tokens=draw(st.integers(24, 60)),
        page=draw(st.sampled_from([1, 2, 4, 8])), mixed=draw(st.booleans()),
        prefixes=draw(st.booleans()),
        router=draw(st.sampled_from(["round robin", "least work", "prefix aware"])),
        swap=LINK if draw(st.booleans()) else None, queue=draw(st.sampled_from([None, 1, 4])),
        speculation=guesses if draw(st.booleans()) else None,
    )  # fmt: skip
    apart = Apart(times=times(held=88), link=LINK) if draw(st.booleans()) else None
    return Service(times(held=88), draw(st.integers(1, 3)), policy, apart)


def ran(advance, load, service):
    state = started(load, service)
    advance(*state, np.inf)
    return [*state.answers, *state[9:12]]


@settings(max_examples=40, deadline=None)
@given(odd_loads(), services())
def test_the_kernel_is_its_twin_on_odd_loads(load, service):
    for fast, slow in zip(
        ran(kernels.advance, load, service), ran(reference.advance, load, service), strict=True
    ):
        np.testing.assert_array_equal(fast, slow)
