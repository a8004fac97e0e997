"""How does one look at a schedule task by task? A trace in Chrome's JSON format, which Perfetto
(ui.perfetto.dev) and chrome://tracing open.

A machine is a process, a resource is a thread, a task is a complete event ("X") [1]_. A resource
that serves several tasks at once has a thread for each of its places, because events of one thread
may not overlap.

References
----------
.. [1] Google, "Trace Event Format", sections "Complete Events" and "Metadata Events".
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import typed

MICROSECONDS = 1e6
"""The format's times are in microseconds."""
ABOUT = ("model", "target", "batch", "chips", "inferences")


@typed
def write_trace(busy: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write every task of `busy`, what `schedule` returned, to the JSON file `path`; returns its
    path.

    Each event has the operator as name and the inference and slice as arguments; "otherData" holds
    the model, the machine and the schedule's latency and interval [s].
    TypeError for what is no schedule.

    >>> busy = pim.schedule(pim.load_model("digits-mlp"), pim.target("warboy"), inferences=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pim.write_trace(busy, pathlib.Path(folder) / "busy.json")
    ...     path.read_text()[:16]
    '{"traceEvents": '
    """
    if not isinstance(busy, xr.Dataset) or "finish" not in busy or "unit" not in busy.dims:
        raise TypeError(
            f"{type(busy).__name__} is no schedule; write for example "
            "pimlab.write_trace(pimlab.schedule(model, machine), 'busy.json')"
        )
    about = {name: str(busy.attrs[name]) for name in ABOUT}
    about |= {f"{name}_s": repr(float(busy[name])) for name in ("latency", "interval")}
    trace = {
        "traceEvents": [*_named(busy), *_events(busy)],
        "displayTimeUnit": "ns",
        "otherData": about,
    }
    file = Path(path)
    file.write_text(json.dumps(trace), encoding="utf-8")
    return file


def _threads(busy: xr.Dataset) -> dict[str, tuple[int, int]]:
    """Resource -> number of its process, and of its first thread."""
    processes: dict[str, int] = {}
    found, free = {}, 1
    for name, places in zip(busy.unit.values, busy.places.values, strict=True):
        process = processes.setdefault(name.partition(": ")[0], len(processes) + 1)
        found[str(name)] = (process, free)
        free += int(places)
    return found


def _named(busy: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Metadata events: the names of processes and threads."""
    places = dict(zip(busy.unit.values.tolist(), busy.places.values.tolist(), strict=True))
    said = set()
    for name, (process, first) in _threads(busy).items():
        machine, _, resource = name.partition(": ")
        if process not in said:
            said.add(process)
            yield _metadata("process_name", process, 0, machine)
        for place in range(places[name]):
            text = resource if places[name] == 1 else f"{resource} ({place + 1})"
            yield _metadata("thread_name", process, first + place, text)


def _metadata(kind: str, process: int, thread: int, text: str) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": text}}


def _events(busy: xr.Dataset) -> Iterator[dict[str, Any]]:
    """A complete event for every task, in the order of their starts."""
    threads = _threads(busy)
    start, finish = busy.start.values, busy.finish.values
    place = _places(busy)
    columns = [busy[name].values for name in ("layer", "resource", "inference", "slice")]
    for task in np.argsort(start, kind="stable").tolist():
        layer, resource, inference, part = (column[task] for column in columns)
        process, first = threads[resource]
        yield {
            "name": layer,
            "cat": resource,
            "ph": "X",
            "ts": float(start[task]) * MICROSECONDS,
            "dur": float(finish[task] - start[task]) * MICROSECONDS,
            "pid": process,
            "tid": first + int(place[task]),
            "args": {"inference": int(inference), "slice": int(part)},
        }


def _places(busy: xr.Dataset) -> np.ndarray:
    """int64, shape (tasks,): which place of its resource each task takes, the lowest that is
    free.
    """
    found = np.zeros(busy.sizes["task"], np.int64)
    start, finish = busy.start.values, busy.finish.values
    resource = busy.resource.values
    for name, places in zip(busy.unit.values, busy.places.values, strict=True):
        if places == 1:
            continue
        free = list(range(int(places)))
        taken: list[tuple[float, int]] = []
        mine = np.flatnonzero(resource == name)
        for task in mine[np.lexsort((finish[mine], start[mine]))]:
            while taken and taken[0][0] <= start[task]:
                heapq.heappush(free, heapq.heappop(taken)[1])
            found[task] = heapq.heappop(free)
            heapq.heappush(taken, (float(finish[task]), int(found[task])))
    return found
