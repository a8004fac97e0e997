"""How does an answer become a table that other programs read? CSV, Parquet, JSON and netCDF."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import result
from pimlab.arguments import typed

SUFFIXES = (".nc", ".csv", ".json", ".parquet")
_WHOLE = ("machine", "machines")
VALUE, UNIT, VARIABLE = "value", "unit", "variable"


@typed
def table(answer: xr.Dataset) -> pd.DataFrame:
    """Every number of an answer in a row of its own: variable, its coordinates, value, unit.

    answer : any Dataset of pimlab. Columns: variable; one for each coordinate of the answer (empty
    where the variable does not have it; scalar coordinates, such as target and seed, on every row);
    value (float, in SI); unit. Text variables are left out.
    ValueError for an answer without a number.

    >>> answer = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    >>> rows = pim.interchange.table(answer)
    >>> bool(rows[rows.variable == "energy"].value.sum() == float(answer.energy.sum()))
    True
    """
    parts = [
        _rows(answer, name) for name, one in answer.data_vars.items() if one.dtype.kind in "fiub"
    ]
    if not parts:
        raise ValueError("this Dataset has no variable with numbers; allowed: an answer of pimlab")
    joined = pd.concat(parts, ignore_index=True)
    last = [VALUE, UNIT]
    return joined[[VARIABLE, *(c for c in joined if c not in (VARIABLE, *last)), *last]]


def _rows(answer: xr.Dataset, name: Hashable) -> pd.DataFrame:
    one = answer[name]
    places = np.indices(one.shape).reshape(one.ndim, one.size)
    where = dict(zip(one.dims, places, strict=True))
    columns: dict[str, Any] = {VARIABLE: np.full(one.size, str(name), object)}
    for coordinate, values in one.coords.items():
        index = tuple(where[dim] for dim in values.dims)
        columns[str(coordinate)] = values.values[index] if index else [values.item()] * one.size
    columns[VALUE] = one.values.ravel().astype(float)
    columns[UNIT] = [str(one.attrs.get("units", "1"))] * one.size
    return pd.DataFrame(columns)


@typed
def numbers(answer: xr.Dataset) -> pd.DataFrame:
    """What `pim.summary` shows, as numbers: a row for each machine, model and time.

    answer : what `run`, `compare`, `explain` or a sweep returned. Columns: each metric, energy [J],
    latency [s], with _low and _high where there is an interval, and assumed (unit 1).
    The answer of `explain` has a row for each number instead: see `table`.
    ValueError for an answer that has none of them.
    """
    if "step" in answer.dims:
        return table(answer)

    parts = result.totals(answer)
    if not parts:
        raise ValueError("this Dataset has neither a metric nor energy nor latency")
    dims = list(dict.fromkeys(d for many in parts.values() for one in many for d in one.dims))
    rows = []
    for where in result.places(answer, dims):
        row: dict[str, Any] = {str(dim): label for dim, (_, label) in where.items()}
        for name, ends in parts.items():
            for end, one in zip(("", result.LOW, result.HIGH), ends, strict=False):
                at = {dim: i for dim, (i, _) in where.items() if dim in one.dims}
                row[name + end] = float(one.isel(at))
        rows.append(row)
    return pd.DataFrame(rows)


@typed
def write_answer(answer: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write an answer to a file whose ending says how; returns its path (no unit).

    path : ending in .nc (netCDF: all of it, `xarray.load_dataset` reads it again), .csv or .parquet
    (`table`: every number in a row; Parquet needs the package pyarrow), or .json (`numbers` and the
    attributes). A file that is there is replaced at once, whole.
    ValueError for another ending or a folder that is not there; OSError where the folder takes no
    file; ImportError without pyarrow.
    """
    from pimlab.studies.store import replace

    place = writable(path)
    try:
        replace(place, _bytes(answer, place.suffix))
    except OSError as error:  # it names a file beside, which nobody asked for
        why = f"{error.strerror}; nothing was written"
        raise OSError(error.errno, why, str(place)) from None
    return place


@typed
def writable(path: str | os.PathLike[str]) -> Path:
    """`path`, if an answer can be written there; no unit. ValueError for another ending or a folder
    that is not there; PermissionError for a folder that may not be written to.
    """
    place = Path(path)
    if place.suffix not in SUFFIXES or not place.absolute().parent.is_dir():
        raise ValueError(
            f"{place}; allowed: a path that ends in {', '.join(SUFFIXES)}, in a folder that exists"
        )
    if not os.access(place.absolute().parent, os.W_OK):
        why = f"{os.strerror(errno.EACCES)}; nothing was written"
        raise PermissionError(errno.EACCES, why, str(place))
    return place


def _bytes(answer: xr.Dataset, suffix: str) -> bytes:
    if suffix == ".nc":
        return bytes(answer.to_netcdf(engine="h5netcdf"))
    if suffix == ".csv":
        return table(answer).to_csv(index=False).encode()
    if suffix == ".json":
        return as_json(answer).encode()
    try:
        return table(answer).to_parquet(index=False, engine="pyarrow")
    except ImportError as error:
        raise ImportError("Parquet files need the package pyarrow: pip install pyarrow") from error


@typed
def as_json(answer: xr.Dataset) -> str:
    """JSON text of `numbers` and of the answer's attributes, all but the whole description of its
    machines (netCDF keeps that). NaN becomes null. Units: those of `numbers`.
    """
    about = {name: _plain(value) for name, value in answer.attrs.items() if name not in _WHOLE}
    rows = [
        {str(name): _plain(value) for name, value in row.items()}
        for row in numbers(answer).to_dict(orient="records")
    ]
    return json.dumps({"rows": rows, "attributes": about}, allow_nan=False, indent=1)


def _plain(value: Any) -> Any:
    """A number, a text or None, as JSON has them."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
