"""Does a device keep the promises that reads rely on? The suite every catalogue device and every
user's device must pass.
"""

from __future__ import annotations

import numpy as np

from pimlab.analog.devices.device import Device
from pimlab.arguments import named
from pimlab.keys import Key

_SAMPLES = (200, 200)


class ConformanceError(AssertionError):
    """A device breaks a promise: the message names device, promise and the numbers."""


@named
def check(device: Device) -> tuple[str, ...]:
    """Names of the promises kept, all of them; ConformanceError at the first that `device` breaks.

    Shapes and types; the same key, the same cells; other keys, other cells; never negative or
    non-finite; nothing drifts at time zero; a part taken away leaves the others where they are; the
    spread is the one that read noise states.

    >>> pim.check(pim.device("reram-wan2022"))[:3]
    ('repeats', 'differs', 'stays physical')
    """
    if not isinstance(device, Device):
        raise TypeError(
            f"check: {device!r} is not a Device; write pim.device({str(device)!r}) or "
            "Device(name=..., g_min=..., g_max=...)"
        )
    promises = (
        _repeats,
        _differs,
        _stays_physical,
        _starts_at_zero,
        _parts_are_apart,
        _moments_hold,
    )
    for promise in promises:
        promise(device)
    return tuple(promise.__name__.lstrip("_").replace("_", " ") for promise in promises)


def _require(device: Device, kept: object, what: str) -> None:
    if not kept:
        raise ConformanceError(f"{device.name}: {what}")


def _targets(device: Device) -> np.ndarray:
    return np.linspace(device.g_min, device.g_max, 24).reshape(4, 6)


def _repeats(device: Device) -> None:
    g = _targets(device)
    first, second = (device.read(device.program(g, 1), "1 h", 2) for _ in range(2))
    _require(device, np.array_equal(first, second), "the same key gave other conductances")
    _require(
        device,
        first.shape == g.shape and first.dtype == np.float64,
        f"read gave {first.dtype} {first.shape} for float64 {g.shape}",
    )


def _differs(device: Device) -> None:
    g = _targets(device)
    if device.programming is not None and (device.programming.spread(g) > 0).all():
        _require(
            device,
            not np.array_equal(device.program(g, 1), device.program(g, 2)),
            "another key programmed the very same conductances",
        )


def _stays_physical(device: Device) -> None:
    for at in (0.0, 1.0, "1 day", "10 years"):
        seen = device.read(device.program(_targets(device), 3), at, 4)
        _require(
            device,
            np.isfinite(seen).all() and (seen >= 0).all(),
            f"read at {at} gave conductances below 0 S or not finite",
        )


def _starts_at_zero(device: Device) -> None:
    g = device.but(temperature=None).program(_targets(device), 5)
    now = device.but(temperature=None).drifted(g, 0.0, 6)
    _require(
        device, np.allclose(now, g, rtol=1e-12, atol=0), "drift has changed conductances at time 0"
    )


def _parts_are_apart(device: Device) -> None:
    g = device.program(_targets(device), 7)
    quiet = device.but(read_noise=None)
    _require(
        device,
        np.array_equal(quiet.program(_targets(device), 7), g),
        "programming depends on the read noise",
    )
    same = np.array_equal(quiet.read(g, "1 day", 8), device.drifted(g, "1 day", 8))
    _require(
        device,
        same,
        "a read without read noise is not `drifted`; arrays call `drifted` and the part "
        "`read_noise`, never `read`",
    )


def _moments_hold(device: Device) -> None:
    noise = device.read_noise
    if noise is None:
        return
    still = device.but(drift=None, temperature=None)
    for share in (0.1, 0.5, 1.0):
        g = np.full(_SAMPLES, device.g_min + share * (device.g_max - device.g_min))
        mean, variance = noise.moments(g[:1, :1], noise.spread(g[:1, :1], 3600.0, g[:1, :1]))
        seen = still.read(g, "1 h", Key(seed=9))
        error = float(np.sqrt(variance[0, 0] / g.size))
        _require(
            device,
            abs(seen.mean() - mean[0, 0]) <= 5 * error + 1e-18,
            f"mean of reads is {seen.mean()} S, stated {mean[0, 0]} S",
        )
        _require(
            device,
            abs(seen.std() - np.sqrt(variance[0, 0])) <= 7 * error + 1e-18,
            f"spread of reads is {seen.std()} S, stated {np.sqrt(variance[0, 0])} S",
        )
