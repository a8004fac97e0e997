"""Which machines are known by name? Presets of the three stages, from the catalogue."""

from __future__ import annotations

import importlib
from functools import lru_cache

from pimlab.machine.protocol import Target
from pimlab.values import unknown

_ROOMS = ("npu", "dram_pim", "analog")
HOST = "warboy"
"""The digital machine beside DRAM-PIM and analog presets: it runs what they cannot."""


@lru_cache(maxsize=1)
def _builders() -> dict[str, tuple[str, object]]:
    rooms = {room: importlib.import_module(f"pimlab.{room}").TARGETS for room in _ROOMS}
    return {
        name: (room, builder)
        for room, builders in rooms.items()
        for name, builder in builders.items()
    }


def targets() -> tuple[str, ...]:
    """Names that `target` knows."""
    return tuple(sorted(_builders()))


def target(name: str) -> Target:
    """The cited preset `name`, such as "warboy"; stage 2 and 3 come with the NPU "warboy" as host.

    ValueError with the nearest name for an unknown one. A variant: `target("warboy").but(...)`.

    >>> pim.target("hbm-pim").but(host=pim.target("rngd")).host.name
    'rngd'
    """
    if not isinstance(name, str):
        raise TypeError(f"target {name!r} is not a name; write for example pimlab.target('warboy')")
    if name not in _builders():
        raise ValueError(unknown("target", name, _builders()))
    return _built(name)


@lru_cache(maxsize=64)
def _built(name: str) -> Target:
    room, build = _builders()[name]
    machine: Target = build()  # type: ignore[operator]
    return machine if room == "npu" or machine.host is not None else machine.but(host=target(HOST))
