"""Which machines are published? The NPUs of the catalogue, each in every format it has a peak
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from pimlab import catalogue
from pimlab.catalogue import Entry
from pimlab.npu.arithmetic import Arithmetic
from pimlab.npu.target import MacArray, Memory, Npu, Origin
from pimlab.values import unknown


def chip(name: str, format: str | None = None) -> Npu:
    """The machine of `catalogue/npu/<name>.toml`, computing in `format` (its own first format
    unless given).

    Its arrays hold the MACs of its first format; another format runs at the ratio of the two peaks.
    ValueError with the nearest name for an unknown machine, and for a format without a peak.
    """
    entry = catalogue.entry("npu", name)
    first = entry.meta["format"]
    chosen = first if format is None else format
    if chosen not in peaks(entry):
        raise ValueError(unknown(f"{name}: format", chosen, peaks(entry)))
    array = MacArray(
        rows=_count(entry, "rows"),
        cols=_count(entry, "cols"),
        count=_count(entry, "arrays"),
        clock=entry["clock"].value,
        dataflow=entry.meta["dataflow"],
        rate=peaks(entry)[chosen] / peaks(entry)[first],
    )
    machine = Npu(
        name=name,
        array=array,
        lanes=_count(entry, "lanes"),
        node=entry["node"].value,
        voltage=entry["voltage"].value,
        arithmetic=Arithmetic(weights=chosen, activations=chosen, outputs=chosen),
        memory=Memory(
            sram=entry["sram"].value,
            dram=entry.meta["dram"],
            bandwidth=entry["dram_bandwidth"].value,
            capacity=entry["dram_capacity"].value if "dram_capacity" in entry else None,
        ),
        static_power=entry["power_static"],
    )
    return machine.but(origins=tuple(_origins(entry, chosen, machine)))


_FIELDS = {
    "node": "node",
    "voltage": "voltage",
    "lanes": "lanes",
    "power_static": "static_power",
    "sram": "memory.sram",
    "dram_bandwidth": "memory.bandwidth",
    "clock": "array.clock",
    "rows": "array.rows",
    "cols": "array.cols",
    "arrays": "array.count",
}
"""Constant of an entry -> the field of a machine that holds it."""


def _origins(entry: Entry, format: str, machine: Npu) -> Iterator[Origin]:
    """What each field of `machine` was taken from; the peaks stand behind the whole array."""
    behind = _FIELDS | {f"peak.{entry.meta['format']}": "array", f"peak.{format}": "array"}
    if "dram_capacity" in entry:
        behind["dram_capacity"] = "memory.capacity"
    for name, field in behind.items():
        yield Origin(field=field, value=attrgetter(field)(machine), sources=entry[name].sources)
    yield Origin(field="memory.dram", value=entry.meta["dram"], sources=_cited(entry))


def _cited(entry: Entry) -> tuple[str, ...]:
    return tuple(key.strip() for key in entry.meta.get("source", "").split(",") if key.strip())


def chips() -> tuple[str, ...]:
    """Names that `chip` knows."""
    return catalogue.names("npu")


def peaks(entry: Entry) -> dict[str, float]:
    """Published or assumed peak in operations a second, by format."""
    return {
        name.removeprefix("peak."): constant.value
        for name, constant in entry.items()
        if name.startswith("peak.")
    }


def _count(entry: Entry, key: str) -> int:
    return round(entry[key].value)
