"""Which memory cells are there? One catalogue file a publication, the physics of each family once in code."""

from __future__ import annotations

from pathlib import Path

from pimlab import catalogue
from pimlab.analog.devices import pcm
from pimlab.analog.devices.device import Device, FlickerNoise, GaussianReadNoise, PowerLawDrift, ProgrammingError
from pimlab.catalogue import Entry
from pimlab.values import unknown

_MODELS = {"pcm": pcm.build}


def device(name: str | Path) -> Device:
    """The memory cell of the catalogue called `name`, or of a user's own TOML file (a path ending in .toml).

    ValueError with the nearest name when there is none.
    """
    if str(name).endswith(".toml"):
        return _build(Path(name).stem, catalogue.load(name))
    return _build(str(name), catalogue.entry("devices", str(name)))


def devices() -> tuple[str, ...]:
    """Names of the devices in the catalogue."""
    return catalogue.names("devices")


def _build(name: str, entry: Entry) -> Device:
    model = entry.meta.get("model", "")
    if model not in _MODELS:
        raise ValueError(f"{name}: {unknown('device model', model, _MODELS)}")
    return _MODELS[model](name, entry)


__all__ = ["Device", "FlickerNoise", "GaussianReadNoise", "PowerLawDrift", "ProgrammingError", "device", "devices"]
