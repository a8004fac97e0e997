"""What is the highest rate of requests at which the SLO still holds? Bisection over the same
requests, faster or slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pimlab.arguments import typed
from pimlab.cluster.plans import ParallelPlan
from pimlab.result import finished, variable
from pimlab.serving.answer import by_request, kept
from pimlab.serving.bounds import Apart, Service, check_requests, check_slo, rate_bound
from pimlab.serving.loop import run, started
from pimlab.serving.policy import Policy, Slo
from pimlab.serving.requests import Requests
from pimlab.serving.serve import service_of
from pimlab.serving.step_times import StepTimes

if TYPE_CHECKING:
    import xarray as xr


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


def attainment(service: Service, requests: Requests, slo: Slo) -> float:
    """Share of the requests that keep the SLO (unit 1); refused ones do not."""
    state = started(requests, service)
    run(state, np.inf, None, "")
    served = ~np.isnan(state.answers.finish)
    return float((served & kept(by_request(state.answers, requests), slo)).mean())


def _answer(
    rate: float, bound: float, tried: dict[float, float], service: Service, slo: Slo
) -> xr.Dataset:
    import xarray as xr

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
            "policy": repr(service.policy),
            "slo": repr(slo),
        },
    )
    return finished(found, [*service.times.sources, *service.decoders.sources])
