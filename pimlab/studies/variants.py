"""Which machine is this preset with some fields changed? `{"adc.bits": "6", "host": "rngd"}` as a
shell writes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pimlab.arguments import typed
from pimlab.machine.presets import target
from pimlab.machine.protocol import Target
from pimlab.values import Value, nearest

ABSENT = "none"
"""What stands for a part that is left out, and is therefore ideal."""
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


@typed
def variant(machine: Target, changes: Mapping[str, Any]) -> Target:
    """`machine` with the named fields changed, each by its path from the machine.

    changes : path such as "adc.bits" or "cell.g_max" -> value: a number, text with a unit ("25 uS",
    in the unit that the field says), the name of a machine or of a memory cell for a part that is
    one, or "none" for a part that is left out. The variant is named after the changes.
    TypeError with the nearest name for a misspelt field, ValueError for a value out of bounds, for
    a field of a part that is absent, and for a part that has no names.

    >>> from pimlab.studies.variants import variant
    >>> variant(pim.target("pcm-hermes"), {"adc.bits": "6"}).adc.bits
    6
    """
    changed: Any = machine
    for path, value in changes.items():
        changed = _with(changed, path.split("."), value, path)
    if not changes or "name" in changes:
        return changed
    said = ", ".join(f"{path}={value}" for path, value in changes.items())
    return changed.but(name=f"{machine.name} ({said})")


def _with(owner: Value, steps: list[str], value: Any, path: str) -> Value:
    name, *rest = steps
    if name not in owner.fields():
        raise TypeError(
            f"{path}: {type(owner).__name__} has no {name!r}{nearest(name, owner.fields())} "
            f"(fields: {', '.join(owner.fields())})"
        )
    if not rest:
        return owner.but(**{name: _read(owner, name, value, path)})
    inner = getattr(owner, name)
    if not isinstance(inner, Value):
        kind = "absent" if inner is None else "no part with fields"
        raise ValueError(f"{path}: {name} of this {type(owner).__name__} is {kind}")
    return owner.but(**{name: _with(inner, rest, value, path)})


def _read(owner: Value, name: str, value: Any, path: str) -> Any:
    """`value` as the field takes it: text of a shell becomes what it stands for."""
    field = next(one for one in dataclasses.fields(owner) if one.name == name)  # type: ignore
    if not isinstance(value, str):
        return value
    if value == ABSENT and field.default is None:
        return None
    kind = field.metadata.get("kind", type(getattr(owner, name)).__name__)
    if kind in ("integer", "int"):
        return _number(value, path)
    if kind == "bool":
        if value.lower() not in _TRUTHS:
            raise ValueError(f"{path}={value}; allowed: {', '.join(_TRUTHS)}")
        return _TRUTHS[value.lower()]
    if kind in ("quantity", "choice", "str", "float"):
        return float(value) if kind == "float" else value
    return _named(getattr(owner, name), field.metadata.get("types", ()), value, path)


def _number(text: str, path: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{path}={text} is not an integer") from None


def _named(now: Any, types: tuple[type, ...], text: str, path: str) -> Any:
    """The machine or the memory cell of this name."""
    from pimlab.analog import device
    from pimlab.analog.devices import Device

    kinds = (*types, type(now))
    if any(issubclass(kind, Target) for kind in kinds):
        return target(text)
    if any(issubclass(kind, Device) for kind in kinds):
        return device(text)
    inside = f", such as {path}.{now.fields()[0]}" if isinstance(now, Value) else ""
    raise ValueError(f"{path}={text}: no part is known by this name; set its fields{inside}")
