"""Phase-change memory: polynomial programming error, power-law drift, 1/f read noise (Nandakumar et al., ICECS 2019)."""

from __future__ import annotations

from pimlab.analog.devices.curves import ClippedLog, ClippedPower, Curve, Polynomial, Split
from pimlab.analog.devices.device import Device, FlickerNoise, PowerLawDrift, ProgrammingError
from pimlab.catalogue import Entry


def build(name: str, entry: Entry) -> Device:
    """The device of a catalogue entry of model "pcm"."""
    g_max = entry["g_max"].value
    start = entry["drift_time"].value
    return Device(
        name=name,
        g_min=entry["g_min"].value,
        g_max=g_max,
        programming=ProgrammingError(sigma=Polynomial(coefficients=entry.row("programming_sigma"), low=0.0), g_reference=g_max),
        drift=PowerLawDrift(time=start, mean=_curve(entry, "drift_mean"), sigma=_curve(entry, "drift_sigma"), g_reference=g_max),
        read_noise=FlickerNoise(strength=_curve(entry, "read"), read_time=entry["read_time"].value, start=start, g_reference=g_max),
        sources=tuple(sorted({source for constant in entry.values() for source in constant.sources})),
    )


def _curve(entry: Entry, name: str) -> Curve:
    low, high = entry.row(f"{name}_bounds")
    if f"{name}_power.0" in entry:
        factor, exponent = entry.row(f"{name}_power")
        return ClippedPower(factor=factor, exponent=exponent, low=low, high=high)
    slope, offset = entry.row(f"{name}_low")
    below = ClippedLog(slope=slope, offset=offset, low=low, high=high)
    if f"{name}_split" not in entry:
        return below
    return Split(at=entry[f"{name}_split"].value, below=below, above=Polynomial(coefficients=entry.row(f"{name}_high")))
