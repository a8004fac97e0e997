"""Which machines are published? The NPUs of the catalogue, each in every format it has a peak
for.
"""

from __future__ import annotations

from pimlab import catalogue
from pimlab.catalogue import Entry
from pimlab.npu.arithmetic import Arithmetic
from pimlab.npu.pricing import memory_prices
from pimlab.npu.target import MacArray, Memory, Npu
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
    node, voltage = entry["node"].value, entry["voltage"].value
    return Npu(
        name=name,
        array=array,
        lanes=_count(entry, "lanes"),
        node=node,
        voltage=voltage,
        sources=_cited(entry),
        arithmetic=Arithmetic(weights=chosen, activations=chosen, outputs=chosen),
        memory=Memory(sram=entry["sram"].value, bandwidth=entry["dram_bandwidth"].value),
        energy=memory_prices(node, voltage, entry.meta["dram"], entry["power_static"]),
    )


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


def _cited(entry: Entry) -> tuple[str, ...]:
    return tuple(sorted({source for constant in entry.values() for source in constant.sources}))
