"""How many joules does an inference cost when requests come more or less often, and which machine
is the cheapest at which rate?

Requests come evenly. While one is answered, and always when the next comes before the answer, every
machine is awake and draws its static power; in the gap until the next request each machine waits in
the state that costs least, waking included, if there is time to wake. Whoever runs a machine knows
what its states cost, so the low and the high end of an energy have the state that is best at their
own prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.arguments import named, typed
from pimlab.machine.power import IDLE, STATES
from pimlab.result import finished, sources_of, variable
from pimlab.schedule.states import ENDS

Rates = str | float | Sequence[str | float] | np.ndarray
POINTS = 2000
"""Rates at which two machines are compared in search of a crossing."""
SLACK = 1e-9
"""Share by which a rate may miss saturation through rounding."""


@named
def energy_at(busy: xr.Dataset, rate: Rates) -> xr.Dataset:
    """Joules of an inference against the rate of requests, from standby to saturation.

    busy : what `schedule` returned.  rate : inferences a second, numbers or text such as "100 Hz";
    several make a dimension `rate`.

    Variables: energy, energy_low, energy_high [J] an inference; dynamic_energy and static_energy
    (machine), each with _low and _high, whose sum it is; waiting_energy (machine), the part of
    static_energy that is drawn between requests, waking included; assumed_share; power in W; state
    (machine), what each machine waits in; latency in s of a request that nobody expected (waking
    and the answer alone); utilisation of the busiest resource. NaN above saturation
    (`busy.throughput`). standby_power, with _low and _high: what is drawn when no request comes at
    all.
    Raises ValueError for a rate that is not above 0; TypeError for what is no schedule.

    >>> busy = pim.schedule(pim.load_model("fashion-cnn"), pim.target("warboy"))
    >>> rare = pim.energy_at(busy, ["1 Hz", "100 Hz", "1 kHz"]).energy
    >>> bool(rare[0] > rare[1] > rare[2])
    True
    """
    _checked(busy)
    rates = _rates(rate)
    found = xr.Dataset(coords={"rate": variable("rate", "rate", rates)})
    each = {end: _waits(busy, rates, end) for end in ENDS}
    waits = each[""]
    found["state"] = variable("state", ("rate", "machine"), np.array(STATES, object)[waits.state])
    for end in ENDS:
        waiting = _waiting(busy, each[end], end)
        static = _awake(busy, rates, waits, end) + waiting
        dynamic = np.where(waits.served, _dynamic(busy, end), np.nan)
        total = dynamic + static.sum(axis=1)
        found["energy" + end] = variable("energy" + end, "rate", total)
        name = "static_energy" + end
        found[name] = variable(name, ("rate", "machine"), static)
        name = "waiting_energy" + end
        found[name] = variable(name, ("rate", "machine"), waiting)
        found["dynamic_energy" + end] = variable("dynamic_energy" + end, "rate", dynamic)
        found["power" + end] = variable("power" + end, "rate", total * rates)
        lowest = np.nanmin(busy["state_power" + end].values, axis=1, initial=np.inf)
        drawn = float(np.where(np.isfinite(lowest), lowest, 0.0).sum())
        found["standby_power" + end] = variable("standby_power" + end, (), drawn)
    found["assumed_share"] = variable("assumed_share", "rate", _assumed(busy, found, waits))
    slowest = np.where(waits.served, waits.wake.max(axis=1) + float(busy.latency_alone), np.nan)
    found["latency"] = variable("latency", "rate", slowest)
    found["utilisation"] = variable("utilisation", "rate", rates / float(busy.throughput))
    found = found.assign_coords(machine=busy.machine)
    found = found.isel(rate=0) if isinstance(rate, str) or not np.iterable(rate) else found
    kept = {name: busy.attrs[name] for name in ("model", "target", "machine", "batch", "chips")}
    return finished(found.assign_attrs(kept), sources_of(busy))


@typed
def crossings(
    machines: Mapping[str, xr.Dataset] | Iterable[xr.Dataset], lowest: str | float = "1e-3 Hz"
) -> xr.Dataset:
    """At which rates does another machine become the cheaper one? All crossings of two energies,
    from the rate `lowest` to where the slower machine is saturated.

    machines : name -> what `schedule` returned, or a list that is named by its targets.

    Variables over `crossing`: rate in inferences a second; below and above, the machine that costs
    less on each side; rate_low and rate_high, between which the intervals of the two energies
    overlap, so that the prices do not tell which is cheaper.
    Raises ValueError for fewer than two schedules or a name that comes twice. Rates in the unit
    1/s.

    >>> cnn = pim.load_model("fashion-cnn")
    >>> busy = [pim.schedule(cnn, pim.target(name), inferences=8) for name in ("warboy", "dx-m1")]
    >>> pim.crossings(busy).rate.dims
    ('crossing',)
    """
    named = _named(machines)
    least = units.parse(lowest, "Hz", "crossings lowest")
    if not least > 0:
        raise ValueError(f"crossings lowest={lowest!r}; allowed: above 0 Hz")
    rows: list[tuple[str, str, float, float, float]] = []
    names = list(named)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            rows += _between(one, named[one], other, named[other], least)
    rows.sort(key=lambda row: row[2])
    found = xr.Dataset()
    for at, name in enumerate(("below", "above", "rate", "rate_low", "rate_high")):
        values = np.array([row[at] for row in rows], object if at < 2 else float)
        found[name] = variable(name, "crossing", values)
    return finished(found, [key for busy in named.values() for key in sources_of(busy)])


class _Waits(NamedTuple):
    """How machines wait at each rate: state int, shape (rates, machines), seconds of waking (rates,
    machines), and whether the rate can be served, bool, shape (rates,).
    """

    state: np.ndarray
    wake: np.ndarray
    served: np.ndarray
    gap: np.ndarray


def _waits(busy: xr.Dataset, rates: np.ndarray, end: str = "") -> _Waits:
    """The state of each machine that is cheapest, at the prices of `end`, in the gap that each rate
    leaves.
    """
    period = float(busy.attrs["batch"]) / rates
    gap = np.maximum(period - float(busy.latency_alone), 0.0)
    power, time, joules = (
        busy[name + end].values[None] for name in ("state_power", "wake_time", "wake_energy")
    )
    cost = power * (gap[:, None, None] - time) + joules
    cost = np.where(np.isnan(cost) | (time > gap[:, None, None]), np.inf, cost)
    cost[:, :, STATES.index(IDLE)] = np.nan_to_num(
        busy["state_power" + end].values[:, STATES.index(IDLE)] * gap[:, None]
    )
    cost[:, :, : STATES.index(IDLE)] = np.inf
    state = cost.argmin(axis=2)
    served = rates <= float(busy.throughput) * (1 + SLACK)
    waits = _Waits(state, np.zeros(state.shape), served, gap)
    return waits._replace(wake=_chosen(busy["wake_time" + end].values, waits))


def _awake(busy: xr.Dataset, rates: np.ndarray, waits: _Waits, end: str) -> np.ndarray:
    """float64, shape (rates, machines): J an inference of static power while the machines are
    awake.
    """
    batch = float(busy.attrs["batch"])
    watts = np.nan_to_num(busy["state_power" + end].values[:, STATES.index(IDLE)])
    joules = watts * (batch / rates - waits.gap)[:, None] / batch
    return np.where(waits.served[:, None], joules, np.nan)


def _waiting(busy: xr.Dataset, waits: _Waits, end: str) -> np.ndarray:
    """float64, shape (rates, machines): J an inference in the gaps between requests, waking
    included.
    """
    power, wake = (
        _chosen(busy[name + end].values, waits) for name in ("state_power", "wake_energy")
    )
    joules = (power * (waits.gap[:, None] - waits.wake) + wake) / float(busy.attrs["batch"])
    return np.where(waits.served[:, None], joules, np.nan)


def _chosen(table: np.ndarray, waits: _Waits) -> np.ndarray:
    """float64, shape (rates, machines): what (machines, states) says of the state that each waits
    in.
    """
    return np.nan_to_num(np.take_along_axis(table, waits.state.T, axis=1).T)


def _assumed(busy: xr.Dataset, found: xr.Dataset, waits: _Waits) -> np.ndarray:
    """float64, shape (rates,): share of the joules of an inference that rests on assumed
    numbers.
    """
    shares = busy.state_assumed_share.values
    awake = (found.static_energy - found.waiting_energy).values
    idle = np.nan_to_num(shares[:, STATES.index(IDLE)])
    static = awake * idle + found.waiting_energy.values * _chosen(shares, waits)
    dynamic = found.dynamic_energy.values * float(busy.dynamic_assumed_share)
    shared: np.ndarray = (dynamic + static.sum(axis=1)) / found.energy.values
    return np.minimum(shared, 1.0)  # sums of floats may pass it where all is assumed


def _dynamic(busy: xr.Dataset, end: str) -> float:
    """J of an inference without static power."""
    return float(busy["dynamic_energy" + end])


def _checked(busy: Any) -> None:
    if not isinstance(busy, xr.Dataset) or "state_power" not in busy:
        raise TypeError(
            f"{type(busy).__name__} is no schedule; write for example "
            "pimlab.energy_at(pimlab.schedule(model, machine), '100 Hz')"
        )


def _rates(rate: Rates) -> np.ndarray:
    listed = [rate] if isinstance(rate, str) or not np.iterable(rate) else list(rate)
    found = np.array([units.parse(one, "Hz", "energy_at rate") for one in listed], float)
    if not len(found) or not (found > 0).all():
        shown = listed[int((~(found > 0)).argmax())] if len(found) else listed
        raise ValueError(f"energy_at rate={shown!r}; allowed: above 0 requests a second")
    return found


def _named(machines: Any) -> dict[str, xr.Dataset]:
    if isinstance(machines, xr.Dataset):  # a mapping too, of its variables
        raise ValueError("crossings of one schedule; allowed: two schedules or more, in a list")
    if isinstance(machines, Mapping):
        found = dict(machines)
    else:
        listed = list(machines)
        for busy in listed:
            _checked(busy)
        found = {str(busy.attrs["target"]): busy for busy in listed}
        if len(found) < len(listed):
            names = [str(busy.attrs["target"]) for busy in listed]
            raise ValueError(f"crossings: {names} repeats a name; give a mapping name -> schedule")
    for busy in found.values():
        _checked(busy)
    if len(found) < 2:
        raise ValueError(f"crossings of {list(found)}; allowed: two schedules or more")
    return found


def _between(
    one: str, a: xr.Dataset, other: str, b: xr.Dataset, least: float
) -> list[tuple[str, str, float, float, float]]:
    """(cheaper below, cheaper above, rate, low, high) of each crossing of two machines."""
    most = min(float(a.throughput), float(b.throughput))
    if most <= least:
        return []
    rates = np.geomspace(least, most, POINTS)
    more = _totals(a, rates)[0] > _totals(b, rates)[0]
    (_, low_a, high_a), (_, low_b, high_b) = _totals(a, rates), _totals(b, rates)
    unsure = (low_a <= high_b) & (low_b <= high_a)
    found = []
    for at in np.flatnonzero(more[1:] != more[:-1]):
        rate = _bisected(a, b, rates[at], rates[at + 1])
        first, last = at, at + 1
        while first > 0 and unsure[first]:
            first -= 1
        while last < POINTS - 1 and unsure[last]:
            last += 1
        cheaper = (other, one) if more[at] else (one, other)
        found.append((*cheaper, rate, float(rates[first]), float(rates[last])))
    return found


def _totals(busy: xr.Dataset, rates: np.ndarray) -> tuple[np.ndarray, ...]:
    """Energy of an inference, nominal, low and high, float64, shape (rates,) each."""
    found = []
    for end in ENDS:
        waits = _waits(busy, rates, end)
        static = _awake(busy, rates, waits, end) + _waiting(busy, waits, end)
        found.append(_dynamic(busy, end) + static.sum(axis=1))
    return tuple(found)


def _bisected(a: xr.Dataset, b: xr.Dataset, low: float, high: float) -> float:
    """The rate between `low` and `high` at which two energies meet."""

    def more(rate: float) -> bool:
        at = np.array([rate])
        return bool(_totals(a, at)[0][0] > _totals(b, at)[0][0])

    before = more(low)
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if more(middle) == before else (low, middle)
    return float(np.sqrt(low * high))
