"""Which requests, rates and SLOs can no policy serve? What is refused before anything runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pimlab import units
from pimlab.arguments import typed
from pimlab.cluster.plans import ParallelPlan
from pimlab.machine.links import Link
from pimlab.serving.policy import Policy, Slo
from pimlab.serving.requests import Requests
from pimlab.serving.step_times import MOST_REPLICAS, StepTimes
from pimlab.values import Value, integer, part

MOST_BYTES = 4 * 10**9
"""Bytes that the places of running requests and the shared blocks of all replicas may take."""


class Apart(Value):
    """Replicas of their own for decoding: `replicas` of `times` (step times or a plan), to which
    caches of prompts cross over `link`, one after another from each replica that reads prompts.
    """

    times: StepTimes | ParallelPlan = part(StepTimes, ParallelPlan)
    link: Link = part(Link)
    replicas: int = integer(1, MOST_REPLICAS, default=1)


class Service(NamedTuple):
    """Replicas that read prompts (and decode, where nothing is apart), and how they batch."""

    times: StepTimes
    replicas: int
    policy: Policy
    apart: Apart | None = None

    @property
    def decoders(self) -> StepTimes:
        """Step times of the replicas that decode."""
        if self.apart is None:
            return self.times
        assert isinstance(self.apart.times, StepTimes)  # `service_of` made it of a plan
        return self.apart.times

    @property
    def draft(self) -> StepTimes | None:
        """Step times of the model that guesses ahead; None without one."""
        if self.policy.speculation is None:
            return None
        assert isinstance(self.policy.speculation.draft, StepTimes)
        return self.policy.speculation.draft

    @property
    def token_bytes(self) -> float:
        """Bytes of one token of cache, that of the draft included (unit: bytes)."""
        return self.times.token_bytes + (self.draft.token_bytes if self.draft else 0.0)

    @property
    def crossing(self) -> tuple[float, float]:
        """(delay [s]; s a token) of a cache that goes to the replica that decodes."""
        if self.apart is None:
            return 0.0, 0.0
        return self.apart.link.delay, 8 * self.token_bytes / self.apart.link.bandwidth


def check_requests(requests: Requests, service: Service) -> None:
    """ValueError that names the first request longer than the model or its cache allows, and where
    the state of all replicas would take more than `MOST_BYTES`.
    """
    _check_room(requests, service)
    total = requests.prompt.astype(np.int64) + requests.output + service.policy.ahead
    guesses = f", with {service.policy.ahead} guesses" if service.policy.ahead else ""
    for times in (service.times, service.decoders):
        for most, what in (
            (times.longest, f"the longest context of {times.name}"),
            (times.held // service.policy.page * service.policy.page, "its cache"),
        ):
            if (total > most).any():
                i = int((total > most).argmax())
                raise ValueError(
                    f"request {i} of {requests.name!r} has {requests.prompt[i]} tokens in and "
                    f"{requests.output[i]} out, {total[i]} together{guesses}; allowed: {most}, "
                    f"{what}"
                )


def _check_room(requests: Requests, service: Service) -> None:
    policy, replicas = service.policy, service.replicas
    replicas += service.apart.replicas if service.apart else 0
    batch = min(policy.batch, requests.count)
    blocks = np.unique(requests.blocks).size if policy.prefixes else 0
    needed = replicas * (
        4 * batch + 12 * blocks
    )  # int32: a place each, a block's users and both neighbours
    if needed > MOST_BYTES:
        raise ValueError(
            f"serve replicas={replicas} with batch={policy.batch}, {requests.count} requests and "
            f"{blocks} shared blocks of prompts: what each replica runs and keeps would take "
            f"{needed / 1e9:.3g} GB; allowed: {MOST_BYTES / 1e9:.3g} GB. Write fewer replicas, a "
            "smaller batch or prefixes=False"
        )


@typed
def zero_load(requests: Requests, service: Service) -> dict[str, float]:
    """Variable -> the least any of the requests can have with no others around [s]."""
    prompt, output = int(requests.prompt.min()), int(requests.output.min())
    if service.policy.prefixes and requests.blocks.size:
        prompt = 1
    first, _ = service.times.alone(prompt, 1)
    delay, send = service.crossing
    step = _quickest(service, prompt + 1)
    if service.draft:
        first += service.draft.alone(prompt, 1)[0]
    further = step * (output - 1) + (delay + send * prompt) * (output > 1)
    return {"ttft": first, "tpot": step if output > 1 else 0.0, "latency": first + further}


def _quickest(service: Service, context: int) -> float:
    """s of a token of a sequence that decodes alone, every guess of the draft holding."""
    queries, times = service.policy.queries, service.decoders
    step = float(times.step(1, context)[0])
    if service.draft is None:
        return step
    step += times.rest_at(queries) - times.rest_at(1)
    return (step + service.policy.ahead * float(service.draft.step(1, context)[0])) / queries


def check_slo(slo: Slo, requests: Requests, service: Service) -> None:
    """ValueError that names a bound which no request keeps even when it is alone."""
    least = zero_load(requests, service)
    for name, bound in slo.bounds.items():
        if bound < least[name]:
            raise ValueError(
                f"Slo {name}={units.si(bound, 's')} is below the {name} with no load, "
                f"{units.si(least[name], 's')} for the shortest request of {requests.name!r}"
            )


@typed
def rate_bound(requests: Requests, service: Service) -> float:
    """Requests a second above which queues grow whatever is done: the least work of a request, in
    the steps that cost least a token, against all replicas (unit: 1/s).

    Attention is taken at a request's mean context; a draft's rounds give what they give on
    average.
    """
    policy, times, draft = service.policy, service.times, service.draft
    read = requests.prompt.astype(np.float64)
    if policy.prefixes and requests.blocks.size:
        read = np.ones_like(read)
    rounds = (requests.output - 1.0) / (policy.speculation.expected if policy.speculation else 1)
    mean = requests.prompt + (requests.output + 1) / 2
    reading = read.mean() * _least_rest(times, policy)
    decoding = _least_decoding(service.decoders, policy, rounds, mean, policy.queries)
    if draft:
        reading += read.mean() * _least_rest(draft, policy)
        decoding += policy.ahead * _least_decoding(draft, policy, rounds, mean, 1)
    if service.apart is None:
        return service.replicas / (reading + decoding) if reading + decoding else np.inf
    decoders = service.apart.replicas / decoding if decoding else np.inf
    return float(min(service.replicas / reading if reading else np.inf, decoders))


def _least_decoding(
    times: StepTimes, policy: Policy, rounds: np.ndarray, contexts: np.ndarray, queries: int
) -> float:
    """Mean s of decoding a request in so many rounds of `queries` tokens each."""
    rest = rounds.mean() * queries * _least_rest(times, policy)
    return float(rest + (rounds * _least_attention(times, policy, contexts)).mean())


def _least_rest(times: StepTimes, policy: Policy) -> float:
    """s a token of what is no attention, in the step that costs least a token."""
    most = float(policy.tokens if policy.mixed else max(policy.tokens, times.longest))
    sizes = sorted({*times.tokens[times.tokens <= most], most})
    return min(times.rest_at(n) / n for n in sizes)


def _least_attention(times: StepTimes, policy: Policy, contexts: np.ndarray) -> np.ndarray:
    """s a token of decoding at each context, in the batch that costs least."""
    within = times.batch <= policy.batch
    each = times.decode[within, :, 0] / times.batch[within][:, None]
    least = each.min(axis=0)
    if least.size == 1:
        return np.full(contexts.size, least[0])
    return np.interp(contexts, times.context, least)


def check_rate(requests: Requests, service: Service) -> None:
    """ValueError where requests keep coming faster than any order of work can answer them."""
    most = rate_bound(requests, service)
    if requests.rate is not None and service.policy.queue is None and requests.rate > most:
        raise ValueError(
            f"{requests.name!r} brings {requests.rate:.4g} requests a second; "
            f"{service.replicas} x {service.times.name} serves {most:.4g} at most. Write "
            "policy=Policy(queue=...) to refuse the rest, or add replicas"
        )
