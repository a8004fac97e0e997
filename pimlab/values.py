"""How is a machine, a device or a converter described? As a frozen value whose fields check
themselves.

A subclass of `Value` is a frozen, keyword-only dataclass. Fields made with `quantity`, `integer`,
`choice`, `number` and `part` carry their unit and bounds; text with a unit becomes an SI float; a
misspelt name answers with the nearest field; a copy with some fields changed is
`value.but(name=...)`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, ClassVar, Self, dataclass_transform

from pimlab import units
from pimlab.canonical import canonical as canonical
from pimlab.canonical import digest as digest
from pimlab.canonical import from_canonical as from_canonical
from pimlab.canonical import register


def closest(name: str, allowed: Iterable[str]) -> str:
    """The closest of `allowed` to `name`, else the first that holds it; "" when there is none.
    Capitals do not count.
    """
    small = {str(one).casefold(): one for one in allowed}
    sought = str(name).casefold()
    inside = [one for one in small if sought and sought in one]
    close = difflib.get_close_matches(sought, list(small), n=1, cutoff=0.5) or inside[:1]
    return small[close[0]] if close else ""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """`"; did you mean 'adc'?"` for the `closest` of `allowed`; "" when there is none."""
    found = closest(name, allowed)
    return f"; did you mean {found!r}?" if found else ""


def unknown(what: str, name: object, allowed: Iterable[str]) -> str:
    """The sentence every look-up by name answers with when `name` is not among `allowed`."""
    listed = sorted(allowed)
    return f"{what} {name!r} is not known{nearest(str(name), listed)} (known: {', '.join(listed)})"


def _field(kind: str, default: Any, metadata: dict[str, Any]) -> Any:
    metadata = {"kind": kind, **metadata}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def quantity(
    unit: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float | None = None,
    default: Any = dataclasses.MISSING,
    doc: str = "",
) -> Any:
    """A finite SI float in `unit`, `low <= value <= high` (and `> above` if given); accepts text
    such as "25 uS".
    """
    return _field(
        "quantity", default, {"unit": unit, "low": low, "high": high, "above": above, "doc": doc}
    )


def number(
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float | None = None,
    default: Any = dataclasses.MISSING,
    doc: str = "",
) -> Any:
    """A finite dimensionless float within bounds; accepts "2 %"."""
    return quantity("", low=low, high=high, above=above, default=default, doc=doc)


def integer(
    low: int,
    high: int = 2**53,
    *,
    default: Any = dataclasses.MISSING,
    hint: str = "",
    doc: str = "",
) -> Any:
    """An integer `low..high`; `hint` is appended to the error, such as "for no converter write
    adc=None".
    """
    return _field("integer", default, {"low": low, "high": high, "hint": hint, "doc": doc})


def choice(*options: str, default: Any = dataclasses.MISSING, doc: str = "") -> Any:
    """One of the named `options`."""
    return _field("choice", default, {"options": options, "doc": doc})


def truth(what: str, value: Any) -> bool:
    """`value` as a bool; TypeError naming `what` for anything but True and False (the text "no"
    would count as true).
    """
    if not (isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")):
        raise TypeError(f"{what}={value!r} is not True or False")
    return bool(value)


def part(*types: type, default: Any = dataclasses.MISSING, doc: str = "") -> Any:
    """An instance of one of `types`; None is allowed only where `default=None`, and means an ideal
    part.
    """
    return _field("part", default, {"types": types, "doc": doc})


def _check_quantity(owner: str, name: str, value: Any, meta: dict[str, Any]) -> float:
    if not (isinstance(value, str) or units.is_number(value)):
        raise TypeError(
            f"{owner} {name}={value!r} is not a number or a text with a unit "
            f"({meta['unit'] or 'dimensionless'})"
        )
    result = units.parse(value, meta["unit"], f"{owner} {name}")
    above, low, high = meta["above"], meta["low"], meta["high"]
    inside = math.isfinite(result) and low <= result <= high and (above is None or result > above)
    if not inside:
        bound = f"above {above:g}" if above is not None else f"{low:g}..{high:g}"
        bound += f" up to {high:g}" if above is not None and math.isfinite(high) else ""
        raise ValueError(
            f"{owner} {name}={value!r} is outside {bound} {meta['unit']}".rstrip()
            + " (and must be finite)"
        )
    return result


def _check_integer(owner: str, name: str, value: Any, meta: dict[str, Any]) -> int:
    hint = f"; {meta['hint']}" if meta["hint"] else ""
    if not units.is_integer(value):
        raise TypeError(
            f"{owner} {name}={value!r} is not an integer {meta['low']}..{meta['high']}{hint}"
        )
    if not meta["low"] <= value.__index__() <= meta["high"]:
        raise ValueError(f"{owner} {name}={value!r} is outside {meta['low']}..{meta['high']}{hint}")
    return value.__index__()


def _check_choice(owner: str, name: str, value: Any, meta: dict[str, Any]) -> str:
    if not isinstance(value, str) or value not in meta["options"]:
        raise ValueError(
            f"{owner} {name}={value!r} is not one of "
            f"{', '.join(meta['options'])}{nearest(str(value), meta['options'])}"
        )
    return value


def _check_part(owner: str, name: str, value: Any, meta: dict[str, Any]) -> Any:
    if not isinstance(value, meta["types"]):
        wanted = " or ".join(kind.__name__ for kind in meta["types"])
        raise TypeError(
            f"{owner} {name}={value!r} is not {'an' if wanted[0] in 'AEIOU' else 'a'} {wanted}"
        )
    return value


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


_CHECKS = {
    "quantity": _check_quantity,
    "integer": _check_integer,
    "choice": _check_choice,
    "part": _check_part,
}


@lru_cache(maxsize=512)
def _defaults(cls: type) -> dict[str, str]:
    """Field -> repr of its default as it stands in a value (text with a unit became a float)."""
    usual = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.default is not dataclasses.MISSING:
            check = _CHECKS.get(field.metadata.get("kind", ""))
            keep = check is None or field.default is None
            value = (
                field.default
                if keep
                else check(  # type: ignore
                    cls.__name__, field.name, field.default, dict(field.metadata)
                )
            )
            usual[field.name] = _shown(value, field.metadata.get("unit", ""))
    return usual


@lru_cache(maxsize=512)
def _units(cls: type) -> dict[str, str]:
    """Field -> SI unit of its quantity."""
    found = dataclasses.fields(cls)  # type: ignore[arg-type]
    return {field.name: field.metadata.get("unit", "") for field in found}


def _shown(value: Any, unit: str) -> str:
    """A field's value as the constructor takes it: '256 Mbit', not 256000000.0."""
    return repr(units.written(value, unit)) if unit and isinstance(value, float) else repr(value)


# What a constructor asks of its class: a plan of a large model makes values by the ten thousand.
@lru_cache(maxsize=512)
def _checked(cls: type) -> tuple[tuple[str, Callable[..., Any], dict[str, Any], bool], ...]:
    """(name, check, its metadata, whether None passes) of every field that is checked."""
    return tuple(
        (field.name, _CHECKS[kind], dict(field.metadata), field.default is None)
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if (kind := field.metadata.get("kind", "")) in _CHECKS
    )


@lru_cache(maxsize=512)
def _required(cls: type) -> tuple[str, ...]:
    """Fields that have no default."""
    own = dataclasses.fields(cls)  # type: ignore[arg-type]
    return tuple(field.name for field in own if _needed(field))


@lru_cache(maxsize=512)
def _known(cls: type) -> frozenset[str]:
    return frozenset(_names(cls))


@lru_cache(maxsize=512)
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(dataclasses.field, quantity, number, integer, choice, part),
)
class Value:
    """Base of every description: frozen, keyword-only, compared by content, checked on
    construction.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True, kw_only=True, repr=False)(cls)
        plain = cls.__init__

        def init(self: Any, *args: Any, **given: Any) -> None:
            if args:
                raise TypeError(
                    f"{cls.__name__} takes keyword arguments only, such as "
                    f"{next(iter(cls.fields()), 'name')}=..."
                )
            if not given.keys() <= _known(cls):  # type: ignore[arg-type]
                cls._refuse_unknown(given)
            required = _required(cls)  # type: ignore[arg-type]
            missing = [name for name in required if name not in given]
            if missing:
                raise TypeError(
                    f"{cls.__name__} needs {', '.join(missing)} (fields: {', '.join(cls.fields())})"
                )
            plain(self, **given)

        register(cls)
        init.__wrapped__ = plain  # type: ignore[attr-defined]  # inspect.signature shows the fields
        cls.__init__ = init  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        own, owner = vars(self), type(self).__name__
        for name, check, metadata, optional in _checked(type(self)):  # type: ignore[arg-type]
            value = own[name]
            if not (optional and value is None):
                own[name] = check(owner, name, value, metadata)
        self.check()

    def __repr__(self) -> str:
        """The fields that are not at their default, or what differs from the preset of this name.

        `canonical` writes all of them, `pimlab.interchange.to_toml` all that differ from a default.
        """
        cls = type(self)
        call, same = self._preset() or ("", None)
        if same is self:
            return call
        known = same is not None and type(same) is cls
        usual = _defaults(cls)  # type: ignore[arg-type]
        if known:
            usual = {name: same._text(name) for name in cls.fields()}  # type: ignore[union-attr]
        parts = {name: self._text(name) for name in cls.fields()}
        changed = ", ".join(f"{n}={text}" for n, text in parts.items() if usual.get(n) != text)
        if not known:
            return f"{cls.__name__}({changed})"
        return f"{call}.but({changed})" if changed else call

    _catalogue: ClassVar[tuple[str, Callable[[str], Any]] | None] = None

    @classmethod
    def named_by(cls, call: str, known: Callable[[str], Any]) -> None:
        """Let `repr` write values of this class as `call('name')` where `known(name)` gives the
        value of that name (None: no catalogue knows it).
        """
        cls._catalogue = (call, known)

    def _preset(self) -> tuple[str, Any] | None:
        """The call that looks up the value of this one's name, and that value."""
        if self._catalogue is None:
            return None
        call, known = self._catalogue
        name = getattr(self, "name", None)
        same = known(name) if isinstance(name, str) else None
        return None if same is None else (f"{call}({name!r})", same)

    def _text(self, name: str) -> str:
        """A field as `repr` writes it: a quantity as text with its unit, which the class reads back
        to the bit.
        """
        return _shown(getattr(self, name), _units(type(self)).get(name, ""))  # type: ignore

    def check(self) -> None:
        """Rules that join several fields; a subclass raises ValueError naming the rule, the values
        and what is allowed.
        """

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return _names(cls)  # type: ignore[arg-type]

    @classmethod
    def options(cls, field: str) -> tuple[str, ...]:
        """The texts that a field takes where it is a choice; none for another field."""
        about = {f.name: f.metadata for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return tuple(about[field].get("options", ())) if field in about else ()

    @classmethod
    def _refuse_unknown(cls, given: Iterable[str]) -> None:
        for name in given:
            if name not in cls.fields():
                raise TypeError(
                    f"{cls.__name__} has no {name!r}{nearest(name, cls.fields())} (fields: "
                    f"{', '.join(cls.fields())})"
                )

    def but(self, **changes: Any) -> Self:
        """A copy with the named fields changed; TypeError names the nearest field when one is
        misspelt.
        """
        self._refuse_unknown(changes)
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]
