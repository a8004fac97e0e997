"""How does a service answer a stream of requests? Batching, caches, and what its users see."""

from __future__ import annotations

from pimlab.serving.answer import percentile_table
from pimlab.serving.arrivals import Lengths, closed, fixed, gamma, on_off, poisson, single_shots
from pimlab.serving.bounds import Apart
from pimlab.serving.goodput import against_slo, most_rate
from pimlab.serving.policy import ROUTERS, Policy, Slo
from pimlab.serving.requests import Requests
from pimlab.serving.serve import serve
from pimlab.serving.speculation import Speculation
from pimlab.serving.step_times import StepTimes, measured, of_model, of_plan, single_shot
from pimlab.serving.traces import TRACES, load_requests

__all__ = [
    "ROUTERS",
    "TRACES",
    "Apart",
    "Lengths",
    "Policy",
    "Requests",
    "Slo",
    "Speculation",
    "StepTimes",
    "against_slo",
    "closed",
    "fixed",
    "gamma",
    "load_requests",
    "measured",
    "most_rate",
    "of_model",
    "of_plan",
    "on_off",
    "percentile_table",
    "poisson",
    "serve",
    "single_shot",
    "single_shots",
]
