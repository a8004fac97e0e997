"""Is each argument of a public function of the kind that its signature says?

@typed
def ridge(npu: Npu) -> float: ...

ridge(3.5) raises "ridge npu=3.5 is not an Npu" before anything is computed. Bounds and unknown
names are the function's own business.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from pimlab.units import is_integer, is_number
from pimlab.values import nearest

P = ParamSpec("P")
R = TypeVar("R")


def typed(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, whose arguments are compared with their annotations when it is called.

    TypeError "f name=value is not an integer" for another kind, arrays of what is no number among
    them. Annotations of `Any`, and of names that a module imports for type checkers alone, are not
    compared.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> R:
        given = _bound(function, signature, args, named).arguments
        for name, annotation in _annotations(function).items():
            if name in given and not _fits(given[name], annotation):
                raise _refusal(function.__name__, name, given[name], annotation)
            if isinstance(given.get(name), str) and "\0" in given[name]:
                raise ValueError(
                    f"{function.__name__} {name}={given[name]!r:.60} holds a null character; "
                    "allowed: a text without"
                )
        return function(*args, **named)

    return call


def named(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which answers a misspelt argument with the nearest one, and says what it needs.

    TypeError "f has no argument 'seeds'; did you mean 'seed'?" For functions that compare kinds
    themselves; `typed` does this too. Arguments are looked at only where a call failed: some of
    these functions are called ten thousand times a run.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> R:
        try:
            return function(*args, **named)
        except TypeError:
            _bound(function, signature, args, named)
            raise

    return call


def _bound(
    function: Callable[..., Any], signature: inspect.Signature, args: Any, given: Any
) -> inspect.BoundArguments:
    """The arguments by name; TypeError that names the function, the argument and the nearest."""
    try:
        return signature.bind(*args, **given)
    except TypeError as error:
        raise TypeError(_unbound(function.__name__, signature, args, given, error)) from None


def _unbound(
    name: str, signature: inspect.Signature, args: Any, given: Any, error: TypeError
) -> str:
    parameters = signature.parameters
    listed = f"(arguments: {', '.join(parameters)})"
    for one in given:
        if one not in parameters:
            return f"{name} has no argument {one!r}{nearest(one, parameters)} {listed}"
    behind = list(parameters.values())[len(args) :]
    missing = [p.name for p in behind if p.default is p.empty and p.name not in given]
    missing = [one for one in missing if parameters[one].kind not in (2, 4)]  # *args, **named
    return f"{name} needs {', '.join(missing)} {listed}" if missing else f"{name}: {error}"


@functools.cache
def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Parameter -> its annotation, for those that can be resolved."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        many = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if not many and parameter.annotation is not parameter.empty:
            try:
                found[name] = eval(str(parameter.annotation), function.__globals__)
            except NameError:
                continue
    return found


def _fits(value: Any, annotation: Any) -> bool:
    if annotation is Any:
        return True
    if annotation is None or annotation is type(None):
        return value is None
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(annotation))
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in typing.get_args(annotation))
    if origin in _KINDS:
        return _KINDS[origin][1](value)
    if origin in _LISTS:
        if not isinstance(value, origin) or isinstance(value, (str, bytes)):
            return False
        kinds = typing.get_args(annotation)  # an iterator is not read, others would miss its items
        return not (kinds and isinstance(value, (list, tuple, range))) or all(
            _fits(one, kinds[0]) for one in value
        )
    return not isinstance(origin, type) or isinstance(value, origin)


def _is_array(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "biufcV"
    except (TypeError, ValueError):
        return False


_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("True or False", lambda value: isinstance(value, (bool, np.bool_))),
    int: ("an integer", is_integer),
    float: ("a number", is_number),
    str: ("a text", lambda value: isinstance(value, str)),
    os.PathLike: ("a path", lambda value: isinstance(value, os.PathLike)),
    Path: ("a path", lambda value: isinstance(value, os.PathLike)),
    np.ndarray: ("an array of numbers", _is_array),
    tuple: ("a tuple", lambda value: isinstance(value, (tuple, list))),
}
"""Annotation -> what it is called, and whether a value is one."""
_LISTS = (collections.abc.Sequence, collections.abc.Iterable)
_WORDS = {
    collections.abc.Mapping: "a mapping",
    collections.abc.Sequence: "a list",
    collections.abc.Iterable: "a list",
    collections.abc.Callable: "a function",
    type(None): "None",
}


def _words(annotation: Any, items: bool) -> str:
    """What a reader calls a value of this annotation, and its items where `items` matter."""
    origin = typing.get_origin(annotation) or annotation
    if origin in (typing.Union, types.UnionType):
        kinds = dict.fromkeys(_words(one, items) for one in typing.get_args(annotation))
        return " or ".join(sorted(kinds, key=lambda words: words.startswith("a list")))
    if origin is typing.Literal:
        return " or ".join(map(repr, typing.get_args(annotation)))
    if origin in _KINDS:
        return _KINDS[origin][0]
    if origin in _LISTS and typing.get_args(annotation) and items:
        return f"a list, each {_words(typing.get_args(annotation)[0], items)}"
    name = getattr(origin, "__name__", str(origin))
    return _WORDS.get(origin, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}")


def _refusal(function: str, name: str, value: Any, annotation: Any) -> TypeError:
    words = _words(annotation, items=isinstance(value, (list, tuple, range)))
    hint = f"; write {name}=[{value!r:.80}]" if words == "a list" else ""
    if "each a Target" in words:
        hint = "; write for example [pimlab.target('warboy'), pimlab.target('hbm-pim')]"
    return TypeError(f"{function} {name}={value!r:.80} is not {words}{hint}")
