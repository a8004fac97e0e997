"""Which machines are published? The NPUs of the catalogue, each in every format it has a peak
for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from operator import attrgetter
from typing import Any

from pimlab import catalogue, formats
from pimlab.arguments import named
from pimlab.catalogue import CatalogueError, Entry
from pimlab.npu.arithmetic import Arithmetic
from pimlab.npu.arrays import MacArray
from pimlab.npu.contraction import TensorUnit
from pimlab.npu.dma import tensor_dma
from pimlab.npu.efficiency import Efficiency
from pimlab.npu.memory import Memory
from pimlab.npu.target import Npu, Origin
from pimlab.values import unknown


@named
def chip(name: str, format: str | None = None) -> Npu:
    """The machine of `catalogue/npu/<name>.toml`, computing in `format` (its own first format
    unless given).

    Arrays hold the MACs of the first format; another format runs at the ratio of the two peaks. In
    a tensor unit a packet holds more or fewer elements instead. ValueError with the nearest name
    for an unknown machine, and for a format without a peak.
    """
    entry = catalogue.entry("npu", name)
    first = entry.meta["format"]
    chosen = first if format is None else format
    if chosen not in peaks(entry):
        raise ValueError(unknown(f"{name}: format", chosen, peaks(entry)))
    unit = _is_unit(name, entry)
    fields = dict(_read(entry, _REQUIRED | (_UNIT if unit else _SYSTOLIC)))
    array = TensorUnit(**_under("array", fields)) if unit else _systolic(entry, fields, chosen)
    lost = _under("efficiency", dict(_read(_lender(entry), frozenset())))
    machine = Npu(
        name=name,
        array=array,
        lanes=fields["lanes"],
        node=fields["node"],
        voltage=fields["voltage"],
        arithmetic=Arithmetic(weights=chosen, activations=chosen, outputs=chosen),
        memory=Memory(**_under("memory", fields), **_placement(entry)),
        efficiency=Efficiency(**lost) if lost else None,
        dma=tensor_dma(name) if "dma.startup" in entry else None,
        static_power=entry["power_static"],
        limit=fields.get("limit"),
    )
    return machine.but(origins=tuple(_origins(entry, chosen, machine)))


_FIELDS = {
    "node": "node",
    "voltage": "voltage",
    "lanes": "lanes",
    "power_static": "static_power",
    "tdp": "limit",
    "sram": "memory.sram",
    "dram_bandwidth": "memory.bandwidth",
    "dram_capacity": "memory.capacity",
    "together": "memory.together",
    "clock": "array.clock",
    "rows": "array.rows",
    "cols": "array.cols",
    "arrays": "array.count",
    "slices": "array.slices",
    "dot_products": "array.lanes",
    "packet": "array.packet",
    "stream": "array.stream",
    "registers": "array.registers",
    "accumulators": "array.accumulators",
    **{f"efficiency.{name}": f"efficiency.{name}" for name in Efficiency.fields()},
}
"""Constant of an entry -> the field of a machine that holds it."""

_COUNTS = {"array.rows", "array.cols", "array.count", "memory.together", "efficiency.block"}
_WHOLE = {"lanes", *_COUNTS} | {f"array.{name}" for name in TensorUnit.fields() if name != "clock"}
"""Fields that are integers."""


_REQUIRED = {"node", "voltage", "lanes", "power_static", "sram", "dram_bandwidth", "clock"}
_SYSTOLIC = {"rows", "cols", "arrays"}
_UNIT = {"slices", "dot_products", "packet", "stream", "registers", "accumulators"}
"""Constants that every entry has, and those of either organisation."""


def _lender(entry: Entry) -> Entry:
    """The entry whose constants a chip has: its own, or that of the fitted chip of its family."""
    lender = entry.meta.get("constants")
    return entry if lender is None else catalogue.entry("npu", lender)


def _is_unit(name: str, entry: Entry) -> bool:
    """Whether the arrays of an entry are a tensor unit; ValueError for an unknown organisation."""
    organisation = entry.meta.get("organisation", "systolic")
    if organisation not in (known := ("systolic", "tensor unit")):
        raise ValueError(unknown(f"{name}: organisation", organisation, known))
    return organisation == "tensor unit"


def _read(entry: Entry, required: Set[str]) -> Iterator[tuple[str, Any]]:
    """Field -> its value, of those that the entry has; an error names what it lacks of
    `required`.
    """
    for name, field in _FIELDS.items():
        if name in entry or name in required:
            value = entry[name].value
            yield field, round(value) if field in _WHOLE else value


def _under(part: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field.removeprefix(f"{part}."): value
        for field, value in fields.items()
        if field.startswith(f"{part}.")
    }


def _systolic(entry: Entry, fields: Mapping[str, Any], format: str) -> MacArray:
    rate = peaks(entry)[format] / peaks(entry)[entry.meta["format"]]
    return MacArray(**_under("array", fields), dataflow=entry.meta["dataflow"], rate=rate)


def _placement(entry: Entry) -> dict[str, Any]:
    """A cache keeps activations that fit until the next operator, no weights until the next
    inference, and its software takes a batch as it comes.
    """
    cached = entry.meta.get("on_chip") == "cache"
    where = {"weights_in": "dram", "batches": "whole", "prefetch": False} if cached else {}
    return {"dram": entry.meta["dram"], **where}


def _origins(entry: Entry, format: str, machine: Npu) -> Iterator[Origin]:
    """What each field of `machine` was taken from; the peaks stand behind the whole array."""
    behind = _FIELDS | {f"peak.{entry.meta['format']}": "array", f"peak.{format}": "array"}
    lender = _lender(entry)
    for name, field in behind.items():
        holder = lender if name.startswith("efficiency.") else entry
        if name in holder:
            value = attrgetter(field)(machine)
            yield Origin(
                field=field, value=value, sources=holder[name].sources, where=holder[name].where
            )
    yield Origin(field="memory.dram", value=entry.meta["dram"], sources=_cited(entry))
    if machine.efficiency is not None:
        lent = entry.meta.get("constants", "")
        yield Origin(field="efficiency", value=machine.efficiency, sources=(), where=lent)


def _cited(entry: Entry) -> tuple[str, ...]:
    return tuple(key.strip() for key in entry.meta.get("source", "").split(",") if key.strip())


def chips() -> tuple[str, ...]:
    """Names that `chip` knows."""
    return catalogue.names("npu")


def peaks(entry: Entry) -> dict[str, float]:
    """Published or assumed peak in operations a second, by format. Unit: 1/s.

    CatalogueError for a format that there is not, and for a peak that is no rate above 0.
    """
    found = {}
    for name, constant in entry.items():
        if not name.startswith("peak."):
            continue
        with catalogue.naming(f"{entry.name}: [{name}]"):
            formats.format(name.removeprefix("peak."))
        if not constant.value > 0 or constant.unit != "s^-1 op":
            raise CatalogueError(
                f"{entry.name}: [{name}] value={constant.printed!r} is no peak; allowed: "
                "operations a second above 0, such as '64 TOPS'"
            )
        found[name.removeprefix("peak.")] = constant.value
    return found
