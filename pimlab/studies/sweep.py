"""How does an answer change with its coordinates? A function of coordinates -> Dataset, computed at
every combination.

@pim.study
def converters(adc_bits, seed):
    return pim.run(model, macro(adc_bits), data, seed=seed)[["accuracy", "energy"]]

ds = pim.sweep(converters, adc_bits=[4, 6, 8], seed=range(10), store="converters.zarr")
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import named as by_name
from pimlab.progress import progress as drawn
from pimlab.studies import provenance
from pimlab.studies.identity import IdentityError, digest, label
from pimlab.studies.interrupted import going_on
from pimlab.studies.provenance import with_machines
from pimlab.studies.store import Store
from pimlab.values import Value, unknown

Point = tuple[Any, ...]


class Study:
    """A function of named coordinates that returns a Dataset; calling it computes one point."""

    def __init__(self, function: Callable[..., xr.Dataset]):
        if not callable(function):
            raise TypeError(f"study marks a function of coordinates, not {function!r}")
        self.function = function
        self.name = getattr(function, "__name__", "study")
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **coordinates: Any) -> xr.Dataset:
        return self.function(*args, **coordinates)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Study, (self.function,))

    def check(self, coordinates: Iterable[str]) -> None:
        """TypeError unless `coordinates` are the function's parameters (those with a default may be
        absent).
        """
        parameters = inspect.signature(self.function).parameters
        for name in coordinates:
            if name not in parameters:
                raise TypeError(f"study {self.name}: {unknown('coordinate', name, parameters)}")
        missing = [
            n for n, p in parameters.items() if p.default is p.empty and n not in set(coordinates)
        ]
        if missing:
            raise TypeError(f"study {self.name} needs values of {', '.join(missing)}")


@by_name
def study(function: Callable[..., xr.Dataset]) -> Study:
    """Mark a function of coordinates -> Dataset as something `sweep` can compute; TypeError for
    what is no function.

    >>> @pim.study
    ... def square(x):
    ...     return xr.Dataset({"y": x**2})
    >>> pim.sweep(square, x=[1, 2, 3], progress=False).y.values
    array([1, 4, 9])
    """
    return Study(function)


def sweep(
    study: Study,
    *,
    store: str | os.PathLike[str] | None = None,
    workers: Any = None,
    progress: bool = True,
    across_versions: bool = False,
    **coordinates: Iterable[Any],
) -> xr.Dataset:
    """The Dataset of `study` at every combination of the coordinates, one dimension each, in the
    order given.

    coordinates : name -> values: numbers, text, or values with a name (targets, devices).
    store : a path ending in .zarr; every point is kept as it comes, a sweep begun before goes on,
        and the joined Dataset is written there at the end. Without it the sweep lives in memory. A
        store keeps the points of one study: more values of its coordinates may be asked later, and
        a study whose code or data changed is refused. What a study changes while it runs (a list, a
        counter) changes the study.
    workers : how many Dask worker processes of this computer compute (needs the extra `dask`), or
        whose: the address of a running scheduler ("tcp://10.0.0.1:8786") or a `distributed.Client`,
        so that a sweep runs on a cluster (dask-jobqueue, dask-kubernetes). Without it, this
        process. The numbers are the same either way, and this process alone writes the store.
    progress : show a bar with the time left, where a terminal or a notebook shows it and it takes
        more than two seconds.
    across_versions : go on with a store whose points another version of pimlab or another kernel of
        BLAS computed (refused else); the store's identity.json keeps each change of commit, and the
        answer's attributes name all commits.
    Scalars that say the same at every point (target, at, ...) stay scalar coordinates; what differs
    becomes a coordinate along the swept dimensions.
    Ctrl-C ends in a KeyboardInterrupt that says what is kept: in the store, or without one in this
    process; the same sweep goes on from there. Raises TypeError for a misspelt
    coordinate, ValueError for an empty or repeating one, StoreError (an OSError) for a store of
    another version or study, a damaged one or a full disk.

    >>> machine, data = pim.target("pcm-hermes"), pim.load_data("digits", limit=50)
    >>> @pim.study
    ... def converters(adc_bits):
    ...     variant = machine.but(adc=machine.adc.but(bits=adc_bits))
    ...     return pim.run(pim.load_model("digits-mlp"), variant, data)[["accuracy"]]
    >>> pim.sweep(converters, adc_bits=[4, 8], progress=False).accuracy.sizes
    Frozen({'adc_bits': 2})
    """
    if not isinstance(study, Study):
        raise TypeError(f"sweep takes a function marked with @pimlab.study, not {study!r}")
    study.check(coordinates)
    values = {name: _values(name, given) for name, given in coordinates.items()}
    points = [dict(zip(values, pick, strict=True)) for pick in itertools.product(*values.values())]
    texts = [_text(study, point) for point in points]
    kept = Store(store, study.name, digest(study), across_versions) if store is not None else None
    named = dict(zip(texts, points, strict=True))
    if kept is None:
        results = _in_process(study, named, workers, progress)
        return _join([results[text] for text in texts], values)
    _into_store(study, named, kept, workers, progress)
    joined = _join([kept.read(text) for text in texts], values)
    kept.finish(joined)
    return joined


def _in_process(
    study: Study, points: dict[str, dict[str, Any]], workers: Any, show: bool
) -> dict[str, xr.Dataset]:
    """The answer of every point; those of an interrupted call stay in this process."""
    with going_on(_asked(study, points), study.name, len(points), "point", show=show) as (
        kept,
        bar,
    ):
        missing = [(text, point) for text, point in points.items() if text not in kept]
        for text, result in _compute(study, missing, workers):
            kept[text] = result
            bar.step()
        return dict(kept)


def _asked(study: Study, points: Iterable[str]) -> tuple[str, ...] | None:
    """What tells this sweep from others; None for a study whose content cannot be read."""
    try:
        return study.name, digest(study), *points
    except IdentityError:
        return None


def _into_store(
    study: Study, points: dict[str, dict[str, Any]], kept: Store, workers: Any, show: bool
) -> None:
    """Compute and write the points that the store lacks."""
    missing = [(text, point) for text, point in points.items() if not kept.has(text)]
    computed, done = _compute(study, missing, workers), len(points) - len(missing)
    try:
        with drawn(study.name, len(points), "point", done=done, show=show) as bar:
            for text, result in computed:
                kept.write(text, result)
                bar.step()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_stopped(list(points), kept)) from None


def _stopped(texts: list[str], kept: Store) -> str:
    """What Ctrl-C leaves, in a sentence."""
    done = sum(kept.has(text) for text in texts)
    return (
        f"stopped; {done} of {len(texts)} points are kept in {kept.points}, and the same sweep "
        "goes on from there"
    )


def _values(name: str, given: Iterable[Any]) -> list[Any]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"coordinate {name}={given!r} is not a list of values")
    values = list(given)
    labels = [_label(name, value) for value in values]
    if not values:
        raise ValueError(f"coordinate {name}=[] is empty; allowed: one value or more")
    if len(set(labels)) != len(labels):
        raise ValueError(
            f"coordinate {name}={labels} repeats a value; allowed: each once (of a machine's "
            "variants, .but(name=...))"
        )
    if len({isinstance(label, str) for label in labels}) > 1:
        raise ValueError(
            f"coordinate {name}={labels} mixes text and numbers; allowed: all text, or all numbers"
        )
    return values


def _label(name: str, value: Any) -> Any:
    if isinstance(value, (bool, np.bool_, int, float, np.integer, np.floating)):
        if math.isnan(value):
            raise ValueError(
                f"coordinate {name}: nan labels nothing; allowed: numbers, text, and values with a "
                "name"
            )
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return str(value)
    if isinstance(getattr(value, "name", None), str):
        return value.name
    if isinstance(value, Value):
        return repr(value)
    hint = (
        "; for an absent part give text such as 'none', and let the study make None of it"
        if value is None
        else ""
    )
    raise TypeError(
        f"coordinate {name}: {value!r} has no name; allowed: numbers, text, and values with a "
        f"name{hint}"
    )


def _text(study: Study, point: dict[str, Any]) -> str:
    described = ", ".join(f"{name}={_described(value)}" for name, value in sorted(point.items()))
    return f"{study.name}({described})"


def _described(value: Any) -> str:
    """Text of one coordinate's value that is equal for equal values, in every process."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (str, bool, int, float)):
        return repr(plain)
    return f"{getattr(value, 'name', type(value).__name__)} ({label(value)})"


def _compute(
    study: Study, points: list[tuple[str, dict[str, Any]]], workers: Any
) -> Iterator[tuple[str, xr.Dataset]]:
    if workers is None or not points:
        for text, point in points:
            yield text, _one(study, point)
        return
    from pimlab.studies.dask_executor import compute

    yield from compute(functools.partial(_one, study), points, workers)


def _one(study: Study, point: dict[str, Any]) -> xr.Dataset:
    try:
        result = study.function(**point)
    except Exception as error:  # raised on as it is, with the place added
        error.add_note(f"at the point {_text(study, point)} of the sweep")
        raise
    if not isinstance(result, xr.Dataset):
        raise TypeError(
            f"study {study.name} returned {type(result).__name__}; allowed: an xarray.Dataset"
        )
    return result


def _join(results: list[xr.Dataset], values: dict[str, list[Any]]) -> xr.Dataset:
    labels = {name: [_label(name, value) for value in given] for name, given in values.items()}
    results, machines = with_machines(results)
    order = {
        dim: _first_seen(results, dim)
        for dim in dict.fromkeys(d for r in results for d in r.dims if d in r.coords)
    }
    same = _same_scalars(results)
    about = {name: _about(name, results[0]) for name in labels}
    rows: list[xr.Dataset] = [_bare(result, labels, same) for result in results]
    shared = dict.fromkeys(
        c
        for result in results
        for c in result.coords
        if c not in result.dims and c not in {*labels, *same}
    )
    for name in reversed(labels):
        size = len(labels[name])
        rows = [_concat(rows[i : i + size], name, labels[name]) for i in range(0, len(rows), size)]
    joined = rows[0].reindex(
        {dim: _labels(seen) for dim, seen in order.items() if dim not in labels}
    )
    joined = joined.set_coords(list(shared)).assign_coords(
        {name: value for name, value in same.items() if name not in labels}
    )
    joined.attrs = {**_common([result.attrs for result in results]), **machines}
    if machines:
        joined = joined.assign_coords(machine_id=_narrow(joined.machine_id))
    for name, attributes in about.items():
        joined[name].attrs.update(attributes)
    return joined.transpose(*labels, ...)


def _narrow(label: xr.DataArray) -> xr.DataArray:
    """`label` without the dimensions along which it says the same."""
    for dim in label.dims:
        first = label.isel({dim: 0}, drop=True)
        if bool((label == first).all()):
            label = first
    return label.astype(object).assign_attrs(long_name="machine, as `pimlab.target_of` builds it")


def _about(name: str, result: xr.Dataset) -> dict[Any, Any]:
    """What is said of a swept coordinate: as the study's Dataset says it, else its name in
    words.
    """
    shared = result[name].attrs if name in result.coords else {}
    return {"long_name": name.replace("_", " "), **shared}


def _same_scalars(results: list[xr.Dataset]) -> dict[Any, xr.DataArray]:
    """Scalar coordinates that every result has, with the same value."""
    first = results[0]
    scalars = [name for name in first.coords if first[name].ndim == 0]
    return {
        name: first[name].reset_coords(drop=True)
        for name in scalars
        if all(
            name in r.coords and r[name].ndim == 0 and _equal(r[name].item(), first[name].item())
            for r in results
        )
    }


def _bare(result: xr.Dataset, swept: Iterable[str], same: Iterable[Any]) -> xr.Dataset:
    for name in swept:
        if name in result.dims:
            raise ValueError(
                f"the study's Dataset already has the dimension {name!r} that is swept"
            )
        if name in result.data_vars:
            raise ValueError(
                f"the study's Dataset already has the variable {name!r}, the name of a coordinate "
                "that is swept"
            )
    bare = result.drop_vars([name for name in (*swept, *same) if name in result.coords])
    return bare.reset_coords([c for c in bare.coords if c not in bare.dims])


def _concat(rows: list[xr.Dataset], name: str, labels: list[Any]) -> xr.Dataset:
    joined = xr.concat(
        rows,
        name,
        data_vars="all",
        coords="minimal",
        compat="override",
        join="outer",
        combine_attrs="override",
    )
    return joined.assign_coords({name: (name, _labels(labels))})


def _labels(given: list[Any]) -> np.ndarray:
    """Labels of a dimension; text of any length."""
    return np.array(given, dtype=object if all(isinstance(label, str) for label in given) else None)


def _first_seen(results: list[xr.Dataset], dim: Any) -> list[Any]:
    seen = (label for r in results if dim in r.coords for label in r[dim].values.tolist())
    return list(dict.fromkeys(seen))


def _common(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    first = attributes[0]
    same = {k: v for k, v in first.items() if all(_equal(a.get(k), v) for a in attributes)}
    for name in provenance.stamp().keys() & first.keys() - same.keys():
        same[name] = "; ".join(sorted({str(a[name]) for a in attributes if name in a}))
    cited = {key for a in attributes for key in str(a.get("sources", "")).split(",") if key}
    return (
        {**same, "sources": ",".join(sorted(cited))}
        if any("sources" in a for a in attributes)
        else same
    )


def _equal(a: Any, b: Any) -> bool:
    return bool(np.all(a == b)) or (
        isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)
    )
