"""What do the users of a service see, and what does it cost? Latencies, goodput, power and joules
of requests on replicas of a plan.
"""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from pimlab.arguments import typed
from pimlab.cluster.plans import ParallelPlan
from pimlab.serving.answer import answer
from pimlab.serving.bounds import Apart, Service, check_rate, check_requests, check_slo, rate_bound
from pimlab.serving.loop import key_of, run, started
from pimlab.serving.policy import Policy, Slo
from pimlab.serving.requests import Requests
from pimlab.serving.speculation import beside
from pimlab.serving.step_times import MOST_REPLICAS, StepTimes, of_plan
from pimlab.units import is_integer

PIECES = 200
"""Points over time of an answer, while requests arrive."""


@typed
def serve(
    machine: ParallelPlan | StepTimes,
    requests: Requests,
    *,
    slo: Slo | None = None,
    policy: Policy | None = None,
    replicas: int | None = None,
    apart: Apart | None = None,
    quality: xr.Dataset | None = None,
    store: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    """Answer `requests` on replicas of `machine`, a plan of `parallelise` or step times.

    slo : bounds that make a request good.  policy : how a replica batches (`Policy()` unless
    given).  replicas : how many (as the plan says unless given).  apart : replicas of their own for
    decoding.  quality : what `run` returned of the model on this arithmetic; its metrics become
    part of the answer.  store : a file that keeps the run while it goes on; after a stop, the same
    call goes on from there.

    Variables over `request`: arrival, begun [s]; ttft, tpot, latency in s (time to the first
    token, a further one, to the last; NaN where refused); prompt, output; reused (prompt tokens
    found in the prefix cache), preempted, replica; good (bool); rounds (steps of decoding, where a
    draft guesses ahead); energy with _low and _high in J,
    the static power of all replicas dealt out by the time of their steps. Over `percentile`:
    ttft_percentile, tpot_percentile, latency_percentile in s, each a request's own (nearest rank).
    Over `time`: queue, running, pages, power with _low and _high in W. Scalars: goodput and
    throughput in requests a second, token_rate in 1/s, round_tokens (tokens of a round on average,
    where a draft guesses ahead), attainment, token_energy with _low and _high
    in J an output token, assumed_share, duration in s, rate_bound in 1/s, refused.

    Raises ValueError for requests longer than the model or the cache, an SLO that no request keeps
    with no load, requests that come faster than any order of work answers them; TypeError for what
    is no plan and no step times.

    >>> times = pim.serving.single_shot({1: 1e-3, 8: 2e-3})
    >>> load = pim.serve(times, pim.serving.single_shots(rate="500 Hz", count=100))
    >>> float(load.ttft.min()) > 0.99e-3
    True
    """
    service = service_of(machine, policy or Policy(), replicas, apart)
    check_requests(requests, service)
    if slo is not None:
        check_slo(slo, requests, service)
    check_rate(requests, service)
    return _served(service, requests, slo, quality, None if store is None else Path(store))


def service_of(
    machine: ParallelPlan | StepTimes,
    policy: Policy,
    replicas: int | None = None,
    apart: Apart | None = None,
) -> Service:
    """Replicas of `machine` under `policy`; TypeError for what is no plan and no step times."""
    draft, guesses = None, policy.speculation
    if guesses is not None:
        draft = times_of(guesses.draft, policy.but(speculation=None))
        policy = policy.but(speculation=guesses.but(draft=draft))
    times = times_of(machine, policy, draft)
    count = times.replicas if replicas is None else replicas
    if not is_integer(count) or not 1 <= count <= MOST_REPLICAS:
        raise ValueError(
            f"serve replicas={replicas!r:.60}; allowed: an integer, 1 to {MOST_REPLICAS}"
        )
    if apart is not None:
        apart = apart.but(times=times_of(apart.times, policy, draft))
    return Service(times, int(count), policy, apart)


def times_of(
    machine: ParallelPlan | StepTimes, policy: Policy, draft: StepTimes | None = None
) -> StepTimes:
    """Step times of a plan for the batches and steps of `policy`, with room for a `draft`; step
    times pass, and what they say of decoding holds for all guesses of a round together. Unit: s.
    """
    if isinstance(machine, StepTimes):
        return machine if draft is None else beside(machine, draft)
    if not isinstance(machine, ParallelPlan):
        raise TypeError(
            f"serve machine={machine!r:.80} is no plan; write for example pimlab.parallelise(model,"
            " pimlab.Cluster(chip=pimlab.target('rngd')), batch=16, context=4096)"
        )
    size = {"batch": policy.batch, "tokens": policy.tokens, "queries": policy.queries}
    return of_plan(machine, draft=draft, **size)


def _served(
    service: Service,
    requests: Requests,
    slo: Slo | None,
    quality: xr.Dataset | None,
    store: Path | None,
) -> xr.Dataset:
    state = started(requests, service)
    alone = sum(service.times.alone(int(requests.prompt[0]), int(requests.output[0])))
    work = requests.count / rate_bound(requests, service)
    width = max(requests.span, alone, work) / PIECES or 1.0
    key = key_of(requests, *service, width) if store is not None else ""
    pieces = run(state, width, store, key)
    answers, refused = state.answers, int(state.counts[2])
    if requests.users is not None:
        requests = requests.but(arrival=answers.sent)
    del state  # of ten million requests 0.3 GB that the answer does not need
    return answer(answers, refused, pieces, width, service, requests, slo, quality)
