"""Which fields of a machine can one move, over which values, and what is the call that does it?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pimlab.analog.devices import device, device_names
from pimlab.arguments import named
from pimlab.machine.presets import target as preset
from pimlab.machine.protocol import Target
from pimlab.npu import chips
from pimlab.values import Value, unknown

FORMATS = ("fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "int8", "int6", "int4", "mxfp4")
"""Formats that an NPU is offered in."""
FIRST = ("format", "cell", "adc.bits", "dac.bits", "rows", "cols", "organisation.channels", "host")
"""Settings that stand first; the others follow in the order of the fields."""
SIZES = (16, 32, 64, 128, 256, 512, 1024)
STEPS = 9
"""Values that a quantity is offered at, from a quarter to four times its own."""
_INTEGERS = {"adc.bits": range(3, 13), "dac.bits": range(2, 13)}


class Setting(NamedTuple):
    """One field of a machine: its path, such as "adc.bits", the values it may take, the one it has,
    and its unit.
    """

    path: str
    options: tuple[Any, ...]
    now: Any
    unit: str = ""


@named
def settings(machine: Target) -> tuple[Setting, ...]:
    """The fields of a machine, and of the parts one level below, that can be moved: those that are
    a choice, an integer, a quantity, a cell, a host, or a format.

    TypeError for what is no machine. Limits and steps in the unit of the field.
    """
    if not isinstance(machine, Target):
        raise TypeError(f"settings takes a machine, not {type(machine).__name__}")
    found = [*_named(machine), *_of_fields(machine, "")]
    for field in dataclasses.fields(machine):  # type: ignore[arg-type]
        inner = getattr(machine, field.name)
        if isinstance(inner, Value) and not isinstance(inner, Target) and field.name != "cell":
            found += _of_fields(inner, field.name + ".")
    place = {path: i for i, path in enumerate(FIRST)}
    return tuple(sorted(found, key=lambda setting: place.get(setting.path, len(place))))


def _named(machine: Target) -> list[Setting]:
    """Settings whose values have names: a format, a cell, a host."""
    found = []
    if hasattr(machine, "in_format"):
        found.append(Setting("format", FORMATS, None))
    if hasattr(machine, "cell"):
        name = machine.cell.name
        found.append(Setting("cell", tuple(dict.fromkeys((name, *device_names()))), name))
    if machine.host is not None:
        name = machine.host.name
        found.append(Setting("host", tuple(dict.fromkeys((name, *chips()))), name))
    return found


def _of_fields(value: Value, before: str) -> list[Setting]:
    found = []
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        now, meta = getattr(value, field.name), field.metadata
        options = _options(before + field.name, now, meta)
        if len(options) > 1:
            found.append(Setting(before + field.name, options, now, meta.get("unit", "")))
    return found


def _options(path: str, now: Any, meta: Mapping[str, Any]) -> tuple[Any, ...]:
    kind = meta.get("kind", "")
    if kind == "choice":
        return tuple(meta["options"])
    if now is None or isinstance(now, bool):
        return ()
    if kind == "integer":
        usual = _INTEGERS.get(path, SIZES if now in SIZES else _around(now))
        return tuple(sorted({n for n in usual if meta["low"] <= n <= meta["high"]} | {now}))
    if kind == "quantity" and now > 0:
        factors = [2 ** (2 * i / (STEPS // 2)) for i in range(-(STEPS // 2), STEPS // 2 + 1)]
        values = {float(f"{now * factor:.3g}") for factor in factors if factor != 1} | {now}
        return tuple(sorted(v for v in values if meta["low"] <= v <= meta["high"]))
    return ()


def _around(now: int) -> tuple[int, ...]:
    """Powers of two from a quarter to four times `now`, itself among them."""
    return tuple(sorted({max(math.ceil(now * 2.0**power), 1) for power in range(-2, 3)}))


def changed(machine: Target, moved: Mapping[str, Any]) -> Target:
    """`machine` with the fields at the paths of `moved` at those values.

    ValueError for a path that `settings` does not name, and what the machine says of its values. In
    the unit of the field.
    """
    known = {setting.path for setting in settings(machine)}
    for path, value in moved.items():
        if path not in known:
            raise ValueError(unknown("setting", path, known))
        machine = _with(machine, path, value)
    return machine


def _with(machine: Target, path: str, value: Any) -> Target:
    if path == "format":
        return machine.in_format(value)  # type: ignore[attr-defined]
    outer, _, inner = path.partition(".")
    if inner:
        return machine.but(**{outer: getattr(machine, outer).but(**{inner: value})})
    if path == "cell":
        return machine.but(cell=device(value))
    return machine.but(**{path: preset(value) if path == "host" else value})


def code(name: str, moved: Mapping[str, Any]) -> str:
    """The call that builds the machine `name` with the fields of `moved` changed.

    >>> pim.lab.settings.code("pcm-hermes", {"adc.bits": 6, "host": "rngd"})
    "machine = pim.target('pcm-hermes')\\nmachine = machine.but(adc=machine.adc.but(bits=6))\\n..."
    """
    lines = [f"machine = pim.target({name!r})"]
    for path, value in moved.items():
        outer, _, inner = path.partition(".")
        if path == "format":
            lines.append(f"machine = machine.in_format({value!r})")
        elif inner:
            lines.append(f"machine = machine.but({outer}=machine.{outer}.but({inner}={value!r}))")
        elif path in ("cell", "host"):
            kind = "device" if path == "cell" else "target"
            lines.append(f"machine = machine.but({path}=pim.{kind}({value!r}))")
        else:
            lines.append(f"machine = machine.but({path}={value!r})")
    return "\n".join(lines)
