"""What does pimlab know by name? Tables of machines, devices, models, data, macros and papers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from pimlab import catalogue
from pimlab.machine.presets import target, targets
from pimlab.studies import published
from pimlab.studies.papers import folders
from pimlab.units import si

if TYPE_CHECKING:
    from pimlab.analog.crossbar import Crossbar

WRITING = "updates"
"""Room of the catalogue with cells that are trained."""


def _table(index: str, rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").fillna("").rename_axis(index)


def machines() -> pd.DataFrame:
    """Every machine by name: stage, vendor, title, format, peak rate, node, memory bandwidth, power
    (of the board, or of the packages), host, and the share of its constants that nobody published.
    Text as the sources print it; "(assumed)" behind what none of them does.

    >>> pim.machines().loc["warboy", ["format", "peak", "node"]].tolist()
    ['int8', '64 TOPS', '14 nm']
    """
    return _table("machine", {name: _machine(name) for name in targets()})


def _machine(name: str) -> dict[str, Any]:
    machine = target(name)
    room = next(kind for kind in ("npu", "pim", "analog") if name in catalogue.names(kind))
    entry = catalogue.entry(room, name)
    kind = entry.meta.get("format", "")
    columns = {
        "peak": (f"peak.{kind}", "throughput"),
        "node": ("node",),
        "bandwidth": ("dram_bandwidth",),
        "power": ("tdp", "power.package"),
    }
    assumed = sum(constant.status == "assumed" for constant in entry.values()) / max(len(entry), 1)
    return {
        "stage": machine.stage,
        "vendor": entry.meta.get("vendor", ""),
        "title": entry.meta.get("title", ""),
        "format": kind,
        **{word: _printed(entry, keys) for word, keys in columns.items()},
        "host": machine.host.name if machine.host else "",
        "assumed": f"{assumed:.0%}",
    }


def _printed(entry: catalogue.Entry, keys: tuple[str, ...]) -> str:
    """The first of these constants as its source prints it; an assumed one says so."""
    for key in keys:
        if key in entry:
            one = entry[key]
            return f"{one.printed} (assumed)" if one.status == "assumed" else str(one.printed)
    return ""


def devices() -> pd.DataFrame:
    """Every memory cell by name: what it is, range of conductances (S), which faults it has, how it
    is used (inference or training), status of its numbers, sources.

    >>> "pcm-joshi2020" in pim.devices().index
    True
    """
    from pimlab.analog import device

    rows = {}
    for name in catalogue.names("devices"):
        cell, entry = device(name), catalogue.entry("devices", name)
        rows[name] = {
            "title": entry.meta.get("title", ""),
            "kind": entry.meta.get("model", ""),
            "range": f"{si(cell.g_min, 'S', 3)} to {si(cell.g_max, 'S', 3)}",
            "faults": ", ".join(cell.parts),
            "use": "inference",
            "status": _statuses(entry),
            "sources": ", ".join(cell.sources),
        }
    for name in catalogue.names(WRITING):
        entry = catalogue.entry(WRITING, name)
        sources = sorted({key for constant in entry.values() for key in constant.sources})
        rows[f"{name} (update)" if name in rows else name] = {
            "title": entry.meta.get("title", ""),
            "kind": entry.meta.get("model", ""),
            "use": "training",
            "status": _statuses(entry),
            "sources": ", ".join(sources),
        }
    return _table("device", rows)


def _statuses(entry: catalogue.Entry) -> str:
    """How many constants of a file have each status."""
    found = [constant.status for constant in entry.values()]
    return ", ".join(f"{found.count(one)} {one}" for one in dict.fromkeys(found))


def macros() -> pd.DataFrame:
    """Every analog macro of the catalogue: what it is, status of its numbers, and of those that
    are machines (`pim.target(name)`) an array's size, full read, area and static power.

    >>> pim.macros().loc["neurram", "array"]
    '128 x 256'
    """
    from pimlab.analog import TARGETS

    rows = {}
    for name in catalogue.names("analog"):
        entry = catalogue.entry("analog", name)
        rows[name] = {
            "title": entry.meta.get("title", ""),
            "status": _statuses(entry),
            **(_macro(TARGETS[name]()) if name in TARGETS else {}),
        }
    return _table("macro", rows)


def _macro(machine: Crossbar) -> dict[str, str]:
    """Size, time of a read, area and static power of one array, as text."""
    areas = [constant.value for constant in machine.area.values()]
    static = dict(machine.costs.constants).get("static array")
    return {
        "array": f"{machine.rows} x {machine.cols}",
        "cell": machine.pair_cell.name,
        "product": si(machine.product_time, "s", 3),
        "area": f"{1e6 * sum(areas):.3g} mm^2" if areas else "",
        "static": "" if static is None else si(static.value, "W", 2),
    }


def model_names() -> tuple[str, ...]:
    """Names that `load_model` knows."""
    from pimlab.workload.language import MODELS
    from pimlab.workload.zoo.models import OPTIONAL, TRAINED, VENDORED

    return tuple(sorted({*VENDORED, *MODELS, *OPTIONAL, *TRAINED}))


def models() -> pd.DataFrame:
    """Every model that comes with pimlab: the data it is judged on, of a service its field and
    place, and what installs it where it is not vendored. Nothing is loaded.

    >>> pim.models().loc["fashion-cnn", "data"]
    'fashion-mnist'
    """
    from pimlab.workload import SERVICES
    from pimlab.workload.zoo.pairs import DATA

    served = {service.model: service for service in SERVICES}
    rows = {}
    for name in model_names():
        service = served.get(name)
        rows[name] = {
            "data": DATA.get(name, ""),
            "field": service.field if service else "",
            "place": service.place if service else "",
            "needs": service.packages if service else "",
        }
    return _table("model", rows)


def datasets() -> pd.DataFrame:
    """Every data set that comes with pimlab: the models judged on it, splits, licence, source.

    >>> "digits" in pim.datasets().index
    True
    """
    from pimlab.workload.zoo.data_sets import SOURCES
    from pimlab.workload.zoo.pairs import DATA

    rows = {
        name: {
            "models": ", ".join(model for model, data in DATA.items() if data == name),
            "splits": ", ".join(source.splits),
            "licence": source.licence,
            "source": source.source,
            "note": source.note,
        }
        for name, source in sorted(SOURCES.items())
    }
    return _table("data", rows)


def papers() -> pd.DataFrame:
    """Every paper that is computed again: its question, and how many published numbers there are of
    each role. They stand in the repository, not in the package: FileNotFoundError elsewhere.

    >>> int(pim.papers().loc["ir-drop", "held-out"])
    10
    """
    rows = {}
    for folder in folders().values():
        roles = [row.role for row in published.targets(folder / "targets.csv")]
        title = (folder / "README.md").read_text().splitlines()[0].lstrip("# ")
        rows[folder.name] = {
            "title": title,
            **{role: roles.count(role) for role in published.ROLES},
        }
    return _table("paper", rows)
