"""What does a Dataset of pimlab say, and in which words? Names, units, bounds, sources, directions.

Every room takes its words from here, so that one notebook reads the answer of another room. An
interval is three variables, `energy`, `energy_low` and `energy_high`, and not a dimension `bound`:
with a dimension, the sum a reader writes first, `out.energy.sum()`, would add low, nominal and high
to three times the energy without a word.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr

from pimlab import units
from pimlab.values import nearest

LOW, HIGH = "_low", "_high"
"""What the names of an interval's ends add to the name of its variable."""
STATIC = "static"
"""Pseudo-layers "static <machine>" hold what a machine draws by the second: leakage, refresh, idle
power.
"""
NORMAL_95 = 1.959963984540054
"""Half the two-sided 95 % interval of a normal distribution, in standard deviations."""
SEPARATOR = ","
"""Between the keys of the attribute `sources`."""


class Word(NamedTuple):
    """The unit of a variable or coordinate, and what it means."""

    unit: str
    meaning: str


WORDS = {
    "energy": Word("J", "energy of one inference"),
    "latency": Word("s", "time from the input to the answer, of one batch"),
    "phase_latency": Word("s", "time of one batch by phase"),
    "throughput": Word("1/s", "inferences a second when one batch follows another"),
    "events": Word("1", "count of events in one batch"),
    "macs": Word("1", "multiply-accumulates of one inference"),
    "occupancy": Word("1", "share of its machine's memory that an operator takes up for good"),
    "chips": Word("1", "chips of the machine that holds the model"),
    "assumed_share": Word("1", "share of energy that rests on assumed prices"),
    "clipped": Word("1", "values that left their range, over all samples"),
    "interval": Word("s", "time between answers in steady state"),
    "interval_bound": Word("s", "work of the busiest resource: no interval is shorter"),
    "latency_alone": Word("s", "time to the answer of a request with no others around"),
    "latency_bound": Word("s", "longest chain of tasks: no answer comes sooner"),
    "charged": Word("s", "time of static power that an inference is charged for"),
    "start": Word("s", "start of a task"),
    "finish": Word("s", "end of a task"),
    "work": Word("s", "time that a batch needs of a resource"),
    "places": Word("1", "tasks that a resource serves at once"),
    "replicas": Word("1", "copies of an operator's weights"),
    "arrays": Word("1", "arrays that an operator's weights take up, with their copies"),
    "dynamic_energy": Word("J", "energy of one inference without static power"),
    "waiting_energy": Word("J", "static energy between requests, waking included"),
    "dynamic_assumed_share": Word("1", "share of dynamic energy that rests on assumed prices"),
    "state_assumed_share": Word("1", "share of a state's power that rests on assumed numbers"),
    "state_power": Word("W", "power drawn in a state"),
    "standby_power": Word("W", "power drawn while no request comes"),
    "wake_time": Word("s", "time until a machine can work, its weights in place"),
    "wake_energy": Word("J", "energy of waking, weights loaded again where they were lost"),
    "rate": Word("1/s", "requests a second"),
    "arrival": Word("s", "when a request comes"),
    "begun": Word("s", "when a request first runs"),
    "ttft": Word("s", "time from a request to its first token"),
    "tpot": Word("s", "mean time of each further token of a request"),
    "prompt": Word("1", "tokens that a request brings"),
    "output": Word("1", "tokens that a request is given"),
    "replica": Word("1", "replica that reads the prompt of a request; -1: refused"),
    "preempted": Word("1", "times that a request had to give way"),
    "reused": Word("1", "prompt tokens found in the prefix cache"),
    "rounds": Word("1", "steps of decoding of a request, guesses of a draft checked in each"),
    "round_tokens": Word("1", "tokens that a round of guesses and its check gave, on average"),
    "good": Word("1", "whether a request keeps every bound of the SLO"),
    "goodput": Word("1/s", "requests a second that keep every bound of the SLO"),
    "token_rate": Word("1/s", "output tokens a second"),
    "token_energy": Word("J", "energy of one output token, static power of all replicas included"),
    "attainment": Word("1", "share of requests that keep every bound of the SLO"),
    "duration": Word("s", "time from the first request to the last answer"),
    "rate_bound": Word("1/s", "requests a second above which queues grow whatever is done"),
    "refused": Word("1", "requests that were refused"),
    "queue": Word("1", "requests that wait"),
    "running": Word("1", "requests that run"),
    "pages": Word("1", "pages of cache that requests hold"),
    "percentile": Word("1", "per cent of requests that are not above"),
    "request": Word("1", "number of the request"),
    "time": Word("s", "time"),
    "below": Word("", "machine that costs less at lower rates"),
    "above": Word("", "machine that costs less at higher rates"),
    "traffic": Word("", "operating point: how often requests come"),
    "static_power": Word("W", "power drawn whatever runs"),
    "static_energy": Word("J", "static energy of one inference"),
    "life_energy": Word("J", "energy over a service's life"),
    "spent_on": Word("", "what a service's energy is spent on"),
    "inferences": Word("1", "inferences over a service's life"),
    "writes": Word("1", "times that each cell is written over a service's life"),
    "wear": Word("1", "share of the cells' endurance that a service's life uses up"),
    "power": Word("W", "mean power"),
    "utilisation": Word("1", "share of time or of work that is used"),
    "samples": Word("1", "test samples"),
    "stage": Word("1", "roadmap stage"),
    "resource": Word("", "what serves one task at a time"),
    "unit": Word("", "what serves one task at a time"),
    "inference": Word("1", "number of the batch"),
    "slice": Word("1", "part of an operator's rows"),
    "operator": Word("", "operator"),
    "machine": Word("", "machine"),
    "state": Word("", "power state"),
    "owner": Word("", "who draws static power"),
    "executor": Word("", "machine that executes the operator"),
    "layer": Word("", "operator"),
    "event": Word("", "what is counted"),
    "component": Word("", "part of the machine that spends"),
    "phase": Word("", "part of the time"),
    "overrun": Word("", "range that was left"),
    "step": Word("", "non-idealities, added one after another"),
    "cause": Word("", "non-ideality"),
    "target": Word("", "machine"),
    "model": Word("", "trained model"),
    "at": Word("s", "time after programming"),
    "seed": Word("1", "seed of everything random"),
}
"""Variable or coordinate -> unit and meaning."""


def attrs(name: str, meaning: str | None = None, unit: str | None = None) -> dict[str, str]:
    """The attributes `units` and `long_name` of the variable `name`; of an interval's end as well.

    meaning, unit : where they are not those of `WORDS` (names that are not there need both).
    KeyError with the nearest word for a name that nobody defined.
    """
    base, end = _parted(name)
    word = WORDS.get(base)
    if word is None and (meaning is None or unit is None):
        raise KeyError(f"result {name!r} has no unit and meaning{nearest(base, WORDS)}")
    text = meaning if meaning is not None else word.meaning if word else ""
    text += {LOW: ", lower end", HIGH: ", upper end", "": ""}[end]
    shown = unit if unit is not None else word.unit if word else ""
    return {**({"units": shown} if shown else {}), "long_name": text}


def _parted(name: str) -> tuple[str, str]:
    for end in (LOW, HIGH):
        if name.endswith(end):
            return name.removesuffix(end), end
    return name, ""


def variable(
    name: str, dims: str | tuple[str, ...], values: Any, **other: str
) -> tuple[str | tuple[str, ...], Any, dict[str, str]]:
    """(dims, values, attributes) of the variable `name`, as xarray takes them; `other` as `attrs`
    takes it.
    """
    return dims, values, attrs(name, **other)


def finished(answer: xr.Dataset, sources: Iterable[str] = ()) -> xr.Dataset:
    """`answer` as it leaves pimlab: words on its coordinates, text that files can hold, sources.

    sources : keys of `sources.bib`, added to those it has. ValueError for a variable that hides
    behind a method of a Dataset (`answer.count` is xarray's, whatever a variable is called).
    """
    hidden = [name for name in answer.variables if hasattr(xr.Dataset, str(name))]
    if hidden:
        raise ValueError(f"result variable {hidden[0]!r} is a method of Dataset; choose another")
    texts = {
        name: answer[name].astype(object)
        for name in answer.coords
        if answer[name].dtype.kind == "U"
    }
    answer = answer.assign_coords(texts)
    for name in answer.coords:
        if name in WORDS:
            for key, text in attrs(str(name)).items():
                answer[name].attrs.setdefault(key, text)
    return answer.assign_attrs(sources=joined([*sources_of(answer), *sources]))


def joined(sources: Iterable[str]) -> str:
    """Keys of sources as the attribute `sources` holds them: sorted, each once.

    >>> from pimlab import result
    >>> result.joined(["b2001", "a1999", "b2001"])
    'a1999,b2001'
    """
    return SEPARATOR.join(sorted({key for key in sources if key}))


def sources_of(answer: xr.Dataset) -> tuple[str, ...]:
    """Keys of the sources behind `answer`, sorted; () where it has no attribute `sources`."""
    text = str(answer.attrs.get("sources", ""))
    return tuple(sorted({key.strip() for key in text.split(SEPARATOR) if key.strip()}))


def better(answer: xr.Dataset, metric: str) -> str:
    """ "higher" or "lower": which is better of the variable `metric`, as its attribute says.

    KeyError for a variable that is not there; ValueError for one that is no metric.
    """
    if metric not in answer:
        raise KeyError(f"no variable {metric!r}{nearest(metric, map(str, answer.data_vars))}")
    said = answer[metric].attrs.get("better")
    if said not in ("higher", "lower"):
        raise ValueError(f"{metric!r} is no metric: nothing says whether more of it is better")
    return str(said)


def metrics(answer: xr.Dataset) -> tuple[str, ...]:
    """Names of the variables that are metrics of quality: those that say which way is better."""
    return tuple(
        str(name)
        for name, values in answer.data_vars.items()
        if "better" in values.attrs and not _parted(str(name))[1]
    )


def over_seeds(answer: xr.Dataset, metric: str) -> xr.Dataset:
    """`metric`, with _low and _high, joined over the dimension `seed`: each seed is one chip.

    The interval joins, in quadrature, the 95 % interval over samples (mean over seeds) and that of
    the mean over seeds, 1.96 s / sqrt(n) with the standard deviation s (normal distribution).
    """
    value, low, high = (answer[metric + end] for end in ("", LOW, HIGH))
    mean, n = value.mean("seed", keep_attrs=True), answer.sizes["seed"]
    spread = value.std("seed", ddof=1) if n > 1 else mean * 0
    of_mean = NORMAL_95 * spread / n**0.5
    down = ((value - low).mean("seed") ** 2 + of_mean**2) ** 0.5
    up = ((high - value).mean("seed") ** 2 + of_mean**2) ** 0.5
    ends = {metric + LOW: mean - down, metric + HIGH: mean + up}
    joined = {name: one.assign_attrs(answer[name].attrs) for name, one in ends.items()}
    return answer.drop_dims("seed").assign({metric: mean, **joined})


def summary(answer: xr.Dataset) -> pd.DataFrame:
    """A table to read: one row a machine, model and time of `answer`; text with intervals.

    answer : what `run`, `compare`, `explain` or a sweep of them returned (of `compare_results`: a
    row a reason, with the joules of other counts and prices). Columns: each metric with its 95 %
    interval over samples (and over seeds, where there are several: `over_seeds`), energy
    (J an inference, nominal and range of its prices), latency [s], assumed (share of the energy
    that rests on assumed prices), as far as `answer` has them. Energies are summed over layers and
    components and averaged over seeds; other dimensions are rows.

    >>> mlp, npu = pim.load_model("digits-mlp"), pim.target("warboy")
    >>> pim.summary(pim.run(mlp, npu, pim.load_data("digits", limit=50))).columns.tolist()
    ['accuracy', 'energy', 'latency', 'assumed']
    """
    if not isinstance(answer, xr.Dataset):
        raise TypeError(f"summary takes a Dataset of pimlab, not {type(answer).__name__}")
    if "energy_change" in answer:
        return _changes(answer)
    parts = totals(answer)
    if not parts:
        raise ValueError(
            "summary: this Dataset has neither a metric nor energy nor latency; allowed: what run, "
            "compare or explain returned"
        )
    dims = list(dict.fromkeys(d for columns in parts.values() for one in columns for d in one.dims))
    rows, index = [], []
    for where in places(answer, dims):
        at = {d: i for d, (i, _) in where.items()}
        rows.append({name: _shown(name, columns, at) for name, columns in parts.items()})
        index.append(tuple(label for _, label in where.values()))
    if not dims:
        return pd.DataFrame(rows, index=pd.Index([str(answer.attrs.get("target", ""))]))
    return pd.DataFrame(rows, index=pd.MultiIndex.from_tuples(index, names=dims))


def _changes(answer: xr.Dataset) -> pd.DataFrame:
    """Of `compare_results`: joules that each reason adds, by other counts and by other prices."""
    table = answer.energy_change.to_dataset("part").reset_coords(drop=True).to_dataframe()
    table["energy"] = table.sum(axis=1)
    return table.map(lambda joules: units.si(float(joules), "J", 3))


_SUMMED = ("layer", "component", "phase", "event", "overrun")


def totals(answer: xr.Dataset) -> dict[str, list[xr.DataArray]]:
    """Column -> its value, and the ends of its interval where there is one."""
    wanted = {name: name for name in metrics(answer)}
    wanted |= {name: name for name in ("energy", "latency") if name in answer}
    wanted |= {"assumed": "assumed_share"} if "assumed_share" in answer else {}
    found = {}
    for column, name in wanted.items():
        ends = [name + end for end in ("", LOW, HIGH) if name + end in answer]
        joined = answer
        if "better" in answer[name].attrs and len(ends) == 3 and "seed" in answer[name].dims:
            joined = over_seeds(answer[ends], name)
        found[column] = [_total(joined[one]) for one in ends]
    return found


def _total(values: xr.DataArray) -> xr.DataArray:
    # Side by side, a part that a machine lacks is NaN; what has no number at all stays NaN.
    over = [d for d in values.dims if d in _SUMMED]
    total = values.sum(over, keep_attrs=True, min_count=1 if over else None)
    return total.mean("seed", keep_attrs=True) if "seed" in total.dims else total


def places(answer: xr.Dataset, dims: list[Hashable]) -> Iterable[dict[Hashable, tuple[int, Any]]]:
    """Every combination of indices and labels of `dims`."""
    import itertools

    labels = [answer[d].values.tolist() for d in dims]
    for indices in itertools.product(*[range(len(each)) for each in labels]):
        yield {d: (i, labels[n][i]) for n, (d, i) in enumerate(zip(dims, indices, strict=True))}


def _shown(name: str, columns: list[xr.DataArray], at: Mapping[Hashable, int]) -> str:
    value, *ends = [
        float(one.isel({d: i for d, i in at.items() if d in one.dims})) for one in columns
    ]
    if value != value:
        return "-"
    if name == "assumed":
        return f"{value:.0%}"
    unit = columns[0].attrs.get("units", "1")
    shown = f"{value:.4g}" if unit == "1" else units.si(value, unit)
    if len(ends) < 2:
        return shown
    low, high = (f"{end:.4g}" if unit == "1" else units.si(end, unit) for end in ends)
    return f"{shown} [{low}, {high}]"
