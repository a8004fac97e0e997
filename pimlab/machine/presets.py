"""Which machines are known by name? Presets of the three stages, from the catalogue."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache

from pimlab import catalogue
from pimlab.arguments import named
from pimlab.machine.protocol import Target
from pimlab.machine.registry import Build
from pimlab.values import unknown

_building: ContextVar[bool] = ContextVar("building", default=False)
"""Whether a preset is being built here."""
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


@named
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
    outer = _building.set(True)
    try:
        with catalogue.naming(f"{room}/{name}"):
            machine = _registry(room)[name]()
        with_host = room == "npu" or machine.host is not None
        return machine if with_host else machine.but(host=target(HOST))
    finally:
        _building.reset(outer)


def known(name: str) -> Target | None:
    """The preset `name`; None where there is none, its files are refused, or one is being built (an
    error on the way may show the machine).
    """
    if _building.get() or name not in _rooms():
        return None
    try:
        return target(name)
    except (ValueError, TypeError, OSError):
        return None


Target.named_by("pim.target", known)
