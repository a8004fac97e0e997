"""What did a run of a service come to? The arrays of the event loop as one labelled Dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import units
from pimlab.arguments import typed
from pimlab.kernels.serving_state import ENERGY, PAGES, QUEUED, RUNNING, Answers
from pimlab.result import HIGH, LOW, attrs, finished, metrics, sources_of, variable
from pimlab.serving.bounds import Service, rate_bound
from pimlab.serving.policy import Policy, Slo
from pimlab.serving.requests import Requests

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
ENDS = {"": 1, LOW: 2, HIGH: 3}
"""End of an interval -> its column of what a request spent."""
ASSUMED = 4
LATENCIES = ("ttft", "tpot", "latency")


def percentiles(values: np.ndarray, ranks: tuple[float, ...] = PERCENTILES) -> np.ndarray:
    """float64, shape (ranks,): the smallest of `values` that so many per cent do not exceed
    (nearest rank), so each is the value of a request; NaN where there are none.
    """
    known = np.sort(values[~np.isnan(values)])
    if not known.size:
        return np.full(len(ranks), np.nan)
    places = np.ceil(np.array(ranks) / 100 * known.size).astype(int)
    return known[np.maximum(places, 1) - 1]


def answer(
    answers: Answers,
    refused: int,
    pieces: np.ndarray,
    width: float,
    service: Service,
    requests: Requests,
    slo: Slo | None,
    quality: xr.Dataset | None,
) -> xr.Dataset:
    """The Dataset that `serve` describes."""
    most = rate_bound(requests, service)  # before the columns: it takes 30 bytes a request
    served = ~np.isnan(answers.finish)
    duration = float(np.nanmax(answers.finish, initial=0.0) - requests.arrival[0])
    columns = by_request(answers, requests)
    good = served & kept(columns, slo)
    found = xr.Dataset({name: variable(name, "request", v) for name, v in columns.items()})
    found["good"] = variable("good", "request", good)
    for name in LATENCIES:
        ranked = percentiles(columns[name])
        meaning = f"{attrs(name)['long_name']}, at a percentile of requests"
        found[f"{name}_percentile"] = variable(
            f"{name}_percentile", "percentile", ranked, meaning=meaning, unit="s"
        )
    found = found.assign(_over_time(answers, pieces, width, service))
    found = found.assign(_energies(answers, requests, service, duration, served))
    tokens = int(requests.output[served].sum())
    rates = {
        "goodput": good.sum(),
        "throughput": served.sum(),
        "token_rate": tokens,
    }
    for name, total in rates.items():
        found[name] = variable(name, (), total / duration if duration else np.inf)
    if answers.rounds.size:
        found["round_tokens"] = variable("round_tokens", (), _round_tokens(answers, requests))
    found["attainment"] = variable("attainment", (), good.mean())
    found["duration"] = variable("duration", (), duration)
    found["rate_bound"] = variable("rate_bound", (), most)
    found["refused"] = variable("refused", (), refused)
    coords = {
        "percentile": list(PERCENTILES),
        "time": requests.arrival[0] + np.arange(len(pieces)) * width,
    }
    found = found.assign_coords(coords).assign_attrs(_about(service, requests, slo))
    found.time.attrs.update(units="s", long_name="start of a piece of the run")
    sources = [requests.source, *sources_behind(service)]
    if quality is not None:
        named = [name + end for name in metrics(quality) for end in ENDS if name + end in quality]
        found = found.assign({name: quality[name] for name in named})
        sources += sources_of(quality)
    return finished(found, sources)


def by_request(answers: Answers, requests: Requests) -> dict[str, np.ndarray]:
    """Variable -> its value of each request. Each float64, shape (requests,)."""
    further = np.maximum(requests.output - 1, 1)
    tpot = (answers.finish - answers.token) / further
    rounds = {"rounds": answers.rounds} if answers.rounds.size else {}
    return {
        "arrival": requests.arrival,
        "begun": answers.begun,
        "ttft": answers.token - requests.arrival,
        "tpot": np.where(requests.output > 1, tpot, np.nan),
        "latency": answers.finish - requests.arrival,
        "prompt": requests.prompt,
        "output": requests.output,
        "replica": answers.replica,
        "preempted": answers.preempted,
        "reused": answers.reused,
        **rounds,
    }


def _round_tokens(answers: Answers, requests: Requests) -> float:
    """Tokens that a round gave, those behind the end of a request left out; NaN without rounds."""
    served = ~np.isnan(answers.finish) & (answers.preempted == 0)
    rounds = int(answers.rounds[served].sum())
    return float((requests.output[served] - 1).sum() / rounds) if rounds else np.nan


def kept(columns: dict[str, np.ndarray], slo: Slo | None) -> np.ndarray:
    """bool, shape (n,): which requests keep every bound; a request of one token has no further
    one.
    """
    good = np.ones(columns["ttft"].size, bool)
    for name, bound in (slo.bounds if slo else {}).items():
        values = columns[name]
        good &= (values <= bound) | (np.isnan(values) & (name == "tpot"))
    return good


def _static(service: Service, column: int) -> float:
    """W that all replicas draw whatever runs: nominal, low, high, assumed by `column` 1 to 4."""
    drawn = service.replicas * service.times.static[column - 1]
    if service.apart:
        drawn += service.apart.replicas * service.decoders.static[column - 1]
    return float(drawn)


def _over_time(
    answers: Answers, pieces: np.ndarray, width: float, service: Service
) -> dict[str, Any]:
    """Means over each piece of the run."""
    names = {"queue": QUEUED, "running": RUNNING, "pages": PAGES}
    found: dict[str, Any] = {
        name: variable(name, "time", pieces[:, column] / width) for name, column in names.items()
    }
    total = answers.spent.sum(axis=0)
    for end, column in ENDS.items():
        ratio = total[column] / total[1] if total[1] else 0.0
        watts = _static(service, column) + ratio * pieces[:, ENERGY] / width
        found["power" + end] = variable("power" + end, "time", watts)
    return found


def _crossed(
    answers: Answers, requests: Requests, service: Service
) -> list[tuple[Any, np.ndarray]]:
    """(price of a bit, bits of each request's cache that crossed) of every link."""
    bits, found = 8 * service.token_bytes, []
    if service.policy.swap is not None:
        found.append((service.policy.swap.bit, bits * answers.moved))
    if service.apart is not None:
        crossed = (requests.output > 1) & ~np.isnan(answers.token)
        found.append((service.apart.link.bit, bits * requests.prompt * crossed))
    return found


def _energies(
    answers: Answers, requests: Requests, service: Service, duration: float, served: np.ndarray
) -> dict[str, Any]:
    """J of each request and of an output token, with their intervals, and what of it is assumed."""
    spent, crossed = answers.spent, _crossed(answers, requests, service)
    share = spent[:, 0] / (spent[:, 0].sum() or 1.0)
    tokens = max(int(requests.output[served].sum()), 1)
    found, totals = {}, {}
    # the one that is not kept first, and in place: of ten million requests an array is 80 MB
    for end, column in {"assumed": ASSUMED, **ENDS}.items():
        joules = share * (duration * _static(service, column))
        joules += spent[:, column]
        for bit, bits in crossed:
            assumed = bit.value if bit.status == "assumed" else 0.0
            joules += bits * (bit.value, bit.low, bit.high, assumed)[column - 1]
        totals[end] = float(joules.sum())
        if end != "assumed":
            meaning = "energy of a request"
            found["energy" + end] = variable("energy" + end, "request", joules, meaning=meaning)
            name = "token_energy" + end
            found[name] = variable(name, (), totals[end] / tokens)
    share_assumed = totals["assumed"] / totals[""] if totals[""] else 0.0
    found["assumed_share"] = variable("assumed_share", (), share_assumed)
    return found


def sources_behind(service: Service) -> list[str]:
    """Keys of sources of all step times, and of speculation where a draft guesses ahead."""
    draft = [*service.draft.sources, "leviathan2023"] if service.draft else []
    return [*service.times.sources, *service.decoders.sources, *draft]


def about_policy(policy: Policy) -> dict[str, str]:
    """Attributes that say how a service batches; a draft by its name, without its tables."""
    found = {"policy": repr(policy.but(speculation=None))}
    return (
        found if policy.speculation is None else {**found, "speculation": str(policy.speculation)}
    )


def _about(service: Service, requests: Requests, slo: Slo | None) -> dict[str, Any]:
    found = {
        "target": service.times.name,
        "requests": requests.name,
        "replicas": service.replicas,
        **about_policy(service.policy),
    }
    if service.times.error is not None:
        found["interpolation_error"] = service.times.error
    if slo is not None:
        found["slo"] = repr(slo)
    if service.apart:
        found["decoders"] = f"{service.apart.replicas} x {service.decoders.name}"
    return found


@typed
def percentile_table(load: xr.Dataset) -> pd.DataFrame:
    """A table to read of what `serve` returned: a row a latency, a column a percentile, in text
    with units; then goodput, throughput and energy of a token in the first column.

    >>> times = pim.serving.single_shot({1: 1e-3})
    >>> load = pim.serve(times, pim.serving.single_shots(rate="10 Hz", count=5))
    >>> pim.serving.percentile_table(load).loc["throughput"].iloc[0].endswith("Hz")
    True
    """
    if not isinstance(load, xr.Dataset) or "ttft_percentile" not in load:
        raise TypeError(f"percentile_table takes what serve returned, not {type(load).__name__}")
    heads = [f"{rank:g} %" for rank in load.percentile.values]
    rows = {}
    for name in LATENCIES:
        values = load[f"{name}_percentile"].values
        rows[name] = ["-" if np.isnan(v) else units.si(float(v), "s", 3) for v in values]
    blank = [""] * (len(heads) - 1)
    for name in ("goodput", "throughput"):
        rows[name] = [units.si(float(load[name]), "Hz", 3), *blank]
    ends = [units.si(float(load["token_energy" + end]), "J", 3) for end in ENDS]
    rows["token energy"] = [f"{ends[0]} [{ends[1]}, {ends[2]}]", *blank]
    return pd.DataFrame.from_dict(rows, orient="index", columns=heads)
