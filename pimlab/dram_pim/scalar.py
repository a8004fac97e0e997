"""What does a scalar core answer for 32-bit integers, and in how many instructions?

UPMEM's cores add and subtract in one instruction. They multiply and divide in the library that its
compiler calls: one step a bit, as many as the operands need, so the time hangs on the values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pimlab.arguments import typed
from pimlab.values import unknown

_Words = NDArray[np.int32]
_Unsigned = NDArray[np.uint32]


def _unsigned(words: _Words) -> _Unsigned:
    return words.view(np.uint32)


def _bits(words: _Unsigned) -> NDArray[np.int64]:
    """Bits of a number without its leading zeros: exact, a double holds any of 32 bits."""
    return np.frexp(words.astype(np.float64))[1].astype(np.int64)


def _size(words: _Words) -> _Unsigned:
    """The number without its sign, in 32 bits: that of the least one is 2**31."""
    return np.abs(words.astype(np.int64)).astype(np.uint32)


def _multiply(a: _Words, b: _Words) -> tuple[_Unsigned, NDArray[np.int64]]:
    # call, compare, two moves, clear; a step a bit of the lesser (of signs as bits); move, return
    steps = np.maximum(_bits(np.minimum(_unsigned(a), _unsigned(b))), 1)
    return _unsigned(a) * _unsigned(b), 7 + steps


def _divide(a: _Words, b: _Words) -> tuple[_Unsigned, NDArray[np.int64]]:
    if not b.all():
        raise ValueError("integers: a division by zero ends a core's program with a fault")
    high, low = _size(a), _size(b)
    longer = _bits(high) - _bits(low)
    inner = np.where(longer < 0, 5, 8 + longer)
    signs = np.where(a < 0, 11, np.where(b < 0, 10, 8))
    quotient = high // low
    return np.where((a < 0) == (b < 0), quotient, -quotient), signs + inner


def _one(of: Callable[[_Unsigned, _Unsigned], _Unsigned]) -> Callable[..., tuple]:
    return lambda a, b: (of(_unsigned(a), _unsigned(b)), np.ones(a.shape, np.int64))


_OPERATIONS = {
    "add": _one(np.add),
    "sub": _one(np.subtract),
    "mul": _multiply,
    "div": _divide,
}


def _words(name: str, given: object) -> _Words:
    array = np.asarray(given)
    if array.dtype.kind not in "iu":
        raise ValueError(f"integers {name}: {array.dtype} is no integer type")
    reach = np.iinfo(np.int32)
    if array.size and (array.min() < reach.min or array.max() > reach.max):
        raise ValueError(f"integers {name}: {array.min()} to {array.max()} do not fit in 32 bits")
    return array.astype(np.int32)


@typed
def integers(op: str, a: object, b: object) -> xr.Dataset:
    """`op` ("add", "sub", "mul", "div") of 32-bit integers element by element on a UPMEM core.

    a, b: integers that fit in 32 bits, of shapes that broadcast. Dataset with `value` (int32: what
    goes beyond 32 bits wraps, quotients are cut towards zero, as registers do) and `instructions`
    (int64, of the operation with its call, without the loads, the store and the loop around it).

    The counts are read in UPMEM's own library (its `mul32.c` and `div32.c`, as uPIMulator quotes
    them): a multiplication ends after the highest bit of the lesser operand, a division takes a
    step for each bit that the quotient may have. ValueError for a divisor of zero.

    >>> one = pim.dram_pim.integers("mul", [3, -3], [1000, -1000])
    >>> one.value.values.tolist(), one.instructions.values.tolist()
    ([3000, 3000], [9, 39])
    """
    if op not in _OPERATIONS:
        raise ValueError(unknown("integers: operation", op, _OPERATIONS))
    one, two = np.broadcast_arrays(_words("a", a), _words("b", b))
    shape = one.shape
    value, count = _OPERATIONS[op](np.ascontiguousarray(one), np.ascontiguousarray(two))
    dims = [f"dim_{axis}" for axis in range(len(shape))]
    return xr.Dataset(
        {
            "value": (dims, value.astype(np.uint32).view(np.int32).reshape(shape)),
            "instructions": (dims, count.reshape(shape), {"units": "1"}),
        },
        attrs={"sources": "upimulator"},
    )
