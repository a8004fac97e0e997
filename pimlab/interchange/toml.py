"""How does a machine, a device or any other value become a file that a person can edit, and a value
again?

A value is a table of the fields that are not at their defaults, with `class` to say what it is; a
quantity is text with its unit; a part is a table of its own. `from_toml(to_toml(x)) == x`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from typing import Any

from pimlab import units
from pimlab.arguments import typed
from pimlab.canonical import Form, Writer, canonical, fields, from_canonical, path
from pimlab.values import Value

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")
_NOTHING = {"class": "nothing"}
"""None where it is not the default: TOML has no such value."""


@typed
def to_toml(value: Value) -> str:
    """TOML text of a machine, a device, a converter or any other value of pimlab.

    Fields at their defaults are left out. Quantities are text with their unit, in SI, to the bit.
    TypeError for what is no Value, or holds what has no text.

    >>> print(pim.interchange.to_toml(pim.ADC(bits=6)), end="")
    class = "pimlab.analog.converters:ADC"
    bits = 6
    """
    form = _form(value)
    return "\n".join(_table((), form)).lstrip("\n") + "\n"


@typed
def from_toml(text: str) -> Value:
    """The value that `to_toml` wrote, or that a person wrote like it. Quantities in any unit of
    their kind ("25 uS").

    ValueError for a text that is not TOML, has no class, or whose fields the class refuses (it
    names the field and the nearest one).

    >>> pim.interchange.from_toml('class = "pimlab.analog.converters:ADC"\\nbits = 6').bits
    6
    """
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"text={text[:40]!r} is no TOML: {error}") from None
    if not isinstance(read.get("class"), str):
        raise ValueError('no class; write for example class = "pimlab.analog.converters:ADC"')
    try:
        value = from_canonical(json.dumps(_read(read), allow_nan=False))
    except TypeError as error:
        raise ValueError(str(error)) from None
    if not isinstance(value, Value):
        raise ValueError(f"{read['class']} is no value of pimlab")
    return value


# --- what is written -------------------------------------------------------------------------


def _form(value: Any) -> Form:
    """What TOML will hold: like the canonical form, without what a default says."""
    if isinstance(value, tuple):
        return [_form(part) for part in value]
    if value is None:
        return _NOTHING
    if isinstance(value, float):
        return float(value)
    parts = fields(value)
    if parts is None:
        return _without_none(Writer().form(value))
    usual = _usual(type(value))
    shown = {
        name: _with_unit(type(value), name, part)
        for name, part in parts.items()
        if name not in usual or usual[name] != canonical(part)
    }
    return {"class": path(type(value)), **shown}


def _without_none(form: Form) -> Form:
    if isinstance(form, dict):
        return {name: _without_none(part) for name, part in form.items()}
    if isinstance(form, list):
        return [_without_none(part) for part in form]
    return _NOTHING if form is None else form


def _usual(kind: type) -> dict[str, str]:
    """Field -> canonical text of its default, where it has one."""
    if not dataclasses.is_dataclass(kind):
        return {}
    found = {}
    for field in dataclasses.fields(kind):
        default = field.default
        if default is dataclasses.MISSING:
            continue
        if field.metadata.get("kind") == "quantity" and isinstance(default, str):
            default = units.parse(default, field.metadata["unit"])
        found[field.name] = canonical(default)
    return found


def _with_unit(kind: type, name: str, part: Any) -> Form:
    about: dict[str, Any] = {}
    if dataclasses.is_dataclass(kind):
        about = next((dict(f.metadata) for f in dataclasses.fields(kind) if f.name == name), {})
    unit = about.get("unit", "")
    if about.get("kind") == "quantity" and unit and isinstance(part, float):
        return f"{part!r} {unit}"
    return _form(part)


def _table(name: tuple[str, ...], form: dict[str, Form]) -> list[str]:
    """The lines of a table: its own keys first, then its tables."""
    inner = {key: part for key, part in form.items() if isinstance(part, dict) and _open(part)}
    lines = ["", f"[{'.'.join(map(_key, name))}]"] if name else []
    lines += [f"{_key(k)} = {_inline(part)}" for k, part in form.items() if k not in inner]
    for key, part in inner.items():
        lines += _table((*name, key), part)
    return lines


def _open(form: dict[str, Form]) -> bool:
    """Whether an object is large enough for a table of its own."""
    return len(form) > 1 and ":" in str(form.get("class", ""))


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name, ensure_ascii=False)


def _inline(form: Form) -> str:
    if isinstance(form, bool):
        return "true" if form else "false"
    if isinstance(form, float):
        return repr(form)  # inf and nan are written alike in both
    if isinstance(form, list):
        return f"[{', '.join(map(_inline, form))}]"
    if isinstance(form, dict):
        inside = ", ".join(f"{_key(key)} = {_inline(part)}" for key, part in form.items())
        return f"{{ {inside} }}"
    if isinstance(form, str):
        return json.dumps(form, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(form)


# --- what is read ----------------------------------------------------------------------------


def _read(form: Any) -> Form:
    """The canonical form of what TOML held."""
    if form == _NOTHING:
        return None
    if isinstance(form, dict):
        return {name: _read(part) for name, part in form.items()}
    if isinstance(form, list):
        return [_read(part) for part in form]
    if isinstance(form, float) and not math.isfinite(form):
        return {"class": "float", "text": repr(form)}
    if isinstance(form, (str, int, float)):
        return form
    raise ValueError(f"{form!r} is a date; no field takes one")
