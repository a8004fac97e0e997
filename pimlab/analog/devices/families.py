"""How does a catalogue file become a device? Each part by the numbers the publication gives; what
it does not give is absent.
"""

from __future__ import annotations

import math

from pimlab.analog.devices.current import CubicCurrent, SteepCurrent
from pimlab.analog.devices.curves import (
    ClippedLog,
    ClippedPower,
    Curve,
    Polynomial,
    Saturating,
    Split,
)
from pimlab.analog.devices.device import Device
from pimlab.analog.devices.drift import (
    Arrhenius,
    Drift,
    Leak,
    LogRelaxation,
    PowerLawDrift,
    Relaxation,
)
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
from pimlab.analog.devices.vocabulary import FACTS, refuse_unknown, refuse_unused
from pimlab.catalogue import CatalogueError, Entry
from pimlab.constants import Constant

FAMILIES = ("pcm", "reram", "mram", "sonos", "flash", "fefet", "ecram", "capacitor", "generic")


class _Reading(Entry):
    """An entry that remembers which of its constants were taken."""

    def __init__(self, entry: Entry):
        super().__init__(entry.name, entry.meta, dict(entry))
        self.taken: set[str] = set()

    def __getitem__(self, key: str) -> Constant:
        self.taken.add(key)
        return super().__getitem__(key)


def build(name: str, entry: Entry) -> Device:
    """The device of a catalogue entry; CatalogueError for an unknown family, constant or unit, and
    for what makes no part of it.
    """
    if entry.meta.get("model") not in FAMILIES:
        raise CatalogueError(
            f"{entry.name}: model={entry.meta.get('model')!r} is not one of {', '.join(FAMILIES)}"
        )
    refuse_unknown(entry)
    reading = _Reading(entry)
    device = _parts(name, reading)
    refuse_unused(entry, reading.taken)
    return device.but(sources=_sources(entry))


def _parts(name: str, entry: Entry) -> Device:
    return Device(
        name=name,
        g_min=entry["g_min"].value,
        g_max=entry["g_max"].value,
        levels=_levels(entry),
        programming=_programming(entry),
        defects=_defects(entry),
        drift=_drift(entry),
        temperature=_temperature(entry),
        read_noise=_read_noise(entry),
        current=_current(entry),
        bounded=_bounded(entry),
        facts=tuple((fact, entry[fact]) for fact in FACTS if fact in entry),
    )


def _levels(entry: Entry) -> int | None:
    if "levels" not in entry:
        return None
    value = entry["levels"].value
    if value != int(value):
        raise CatalogueError(f"{entry.name}: [levels] {value:g} is not an integer; allowed: 2..")
    return int(value)


def _sources(entry: Entry) -> tuple[str, ...]:
    """Keys of every number's source and of the papers that first showed them."""
    papers = {paper.strip() for paper in entry.meta.get("paper", "").split(",") if paper.strip()}
    return tuple(
        sorted(papers | {source for constant in entry.values() for source in constant.sources})
    )


def _has(entry: Entry, row: str) -> bool:
    return f"{row}.0" in entry


def _has_curve(entry: Entry, name: str) -> bool:
    return name in entry or any(_has(entry, name + form) for form in ("", "_saturating", "_bounds"))


def _reference(entry: Entry, name: str) -> float:
    """Conductance the fit called `name` was normalised by: its own, or g_max."""
    return (
        entry[f"{name}_reference"].value if f"{name}_reference" in entry else entry["g_max"].value
    )


def _curve(entry: Entry, name: str) -> Curve:
    """The curve called `name`: one number, a row of coefficients, a saturating exponential, a
    clipped power, or a clipped logarithm.
    """
    if name in entry:
        return Polynomial(coefficients=(entry[name].value,))
    if _has(entry, name):
        return _joined(entry, name, Polynomial(coefficients=entry.row(name)))
    if _has(entry, f"{name}_saturating"):
        top, width = entry.row(f"{name}_saturating")
        return Saturating(top=top, width=width / _reference(entry, name))
    if not _has(entry, f"{name}_bounds"):
        raise CatalogueError(
            f"{entry.name}: the curve {name!r} is missing; write [{name}] with one value, or one "
            f"of the rows {name}, {name}_saturating and {name}_bounds"
        )
    low, high = entry.row(f"{name}_bounds")
    if _has(entry, f"{name}_power"):
        factor, exponent = entry.row(f"{name}_power")
        return ClippedPower(factor=factor, exponent=exponent, low=low, high=high)
    slope, offset = entry.row(f"{name}_low")
    return _joined(entry, name, ClippedLog(slope=slope, offset=offset, low=low, high=high))


def _joined(entry: Entry, name: str, below: ClippedLog | Polynomial) -> Curve:
    """`below`, and beyond the split of the file, where it has one, a polynomial."""
    if f"{name}_split" not in entry:
        return below
    return Split(
        at=entry[f"{name}_split"].value,
        below=below,
        above=Polynomial(coefficients=entry.row(f"{name}_high")),
    )


def _programming(entry: Entry) -> ProgrammingError | None:
    name = "programming_sigma"
    if not _has_curve(entry, name):
        return None
    other = f"{name}_other"
    second = (
        (_curve(entry, other), _reference(entry, other))
        if _has_curve(entry, other)
        else (None, None)
    )
    return ProgrammingError(
        sigma=_curve(entry, name),
        g_reference=_reference(entry, name),
        other=second[0],
        other_reference=second[1],
        floor=entry["programming_floor"].value if "programming_floor" in entry else 0.0,
    )


def _defects(entry: Entry) -> Defects | None:
    shares = {share: entry[share].value for share in ("stuck_low", "stuck_high") if share in entry}
    return Defects(**shares) if shares else None


def _drift(entry: Entry) -> Drift | None:
    g_max = entry["g_max"].value
    if "drift_time" in entry:
        sigma = _curve(entry, "drift_sigma") if _has_curve(entry, "drift_sigma") else None
        return PowerLawDrift(
            time=entry["drift_time"].value,
            mean=_curve(entry, "drift_mean"),
            sigma=sigma,
            g_reference=g_max,
        )
    if _has(entry, "relaxation_times"):
        return _relaxation(entry)
    if "leak_time" in entry:
        return Leak(time=entry["leak_time"].value)
    if "relaxation_shift_rate" not in entry:
        return None
    rates = ("relaxation_shift_rate", "relaxation_spread_rate", "relaxation_spread")
    return LogRelaxation(**{name.removeprefix("relaxation_"): entry[name].value for name in rates})


def _temperature(entry: Entry) -> Arrhenius | None:
    """At which temperature the cell is used, where the file says so; None: at that of its fits."""
    names = {
        "energy": "activation_energy",
        "temperature": "temperature",
        "reference": "temperature_reference",
    }
    if "activation_energy" not in entry or "temperature" not in entry:
        return None
    return Arrhenius(**{part: entry[name].value for part, name in names.items() if name in entry})


def _relaxation(entry: Entry) -> Relaxation:
    times = entry.row("relaxation_times")
    spreads = tuple(_curve(entry, f"relaxation_sigma_{i}") for i in range(len(times)))
    until = entry["relaxation_shift_until"].value if "relaxation_shift_until" in entry else math.inf
    rows = (
        [entry.row(f"relaxation_shift_{i}") for i in range(len(times))]
        if _has(entry, "relaxation_shift_0")
        else []
    )
    shifts = tuple(Polynomial(coefficients=row, until=until) for row in rows)
    scale = entry.meta.get("relaxation_scale", "linear")
    return Relaxation(
        times=times,
        spreads=spreads,
        shifts=shifts,
        scale=scale,
        g_reference=_reference(entry, "relaxation"),
    )


def _read_noise(entry: Entry) -> ReadNoise | None:
    if "read_time" in entry and "read_log_factor" in entry:
        return LogFlickerNoise(
            factor=entry["read_log_factor"].value,
            read_time=entry["read_time"].value,
            low=entry["g_min"].value if _bounded(entry) else 0.0,
            high=entry["g_max"].value if _bounded(entry) else None,
        )
    if "read_time" in entry:
        return FlickerNoise(
            strength=_curve(entry, "read"),
            read_time=entry["read_time"].value,
            start=entry["drift_time"].value,
            g_reference=entry["g_max"].value,
        )
    if _has_curve(entry, "read_sigma"):
        return CurveReadNoise(
            sigma=_curve(entry, "read_sigma"), g_reference=_reference(entry, "read_sigma")
        )
    if "telegraph_depth" in entry and "telegraph_share" in entry:
        return TelegraphNoise(
            depth=entry["telegraph_depth"].value, share=entry["telegraph_share"].value
        )
    amounts = {
        part: entry[f"read_{part}"].value
        for part in ("absolute", "relative")
        if f"read_{part}" in entry
    }
    return GaussianReadNoise(**amounts) if amounts else None


def _bounded(entry: Entry) -> bool:
    answer = entry.meta.get("bounded", "no")
    if answer not in ("yes", "no"):
        raise CatalogueError(f"{entry.name}: bounded={answer!r} is not one of yes, no")
    return answer == "yes"


def _current(entry: Entry) -> CubicCurrent | SteepCurrent | SelectedCurrent | None:
    law = entry.meta.get("current_law")
    if "selector_conductance" in entry or "selector_v0" in entry:
        return _selected(entry, "sinh" if law is None else law)
    if "current_v0" in entry:
        return _steep(entry, "sinh" if law is None else law)
    if law is not None:
        raise CatalogueError(f"{entry.name}: current_law={law!r} needs [current_v0]")
    rows = {
        part: entry.row(f"current_{part}")
        for part in ("second", "third")
        if _has(entry, f"current_{part}")
    }
    return CubicCurrent(limit=entry["current_limit"].value, **rows) if rows else None


def _known(entry: Entry, law: str) -> str:
    if law not in ("sinh", "exponential"):
        raise CatalogueError(f"{entry.name}: current_law={law!r} is not one of sinh, exponential")
    return law


def _selected(entry: Entry, law: str) -> SelectedCurrent:
    """A selector in series with an ohmic cell."""
    for name in ("selector_conductance", "selector_v0"):
        if name not in entry:
            raise CatalogueError(f"{entry.name}: a selector needs [{name}]")
    return SelectedCurrent(
        conductance=entry["selector_conductance"].value,
        v0=entry["selector_v0"].value,
        law=_known(entry, law),
    )


def _steep(entry: Entry, law: str) -> SteepCurrent:
    law = _known(entry, law)
    return SteepCurrent(v0=entry["current_v0"].value, law=law)
