"""What does an operator keep busy, and for how long? Its work, resource by resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

CHIP, MEMORY, ARRAY, HOST = "chip", "memory", "array", "host"
OWNERS = (ARRAY, CHIP, HOST, MEMORY)
"""Who draws static power: arrays of cells, a chip around them, the host beside it, its memory."""
DRAM = "DRAM channel"
"""The resource that an NPU reads through and that banks block while they compute."""
BANKS = "banks"
"""The resource of banks with a second row buffer: they compute while others read through the
channel.
"""


class Work(NamedTuple):
    """Seconds [s] that one operator occupies one resource of its machine, and which of the
    operator's other work comes before (indices in the same tuple).
    """

    resource: str
    seconds: float
    after: tuple[int, ...] = ()


def in_turn(phases: Mapping[str, float], resources: Mapping[str, str]) -> tuple[Work, ...]:
    """The phases [s] one after another, those on the same resource that follow each other as one;
    phases without time left out.
    """
    found: list[Work] = []
    for phase, seconds in phases.items():
        if seconds <= 0:
            continue
        resource = resources[phase]
        if found and found[-1].resource == resource:
            found[-1] = found[-1]._replace(seconds=found[-1].seconds + seconds)
        else:
            found.append(Work(resource, seconds, (len(found) - 1,) if found else ()))
    return tuple(found)
