"""Which machines are known by name? Presets of the three stages, from the catalogue."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import lru_cache

from pimlab import catalogue
from pimlab.machine.protocol import Target
from pimlab.machine.registry import Build
from pimlab.values import unknown

_ROOMS = ("npu", "dram_pim", "analog")
HOST = "warboy"
"""The digital machine beside DRAM-PIM and analog presets: it runs what they cannot."""


def _rooms() -> dict[str, str]:
    """Name of every machine -> its room."""
    return {name: room for room in _ROOMS for name in _registry(room)}


def _registry(room: str) -> Mapping[str, Build]:
    registry: Mapping[str, Build] = importlib.import_module(f"pimlab.{room}").TARGETS
    return registry


def targets() -> tuple[str, ...]:
    """Names that `target` knows."""
    return tuple(sorted(_rooms()))


def target(name: str) -> Target:
    """The cited preset `name`, such as "warboy"; stage 2 and 3 come with the NPU "warboy" as host.

    ValueError with the nearest name for an unknown one. A variant: `target("warboy").but(...)`.

    >>> pim.target("hbm-pim").but(host=pim.target("rngd")).host.name
    'rngd'
    """
    if not isinstance(name, str):
        raise TypeError(f"target {name!r} is not a name; write for example pimlab.target('warboy')")
    rooms = _rooms()
    if name not in rooms:
        raise ValueError(unknown("target", name, rooms))
    return _built(name, rooms[name], catalogue.state())


@lru_cache(maxsize=256)
def _built(name: str, room: str, state: str) -> Target:
    """The machine, built once for each `state` of one's own files."""
    with catalogue.naming(f"{room}/{name}"):
        machine = _registry(room)[name]()
    return machine if room == "npu" or machine.host is not None else machine.but(host=target(HOST))
