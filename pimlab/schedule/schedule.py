"""How fast, and at how many joules, does a machine answer when requests keep coming? Its schedule:
every task of every inference, with bounds beside the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import named
from pimlab.kernels.schedule import list_schedule
from pimlab.machine.protocol import Target
from pimlab.plan import Plan, planned, with_chips
from pimlab.schedule import replicas as copies_of
from pimlab.schedule.answer import answer_of
from pimlab.schedule.tasks import Tasks, tasks
from pimlab.units import is_integer
from pimlab.values import truth, unknown

MOST = 50_000_000
"""Tasks of a schedule: at 16 bytes of times each, 0.8 GB."""
BALANCED = "balanced"


@named
def schedule(
    model: Any,
    target: Plan | Target | None = None,
    inferences: int = 64,
    *,
    overlap: bool = True,
    slices: int = 16,
    buffers: int = 2,
    replicas: str | Mapping[str, int] | None = BALANCED,
    places: Mapping[str, int] | None = None,
    chips: int | Mapping[str, int] | str | None = None,
    answer: xr.Dataset | None = None,
) -> xr.Dataset:
    """When does every task of `inferences` batches run, which all wait from the start? With the
    rate that follows, what limits it, and the energy of an inference at that rate.

    model, target : as `run` takes them, or a Plan alone.  overlap : False: one operator after
    another and one batch after another, as `run` adds them up; with one inference the latency and
    the energy are those of `run`, to the bit.
    slices : parts at most in which an operator's rows stream into the next.  buffers : inferences
    whose outputs fit between an operator and its readers (2: double buffers).
    replicas : "balanced" writes weights again on free arrays, for the shortest interval; None:
    once; a mapping says how often by operator.  places : resource -> tasks it serves at once, to
    ask what more of it would do (1 unless given).  chips : as `run` takes it; each chip is a
    resource of its own, and the operators lie on them one after another.
    answer : what `run` returned for this plan with data: its quality, and its energy that depends
    on values, become part of the schedule.

    Variables over `task`: start and finish in s, with layer, resource, inference and slice beside
    them. latency: time to the first answer in s, and latency_alone, of a request with no others
    around; interval: s between batches in steady state
    (between the quarters of the answers, and never below its bound); throughput in inferences a
    second; latency_bound and interval_bound, below which no schedule goes. work (unit) in s a
    batch, places (unit) and utilisation (unit) of each resource. energy, energy_low, energy_high
    (operator, component) in J an inference at this interval, static power in rows of its own;
    static_power (machine, owner) in W and static_energy (machine, owner) in J, by who draws it,
    charged for `charged` s an inference. dynamic_energy in J, what is left without it.
    assumed_share and dynamic_assumed_share: how much of either rests on assumed numbers. replicas
    and arrays (operator). state_power, wake_time and wake_energy (machine, state), from which
    `energy_at` tells the energy at any rate.
    Raises ValueError for numbers below 1, unknown operators and resources, operators that wait for
    each other in a circle, and more arrays than there are; TypeError for what is no model or plan.

    >>> busy = pim.schedule(pim.load_model("fashion-cnn"), pim.target("pcm-hermes"), inferences=8)
    >>> bool(busy.interval_bound <= busy.interval < busy.latency)
    True
    """
    plan = with_chips(_plan(model, target), chips)
    _checked(inferences, slices, buffers)
    how: dict[str, Any] = {"slices": slices, "buffers": buffers, "places": places}
    copies = _copies(plan, replicas, how) if truth("schedule overlap", overlap) else {}
    laid = tasks(plan, overlap=overlap, replicas=copies, **how)
    times = run(laid, np.zeros(inferences))
    alone = float(run(laid, np.zeros(1))[1].max())
    return answer_of(plan, laid, times, copies, latency_alone=alone, overlap=overlap, answer=answer)


def _plan(model: Any, target: Plan | Target | None) -> Plan:
    if isinstance(model, Plan) and target is None:
        return model
    if target is None:
        raise TypeError(
            f"schedule: target=None and model={model!r:.80} is no Plan; write for example "
            "pimlab.schedule(model, pimlab.target('warboy'))"
        )
    return planned(model, target)


def _checked(inferences: int, slices: int, buffers: int) -> None:
    for name, count in (("inferences", inferences), ("slices", slices), ("buffers", buffers)):
        if not is_integer(count) or count < 1:
            raise ValueError(f"schedule {name}={count!r}; allowed: an integer, 1 or more")
        if count > MOST:
            raise ValueError(f"schedule {name}={count!r:.60}; allowed: {MOST} at most")


def _copies(
    plan: Plan, replicas: str | Mapping[str, int] | None, how: Mapping[str, Any]
) -> dict[str, int]:
    if replicas is None:
        return {}
    if isinstance(replicas, Mapping):
        return copies_of.checked(plan, replicas)
    if replicas != BALANCED:
        raise ValueError(unknown("schedule replicas", replicas, (BALANCED, "None", "a mapping")))
    once = tasks(plan, **how)
    standing = [plan.machine(name).arrays_of(_named(plan, name)) > 0 for name in once.layers]
    others = ~np.array(standing)[once.layer]
    busy = np.bincount(once.resource[others], once.seconds[others], len(once.resources))
    return copies_of.balanced(plan, float((busy / once.places).max(initial=0.0)))


def _named(plan: Plan, name: str) -> Any:
    return next(op for op in plan.operators if op.name == name)


def run(laid: Tasks, arrival: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and finish, float64, shape (inferences, tasks) in s, of batches that arrive at
    `arrival` (inferences,), s, not falling.

    ValueError for more than `MOST` tasks.
    """
    count = len(arrival) * len(laid.seconds)
    if count > MOST:
        raise ValueError(
            f"schedule: {len(arrival)} inferences of {len(laid.seconds)} tasks are {count} tasks; "
            f"allowed: {MOST}; ask for fewer inferences or slices"
        )
    edges = laid.edges[np.argsort(laid.edges[:, 0], kind="stable")]
    first = np.searchsorted(edges[:, 0], np.arange(len(laid.seconds) + 1)).astype(np.int64)
    start = np.zeros((len(arrival), len(laid.seconds)))
    finish = np.zeros_like(start)
    follower, lag = (np.ascontiguousarray(edges[:, i]) for i in (1, 2))
    done = list_schedule(
        laid.resource, laid.seconds, laid.places, first, follower, lag, arrival, start, finish
    )
    assert done == count, "tasks that come before each other in number cannot wait in a circle"
    return start, finish
