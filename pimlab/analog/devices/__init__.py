"""Which memory cells are there? One catalogue file a publication, the physics of each part once in
code.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pimlab import catalogue
from pimlab.analog.devices.conformance import check
from pimlab.analog.devices.current import CubicCurrent, SteepCurrent
from pimlab.analog.devices.device import Device
from pimlab.analog.devices.drift import (
    Arrhenius,
    Drift,
    Leak,
    LogRelaxation,
    PowerLawDrift,
    Relaxation,
)
from pimlab.analog.devices.families import build
from pimlab.analog.devices.programming import Defects, ProgrammingError
from pimlab.analog.devices.read_noise import (
    CurveReadNoise,
    FlickerNoise,
    GaussianReadNoise,
    LogFlickerNoise,
    ReadNoise,
    TelegraphNoise,
)
from pimlab.analog.devices.selector import SelectedCurrent
from pimlab.arguments import named


@named
def device(name: str | Path) -> Device:
    """The memory cell of the catalogue called `name`, or of a user's own TOML file (a path ending
    in .toml).

    `vocabulary` lists what such a file may hold. A user's own class derives from `Device` and
    overrides `program` or `drifted`. ValueError with the nearest name when there is none;
    CatalogueError for a file with a constant or unit that no device has.

    >>> cell = pim.device("pcm-joshi2020")
    >>> written = cell.program(np.full((2, 3), 10e-6), key=0)  # siemens
    >>> cell.read(written, at="1 day", key=1).shape
    (2, 3)
    """
    if not isinstance(name, (str, Path)):
        raise TypeError(
            f"device {name!r} is not a name; write for example pimlab.device('pcm-hermes')"
        )
    own = str(name).endswith(".toml")
    entry = catalogue.load(name) if own else catalogue.entry("devices", str(name))
    with catalogue.naming(entry.name):
        return build(Path(name).stem if own else str(name), entry)


def device_names() -> tuple[str, ...]:
    """Names of the devices in the catalogue."""
    return catalogue.names("devices")


def known(name: str) -> Device | None:
    """The memory cell of the catalogue, built once; None where there is none, or its file is
    refused.
    """
    return _known(name, catalogue.state()) if name in device_names() else None


@lru_cache(maxsize=256)
def _known(name: str, state: str) -> Device | None:
    try:
        return device(name)
    except (ValueError, TypeError, OSError):
        return None


Device.named_by("pim.device", known)

__all__ = [
    "Arrhenius",
    "CubicCurrent",
    "CurveReadNoise",
    "Defects",
    "Device",
    "Drift",
    "FlickerNoise",
    "GaussianReadNoise",
    "Leak",
    "LogFlickerNoise",
    "LogRelaxation",
    "PowerLawDrift",
    "ProgrammingError",
    "ReadNoise",
    "Relaxation",
    "SelectedCurrent",
    "SteepCurrent",
    "TelegraphNoise",
    "check",
    "device",
    "device_names",
]
