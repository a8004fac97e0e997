"""Which SI number does a text like "25 uS", "0.267 pJ" or "1 day" stand for?

Every unit is a product of powers of a few base dimensions (volt, siemens, second, kelvin, metre,
bit, the currencies won and USD, and the dimensionless counts `op` and `MAC`), so "10 fJ" and
"1e-14 V^2 S s" are the same quantity and "25 uA" is never a conductance. Numbers are read with
`decimal.Decimal`: the float is the nearest one to the text, not to a product of rounded factors.
"""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation, Overflow
from functools import lru_cache

Dimensions = tuple[tuple[str, int], ...]

_PREFIX = {
    "a": "1e-18",
    "f": "1e-15",
    "p": "1e-12",
    "n": "1e-9",
    "u": "1e-6",
    "µ": "1e-6",
    "m": "1e-3",
    "c": "1e-2",
    "k": "1e3",
    "K": "1e3",
    "M": "1e6",
    "G": "1e9",
    "T": "1e12",
    "P": "1e15",
    "Ki": "1024",
    "Mi": "1048576",
    "Gi": "1073741824",
}
_PREFIXED: dict[str, tuple[str, dict[str, int]]] = {
    "V": ("1", {"V": 1}),
    "S": ("1", {"S": 1}),
    "s": ("1", {"s": 1}),
    "m": ("1", {"m": 1}),
    "A": ("1", {"V": 1, "S": 1}),
    "ohm": ("1", {"S": -1}),
    "Hz": ("1", {"s": -1}),
    "J": ("1", {"V": 2, "S": 1, "s": 1}),
    "W": ("1", {"V": 2, "S": 1}),
    "F": ("1", {"S": 1, "s": 1}),
    "C": ("1", {"V": 1, "S": 1, "s": 1}),
    "B": ("8", {"bit": 1}),
    "bit": ("1", {"bit": 1}),
    "b": ("1", {"bit": 1}),
    "OPS": ("1", {"op": 1, "s": -1}),
    "FLOPS": ("1", {"op": 1, "s": -1}),
    "op": ("1", {"op": 1}),
    "eV": ("1.602176634e-19", {"V": 2, "S": 1, "s": 1}),
    "won": ("1", {"won": 1}),
    "USD": ("1", {"USD": 1}),
}
_PLAIN: dict[str, tuple[str, dict[str, int]]] = {
    "": ("1", {}),
    "1": ("1", {}),
    "%": ("0.01", {}),
    "dB": ("1", {"dB": 1}),
    "K": ("1", {"K": 1}),
    "min": ("60", {"s": 1}),
    "minute": ("60", {"s": 1}),
    "minutes": ("60", {"s": 1}),
    "h": ("3600", {"s": 1}),
    "hour": ("3600", {"s": 1}),
    "hours": ("3600", {"s": 1}),
    "d": ("86400", {"s": 1}),
    "day": ("86400", {"s": 1}),
    "days": ("86400", {"s": 1}),
    "month": ("2592000", {"s": 1}),
    "months": ("2592000", {"s": 1}),
    "y": ("31557600", {"s": 1}),
    "year": ("31557600", {"s": 1}),
    "years": ("31557600", {"s": 1}),
    "second": ("1", {"s": 1}),
    "seconds": ("1", {"s": 1}),
    "MAC": ("1", {"MAC": 1}),
    "count": ("1", {}),
    "transistor": ("1", {}),
    "TOPS": ("1e12", {"op": 1, "s": -1}),
    "TFLOPS": ("1e12", {"op": 1, "s": -1}),
}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")
_FACTOR = re.compile(r"^([A-Za-zµ%]+?)(?:\^?(-?\d{1,3}))?$")


def _atom(symbol: str) -> tuple[Decimal, dict[str, int]]:
    if symbol in _PLAIN:
        scale, dims = _PLAIN[symbol]
        return Decimal(scale), dims
    if symbol in _PREFIXED:
        scale, dims = _PREFIXED[symbol]
        return Decimal(scale), dims
    for size in (2, 1):
        prefix, rest = symbol[:size], symbol[size:]
        if prefix in _PREFIX and rest in _PREFIXED:
            scale, dims = _PREFIXED[rest]
            return Decimal(scale) * Decimal(_PREFIX[prefix]), dims
    close = difflib.get_close_matches(
        symbol, [name for name in (*_PLAIN, *_PREFIXED) if len(name) > 1], n=1, cutoff=0.6
    )
    raise ValueError(f"unknown unit {symbol!r}{f'; did you mean {close[0]!r}?' if close else ''}")


@lru_cache(maxsize=1024)
def unit(text: str) -> tuple[Decimal, Dimensions]:
    """SI factor and dimensions of a unit such as `"pJ/bit"`, `"V^2 S s"` or `"GB/s"`; ValueError if
    unknown.
    """
    scale, total = Decimal(1), dict[str, int]()
    for position, part in enumerate(text.replace("*", " ").replace("·", " ").split("/")):
        sign = -1 if position else 1
        for factor in part.split():
            if factor == "1":
                continue
            match = _FACTOR.match(factor)
            if not match:
                raise ValueError(f"unknown unit {text!r}")
            power = sign * int(match[2] or 1)
            size, dims = _atom(match[1])
            scale *= size**power
            for name, exponent in dims.items():
                total[name] = total.get(name, 0) + exponent * power
    return scale, tuple(sorted((name, exponent) for name, exponent in total.items() if exponent))


def split(text: str) -> tuple[Decimal, str]:
    """The number and the unit text of `"25 uS"`: `(Decimal("25"), "uS")`; ValueError if there is no
    number.
    """
    match = _NUMBER.match(text)
    if not match:
        raise ValueError(f"{text!r} does not start with a number")
    try:
        return Decimal(match[1]), match[2]
    except InvalidOperation as error:  # pragma: no cover - the pattern admits only numbers
        raise ValueError(f"{text!r} does not start with a number") from error


def _example(expected: str) -> str:
    """Two ways of writing one quantity, as a text and as a number."""
    if expected in ("S", "V", "A", "W", "J", "F"):
        return f"'25 u{expected}' or 2.5e-05 (SI {expected})"
    return f"{f'25 {expected}'.strip()!r} or 25.0{f' (SI {expected})' if expected else ''}"


def is_integer(value: object) -> bool:
    """Whether `value` is one integer of Python or NumPy: no bool, no float, no array of shape
    (n,).
    """
    if type(value) is int:  # nearly all are, and need no other look
        return True
    if isinstance(value, bool):
        return False
    try:
        operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def is_number(value: object) -> bool:
    """Whether `value` is one real number: no bool, no text, no array of shape (n,)."""
    if type(value) is float:
        return True
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if isinstance(value, (bool, str, bytes, complex)) or getattr(value, "shape", ()) != ():
        return False
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    except OverflowError:  # an integer beyond all floats: too large, which others say better
        pass
    return kind in "iuf"


def parse(value: str | float | int, expected: str, name: str = "value") -> float:
    """SI float of `value`, which is text with a unit or a number already in SI.

    value : text such as `"25 uS"`, or a float in the SI unit `expected`.
    expected : the SI unit, such as `"S"`; its dimensions must match the text's.
    Raises ValueError naming `name`, the value and an example when the text is no such quantity;
    TypeError for what is neither text nor a number.
    """
    kind = {
        "S": "a conductance",
        "V": "a voltage",
        "s": "a time",
        "J": "an energy",
        "ohm": "a resistance",
    }
    if not isinstance(value, str):
        if not is_number(value):
            what = kind.get(expected, f"a quantity in {expected or '1'}")
            raise TypeError(
                f"{name}={value!r} is not {what}; write for example {_example(expected)}"
            )
        try:
            return float(value)
        except OverflowError:
            raise _too_large(name, value) from None
    factor, dimensions = unit(expected)
    try:
        number, text = split(value)
        scale, found = unit(text)
    except ValueError as error:
        what = kind.get(expected, f"a quantity in {expected or '1'}")
        raise ValueError(
            f"{name}={value!r} is not {what}: {error}; write for example {_example(expected)}"
        ) from None
    if found != dimensions:
        what = kind.get(expected, f"a quantity in {expected}" if expected else "a plain number")
        raise ValueError(f"{name}={value!r} is not {what}; write for example {_example(expected)}")
    try:
        return float(number * scale / factor)
    except Overflow:
        raise _too_large(name, value) from None


def _too_large(name: str, value: object) -> ValueError:
    return ValueError(f"{name}={value!r:.60} is larger than any number allowed")


def seconds(value: str | float, name: str = "at") -> float:
    """Seconds of `"1 day"`, `"1 h"` or a float in seconds [s]; ValueError if negative or not a
    time, TypeError for another kind.
    """
    result = parse(value, "s", name)
    if not 0 <= result < float("inf"):
        raise ValueError(f"{name}={value!r} is not a time; allowed: 0 s or later, such as '1 day'")
    return result + 0.0  # -0.0 is no time of its own


def si(value: float, symbol: str, digits: int = 3) -> str:
    """Text of `value` with an SI prefix: `si(2.5e-5, "S") == "25 uS"`."""
    if value == 0:
        return f"0 {symbol}"
    for prefix, scale in (
        ("T", 1e12),
        ("G", 1e9),
        ("M", 1e6),
        ("k", 1e3),
        ("", 1.0),
        ("m", 1e-3),
        ("u", 1e-6),
        ("n", 1e-9),
        ("p", 1e-12),
        ("f", 1e-15),
    ):
        if abs(value) >= scale * (1 - 10.0 ** -(digits + 1)):
            return f"{value / scale:.{digits}g} {prefix}{symbol}"
    return f"{value:.{digits}g} {symbol}"


_NAMED: tuple[tuple[str, dict[str, int]], ...] = tuple(
    (name, _PREFIXED[name][1]) for name in ("J", "W", "C", "F", "A")
)


def named(symbol: str) -> str:
    """A unit by the names that a reader knows, where it is written in base units.

    >>> from pimlab import units
    >>> units.named("V^2 S s bit^-1"), units.named("s^-1 bit"), units.named("S")
    ('J/bit', 'bit/s', 'S')
    """
    left = dict(unit(symbol)[1])
    over: list[str] = []
    for name, parts in _NAMED:
        if all(left.get(part, 0) >= power for part, power in parts.items()):
            over = [name]
            left = {part: power - parts.get(part, 0) for part, power in left.items()}
            break
    over += [_power(part, power) for part, power in left.items() if power > 0]
    under = [_power(part, -power) for part, power in left.items() if power < 0]
    return "/".join([" ".join(over) or "1", *under]) if under else " ".join(over)


def _power(name: str, exponent: int) -> str:
    return name if exponent == 1 else f"{name}^{exponent}"


_WRITTEN = ("T", "G", "M", "k", "", "m", "u", "n", "p", "f", "a")
"""Prefixes that `written` chooses among."""
_MONEY = ("won", "USD")


def written(value: float, symbol: str) -> str:
    """Text of `value` in the SI unit `symbol` that `parse` reads back to the bit.

    A prefix is chosen where the unit takes one; a time of whole minutes, hours, days or years says
    so; what no text gives back exactly is written as Python writes it.

    >>> pim.units.written(256e6, "bit"), pim.units.written(86400.0, "s")
    ('256 Mbit', '1 day')
    """
    plain = f"{value!r} {symbol}".strip()
    if value == 0 or not math.isfinite(value):
        return plain
    for text in (*_whole_times(value, symbol), *_prefixed(value, symbol)):
        if parse(text, symbol) == value:
            return text
    return plain


def _whole_times(value: float, symbol: str) -> Iterator[str]:
    if symbol == "s":
        for name in ("y", "day", "h", "min"):
            count = value / float(_PLAIN[name][0])
            if count >= 1 and count.is_integer():
                yield f"{count:.0f} {name}"


def _prefixed(value: float, symbol: str) -> Iterator[str]:
    """The text with a mantissa of one to three digits before the point, where the unit has one."""
    first = re.match(r"[A-Za-z]+", symbol)
    power = first is not None and symbol[first.end() :][:1] in ("^", "-")
    if first is None or first[0] not in _PREFIXED or first[0] in _MONEY or power:
        yield f"{value:g} {symbol}".strip()
        return
    for prefix in _WRITTEN:
        mantissa = Decimal(repr(value)) / Decimal(_PREFIX.get(prefix, "1"))
        if 1 <= abs(mantissa) < 1000:
            yield f"{mantissa.normalize():f} {prefix}{symbol}"
