"""Is a stored point still what the study would compute? A digest of the study's code and of the
values it refers to.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

import pimlab
from pimlab.values import Value

_PLAIN = (str, bytes, bool, int, float, complex, type(None))


def digest(function: Callable[..., Any]) -> str:
    """sha256 of what `function` computes, as far as it can be told without running it.

    Its bytecode, defaults, and the globals and closed-over names it refers to: numbers, text,
    containers of them, arrays, values, models and data (by their own sha256), and functions outside
    pimlab, in turn. Other objects count by their type alone, pimlab's own code by `store.code`.
    Comments and the place of a line do not count.
    """
    found = hashlib.sha256()
    for text in _function(inspect.unwrap(function), set()):
        found.update(text.encode() + b"\0")
    return found.hexdigest()


def _function(function: Callable[..., Any], seen: set[int]) -> Iterator[str]:
    if not isinstance(function, FunctionType) or id(function) in seen:
        yield type(function).__name__
        return
    seen.add(id(function))
    for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield from _value(default, seen)
    yield from _code(function.__code__)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name in sorted(_names(function.__code__)):
        if name in cells:
            yield name
            yield from _value(cells[name].cell_contents, seen)
        elif name in function.__globals__:
            yield name
            yield from _value(function.__globals__[name], seen)


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(
        (
            code.co_argcount,
            code.co_kwonlyargcount,
            code.co_names,
            code.co_varnames,
            code.co_freevars,
        )
    )
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names) | set(code.co_freevars).union(*inner)


def _value(value: Any, seen: set[int]) -> Iterator[str]:
    if isinstance(value, (*_PLAIN, Value)):
        yield repr(value)
    elif isinstance(value, (list, tuple, dict, set, frozenset)):
        parts = [
            repr(list(_value(part, seen)))
            for part in (value.items() if isinstance(value, dict) else value)
        ]
        yield repr(sorted(parts) if isinstance(value, (set, frozenset)) else parts)
    elif isinstance(value, np.ndarray):
        yield repr(
            (
                value.dtype.str,
                value.shape,
                hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest(),
            )
        )
    elif isinstance(getattr(value, "sha256", None), str):
        yield repr(
            (
                value.sha256,
                getattr(value, "split", ""),
                len(value) if hasattr(value, "__len__") else 0,
            )
        )
    elif isinstance(value, ModuleType) or _of_pimlab(value):
        yield getattr(value, "__name__", "")
    else:
        yield from _function(inspect.unwrap(value) if callable(value) else value, seen)


def _of_pimlab(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).partition(".")[0] == pimlab.__name__ and callable(
        value
    )
