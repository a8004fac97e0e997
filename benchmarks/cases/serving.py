"""Cases of `pimlab.kernels.serving` and `step_times`: event by event with linked lists in arrays
against objects, lists and ordered dictionaries.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import serving as kernels
from pimlab.kernels import step_times as times_kernels
from pimlab.machine.links import link
from pimlab.reference import serving as reference
from pimlab.reference import step_times as times_reference
from pimlab.serving.bounds import Apart, Service
from pimlab.serving.loop import started
from pimlab.serving.policy import Policy
from pimlab.serving.requests import Requests
from pimlab.serving.speculation import Speculation
from pimlab.serving.step_times import StepTimes, single_shot

SIZES = {"tiny": (12, 2), "small": (80, 3), "large": (20_000, 8)}


def _times(rng, held):
    """Step times of random machines, that grow with tokens, sequences and contexts."""
    tokens, batch, context = np.array([1.0, 4, 64]), np.array([1.0, 3, 16]), np.array([1.0, 40])

    def table(*axes):
        grow = np.zeros(tuple(axis.size for axis in axes))
        for place, axis in enumerate(axes):
            grow = grow + axis.reshape([-1 if i == place else 1 for i in range(len(axes))])
        return (1 + grow / 50)[..., None] * rng.random(5)

    return StepTimes(
        name="random",
        tokens=tokens,
        rest=table(tokens),
        batch=batch,
        context=context,
        decode=table(batch, context),
        queries=tokens,
        behind=context,
        prompt=table(tokens, context),
        held=held,
        longest=10**6,
        token_bytes=1e9,
    )


def _requests(rng, count):
    """Requests that come in bursts, of prompts with shared beginnings."""
    prompt, output = rng.integers(1, 30, count), rng.integers(1, 20, count)
    counts = prompt // 8 * (rng.random(count) < 0.8)
    first = np.concatenate([[0], np.cumsum(counts)])
    blocks = np.concatenate([np.arange(n) + 10 * rng.integers(0, 4) for n in counts])
    gaps = rng.integers(0, 3, count) * rng.exponential(3.0, count)
    return Requests(
        name="random",
        arrival=np.cumsum(gaps),
        prompt=prompt,
        output=output,
        first=first,
        blocks=blocks.astype(np.int32),
        block=8,
    )


def _state(policy, apart, users=None):
    def make(rng, size):
        count, replicas = SIZES[size]
        how = policy
        if policy.speculation is not None:
            how = policy.but(speculation=policy.speculation.but(draft=_times(rng, 72)))
        times, requests = _times(rng, 72), _requests(rng, count).but(users=users)
        decoders = Apart(times=_times(rng, 64), replicas=2, link=SLOW) if apart else None
        return (*started(requests, Service(times, replicas, how, decoders)), np.inf)

    return make


def _run(function):
    def run(*state):
        function(*state)
        answers, clock, counts, sums = state[1], *state[9:12]
        return (*answers, clock, counts, sums)

    return run


SLOW = link("pcie4-x16")
GUESSES = Speculation(draft=single_shot({1: 1.0}), ahead=3, acceptance=0.7)
POLICIES = {
    "": (Policy(batch=4, tokens=16, page=4), False),
    " whole prompts": (Policy(batch=4, tokens=16, page=4, mixed=False, queue=5), False),
    " swapping": (Policy(batch=6, tokens=24, page=2, router="prefix aware", swap=SLOW), False),
    " in turn": (Policy(batch=6, tokens=9, page=8, prefixes=False, router="round robin"), False),
    " speculating": (Policy(batch=4, tokens=20, page=4, speculation=GUESSES), False),
    " speculating whole": (
        Policy(batch=4, tokens=16, page=2, mixed=False, swap=SLOW, speculation=GUESSES),
        False,
    ),
    " speculating apart": (Policy(batch=3, tokens=12, page=4, speculation=GUESSES), True),
    " closed": (Policy(batch=4, tokens=16, page=4), False),
    " apart": (Policy(batch=4, tokens=16, page=4, router="prefix aware"), True),
    " apart whole": (Policy(batch=4, tokens=8, page=4, mixed=False, router="round robin"), True),
}


def _looked_up(module, name):
    def run(*arguments):
        out = np.empty(5)
        getattr(module, name)(*arguments, out)
        return out

    return run


def _line(rng, size):
    count = {"tiny": 1, "small": 4, "large": 100}[size]
    return np.cumsum(rng.random(count)), rng.random((count, 5)), rng.random() * count


def _plane(rng, size):
    n, m = {"tiny": (2, 1), "small": (3, 5), "large": (100, 100)}[size]
    rows, columns = np.cumsum(rng.random(n)), np.cumsum(rng.random(m))
    return rows, columns, rng.random((n, m, 5)), rng.random() * n, rng.random() * m


CASES = {
    f"serving.advance{name}": Case(
        _run(kernels.advance),
        _run(reference.advance),
        _state(policy, apart, 5 if "closed" in name else None),
        covers=("serving.advance",),
    )
    for name, (policy, apart) in POLICIES.items()
} | {
    f"step_times.{name}": Case(
        _looked_up(times_kernels, name),
        _looked_up(times_reference, name),
        make,
        covers=(f"step_times.{name}",),
    )
    for name, make in (("along", _line), ("across", _plane))
}
