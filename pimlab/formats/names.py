"""Which format has this name? The named ones, and those whose name says their widths."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from pimlab.arguments import named
from pimlab.formats.grids import (
    BLOCKS,
    FLOATS,
    INTEGERS,
    FloatFormat,
    IntegerFormat,
    NumberFormat,
)
from pimlab.formats.shared_scales import NAMED, GroupFormat, ScaledBlockFormat, TableFormat
from pimlab.values import nearest

_SYNONYMS = {
    "mxfp4_e2m1": "mxfp4",
    "fp4": "fp4_e2m1",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float32": "fp32",
}


def formats() -> tuple[str, ...]:
    """Every name that `format` knows without parsing it."""
    return tuple(_table())


@cache
def _table() -> dict[str, NumberFormat]:
    return {**INTEGERS, **FLOATS, **BLOCKS, **NAMED}


@lru_cache(maxsize=1024)  # a model of seven billion weights asks ten thousand times
def _split(name: str) -> NumberFormat | None:
    integers = re.fullmatch(r"(u?)int(\d+)", name)
    if integers:
        return IntegerFormat(width=int(integers[2]), signed=not integers[1])
    floats = re.fullmatch(r"fp(\d+)_e(\d+)m(\d+)(?:/(ieee|nan|fnuz|none))?", name)
    if not floats:
        return _blocks(name)
    width, exponent, mantissa = map(int, floats.groups()[:3])
    if width != 1 + exponent + mantissa:
        raise ValueError(
            f"format {name!r} cannot exist: 1 sign + {exponent} exponent + {mantissa} mantissa "
            f"bits are {1 + exponent + mantissa}, not {width}"
        )
    return FloatFormat(exponent=exponent, mantissa=mantissa, specials=floats[4] or "ieee")


@named
def format(name: str | NumberFormat) -> NumberFormat:
    """The format of a name (see `pimlab.formats.grids`); a `NumberFormat` passes through.

    ValueError with the nearest name for one that is not known, and for splits that cannot exist.
    """
    if isinstance(name, NumberFormat):
        return name
    if not isinstance(name, str):
        raise TypeError(f"format {name!r} is neither a name such as 'fp8_e4m3' nor a NumberFormat")
    table = _table()
    name = _SYNONYMS.get(name, name)
    found = table.get(name) or _split(name)
    if found is None:
        others = [known for known in table if known not in INTEGERS]
        listed = (
            f"int2..int16, uint2..uint16, {', '.join(others)}, fp<width>_e<exponent>m<mantissa>, "
            "that with /ieee, /nan, /fnuz or /none, <float>_<rows>x<block>, int<width>_g<group>"
        )
        raise ValueError(f"format {name!r} is not known{nearest(name, table)} (known: {listed})")
    return found


def _blocks(name: str) -> NumberFormat | None:
    """The format of a name such as "int4_g64" or "fp8_e5m2_1x32"; None for another name.

    ValueError where the element is no format, or not of the right kind.
    """
    element: Any
    if group := re.fullmatch(r"(u?int\d+)_g(\d+)", name):
        element = format(group[1])
        return GroupFormat(element=element, group=int(group[2]))
    pattern = r"([\w/]+)_(\d+)x(\d+)(?:/(fp32|fp8_e4m3))?"
    if block := re.fullmatch(pattern, name):
        element = TableFormat(table="nf4") if block[1] == "nf4" else format(block[1])
        sizes = {"rows": int(block[2]), "block": int(block[3])}
        return ScaledBlockFormat(element=element, **sizes, scale=block[4] or "fp32")
    return None


def integer_codes(name: str | NumberFormat | None) -> tuple[IntegerFormat, int | None] | None:
    """The integers of a format, and how many neighbours share a scale (None: a whole column); None
    for a format of other codes.
    """
    grid = None if name is None else format(name)
    if isinstance(grid, GroupFormat):
        return grid.element, grid.group
    return (grid, None) if isinstance(grid, IntegerFormat) else None
