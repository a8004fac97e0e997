"""What is the highest rate of requests at which the SLO still holds? Bisection over the same
requests, faster or slower.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.cluster.plans import ParallelPlan
from pimlab.result import finished, sources_of, variable
from pimlab.serving.answer import about_policy, by_request, kept, sources_behind
from pimlab.serving.bounds import Apart, Service, check_requests, check_slo, rate_bound
from pimlab.serving.loop import run, started
from pimlab.serving.policy import Policy, Slo
from pimlab.serving.requests import Requests
from pimlab.serving.serve import serve, service_of
from pimlab.serving.step_times import StepTimes


@typed
def most_rate(
    machine: ParallelPlan | StepTimes,
    requests: Requests,
    slo: Slo,
    *,
    policy: Policy | None = None,
    replicas: int | None = None,
    apart: Apart | None = None,
    tolerance: float = 0.01,
) -> xr.Dataset:
    """The highest rate, in requests a second, at which `slo.share` of the requests keep the SLO.

    requests : their order and lengths stay, their arrivals are scaled.  tolerance : by which share
    the rate may be too low. The other arguments are those of `serve`.

    Variables: rate (0 where no rate holds), rate_bound; attainment over `tried_rate`, what
    was tried. Raises as `serve` does for the requests and for an SLO that fails with no load.
    Units: 1/s and s.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"most_rate tolerance={tolerance!r}; allowed: between 0 and 1")
    service = service_of(machine, policy or Policy(), replicas, apart)
    check_requests(requests, service)
    check_slo(slo, requests, service)
    bound = rate_bound(requests, service)
    tried: dict[float, float] = {}
    low, high = 0.0, bound
    while high - low > tolerance * high and high > bound * 1e-4:
        middle = high / 2 if low == 0 else (low + high) / 2
        tried[middle] = attainment(service, requests.at_rate(middle), slo)
        low, high = (middle, high) if tried[middle] >= slo.share else (low, middle)
    return _answer(low, bound, tried, service, slo)


@typed
def against_slo(
    machine: ParallelPlan | StepTimes,
    requests: Requests,
    slos: Sequence[Slo],
    *,
    policy: Policy | None = None,
    replicas: int | None = None,
    apart: Apart | None = None,
) -> xr.Dataset:
    """What tighter bounds cost: for each SLO the highest rate that keeps it, in requests a second,
    and the joules of an output token at that rate.

    Variables over `slo`: ttft_bound and tpot_bound in s (NaN: none), rate in 1/s, token_energy with
    _low and _high in J (NaN where no rate holds). Raises as `most_rate` does.
    """
    if not slos:
        raise ValueError("against_slo slos=[]; allowed: one Slo or more")
    names = ("token_energy", "token_energy_low", "token_energy_high")
    table: dict[str, list[float]] = {name: [] for name in ("rate", *names)}
    most = None
    for slo in slos:
        how = {"policy": policy, "replicas": replicas, "apart": apart}
        most = most_rate(machine, requests, slo, **how)  # type: ignore[arg-type]
        rate = float(most.rate)
        table["rate"].append(rate)
        for name in names:
            table[name].append(np.nan)
        if rate:
            load = serve(machine, requests.at_rate(rate), slo=slo, **how)  # type: ignore[arg-type]
            for name in names:
                table[name][-1] = float(load[name])
    found = xr.Dataset({name: variable(name, "slo", values) for name, values in table.items()})
    for name in ("ttft", "tpot"):
        bounds = [np.nan if getattr(s, name) is None else getattr(s, name) for s in slos]
        meaning = f"bound on {name.upper()}"
        found[f"{name}_bound"] = variable(f"{name}_bound", "slo", bounds, meaning=meaning, unit="s")
    assert most is not None
    return finished(found, sources_of(most))


def attainment(service: Service, requests: Requests, slo: Slo) -> float:
    """Share of the requests that keep the SLO (unit 1); refused ones do not."""
    state = started(requests, service)
    run(state, np.inf, None, "")
    served = ~np.isnan(state.answers.finish)
    return float((served & kept(by_request(state.answers, requests), slo)).mean())


def _answer(
    rate: float, bound: float, tried: dict[float, float], service: Service, slo: Slo
) -> xr.Dataset:
    rates = sorted(tried)
    found = xr.Dataset(
        {
            "rate": variable("rate", (), rate, meaning="highest rate at which the SLO holds"),
            "rate_bound": variable("rate_bound", (), bound),
            "attainment": variable("attainment", "tried_rate", [tried[r] for r in rates]),
        },
        coords={"tried_rate": ("tried_rate", rates, {"units": "1/s", "long_name": "rate tried"})},
        attrs={
            "target": service.times.name,
            "replicas": service.replicas,
            **about_policy(service.policy),
            "slo": repr(slo),
        },
    )
    return finished(found, sources_behind(service))
