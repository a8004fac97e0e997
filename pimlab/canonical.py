"""How is a value written down, so that equal values give equal text and the text gives the value
again?

JSON with every field of every part: what `repr` shows is shortened for a reader, this is whole.
An object is `{"class": "module:name", field: ...}`; a tuple is a JSON list; what JSON lacks (list,
dict, set, array, infinity, Decimal, ...) is an object with a short class name of its own. Numbers
are written by `repr`, so a float comes back to the bit.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import enum
import hashlib
import importlib
import json
import math
import sys
import weakref
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from types import FunctionType, MappingProxyType
from typing import Any

Form = Any
"""What `json` can write: None, bool, int, float, text, lists and objects of them."""

_CLASSES: weakref.WeakValueDictionary[str, type] = weakref.WeakValueDictionary()
"""Classes that no module holds by their name (made in a function), by `module:name`."""


def canonical(value: Any) -> str:
    """JSON text of all of `value`: equal text means an equal value, `from_canonical` builds it
    again.

    value : a Value, a dataclass, an object with `canonical_fields()`, and containers, arrays and
    numbers. TypeError names an object that has no such form.

    >>> canonical((1, 2.5, "x"))
    '[1, 2.5, "x"]'
    """
    return json.dumps(Writer().form(value), ensure_ascii=False, allow_nan=False)


def from_canonical(text: str) -> Any:
    """The value that `canonical` wrote; it equals the original.

    Only classes of pimlab and of modules that are loaded are built, so a text from elsewhere runs
    no code of its own choice. ValueError for a text that is no canonical form, or whose class is
    not known.
    """
    if not isinstance(text, str):
        raise TypeError(f"from_canonical takes a text, not {text!r}")
    try:
        return _built(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"{text[:60]!r} is not a canonical form: {error}") from None


def digest(value: Any) -> str:
    """sha256 of the canonical form: equal for equal values, in every process."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def register(cls: type) -> None:
    """Remember a class, so that a value of one that was made inside a function can be built
    again.
    """
    _CLASSES[path(cls)] = cls


def path(thing: Any) -> str:
    """`module:qualified name` of a class or a function."""
    return f"{thing.__module__}:{thing.__qualname__}"


class Writer:
    """Writes canonical forms; a subclass says what becomes of objects that have none."""

    def __init__(self) -> None:
        self._open = set[int]()

    def form(self, value: Any) -> Form:
        """What `canonical` writes, as an object of JSON."""
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, float) and not _numpy_scalar(value):
            return value if math.isfinite(value) else {"class": "float", "text": repr(value)}
        if id(value) in self._open:
            return self.cycle(value)
        self._open.add(id(value))
        try:
            return self._object(value)
        finally:
            self._open.discard(id(value))

    def _object(self, value: Any) -> Form:
        if type(value) is tuple:
            return [self.form(part) for part in value]
        plain = _plain(value)
        if plain is not None:
            return plain
        if type(value) in (list, set, frozenset):
            items = [self.form(part) for part in value]
            ordered = items if type(value) is list else sorted(items, key=json.dumps)
            return {"class": type(value).__name__, "items": ordered}
        if type(value) in (dict, MappingProxyType):
            pairs = [[self.form(key), self.form(part)] for key, part in value.items()]
            return {"class": "dict", "items": pairs}
        if _is_array(value):
            return self._array(value)
        parts = fields(value)
        if parts is not None:
            forms = {name: self.form(part) for name, part in parts.items()}
            return {"class": path(type(value)), **forms}
        return self.other(value)

    def other(self, value: Any) -> Form:
        """The form of what has none: TypeError that names it."""
        raise TypeError(
            f"{value!r} ({type(value).__name__}) has no canonical form; allowed: Values, frozen "
            "dataclasses, functions of a module, and containers, arrays and numbers"
        )

    def cycle(self, value: Any) -> Form:
        """The form of what holds itself: TypeError that names it."""
        raise TypeError(f"a {type(value).__name__} refers to itself: it has no canonical form")

    def _array(self, value: Any) -> Form:
        about = {"class": "array", "dtype": value.dtype.str, "shape": list(value.shape)}
        if value.dtype.hasobject:
            return {**about, "items": [self.form(part) for part in value.ravel().tolist()]}
        if value.dtype.fields is not None:
            about["dtype"] = repr(value.dtype.descr)
        return {**about, "data": base64.b64encode(value.tobytes()).decode()}


def _plain(value: Any) -> Form:
    """The form of what holds no other value; None for the rest."""
    if isinstance(value, enum.Enum):
        return {"class": "enum", "of": path(type(value)), "member": value.name}
    if isinstance(value, (bytes, bytearray)):
        kind = type(value).__name__
        return {"class": kind, "data": base64.b64encode(value).decode()}
    if type(value) in _TEXTS.values():
        return {"class": type(value).__name__, "text": str(value)}
    if isinstance(value, PurePath):
        return {"class": "path", "text": str(value)}
    if isinstance(value, (FunctionType, type)) and "<" not in value.__qualname__:
        return {"class": "named", "name": path(value)}
    if _numpy_scalar(value):
        return {"class": "scalar", "dtype": value.dtype.str, "data": value.tobytes().hex()}
    return None


def fields(value: Any) -> dict[str, Any] | None:
    """Name -> part of an object that can be built from them by keyword; None for another."""
    if hasattr(value, "canonical_fields") and not isinstance(value, type):
        return dict(value.canonical_fields())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    return None


_TEXTS: dict[str, type] = {
    "Decimal": Decimal,
    "Fraction": Fraction,
    "complex": complex,
    "float": float,
}


def _numpy_scalar(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def _built(form: Form) -> Any:
    if isinstance(form, list):
        return tuple(_built(part) for part in form)
    if not isinstance(form, dict):
        return form
    kind = form.get("class")
    if not isinstance(kind, str):
        raise ValueError(f"{str(form)[:60]} names no class: it is not a canonical form")
    if ":" not in kind:
        if kind not in _BUILDERS:
            raise ValueError(f"canonical form of an unknown class {kind!r}")
        try:
            return _BUILDERS[kind](form)
        except (KeyError, TypeError, ArithmeticError, SyntaxError) as error:
            raise ValueError(f"canonical form of a {kind} is damaged: {error!r}") from None
    cls = _named(kind)
    if not (dataclasses.is_dataclass(cls) or hasattr(cls, "canonical_fields")):
        raise ValueError(f"{kind} is no Value or dataclass; a canonical form builds no other class")
    return cls(**{name: _built(part) for name, part in form.items() if name != "class"})


def _named(name: str) -> Any:
    """The class or function `module:qualified name`, of pimlab or a module that is loaded."""
    module, _, qualified = name.partition(":")
    root = module.partition(".")[0]
    if name in _CLASSES:
        return _CLASSES[name]
    if root in sys.stdlib_module_names:
        raise ValueError(f"{name} is of Python itself; a canonical form holds nothing of it")
    if root == "pimlab":
        with contextlib.suppress(ImportError):  # named below, with what to do
            importlib.import_module(module)
    found: Any = sys.modules.get(module)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise ValueError(
            f"{qualified!r} of module {module!r} is not known here; import or define it first, or "
            "use the version of pimlab that wrote this"
        )
    return found


def _array(form: Mapping[str, Any]) -> Any:
    import ast

    import numpy as np

    text = form["dtype"]
    dtype = np.dtype(ast.literal_eval(text) if text.startswith("[") else text)
    if "items" in form:
        array = np.empty(len(form["items"]), dtype)
        array[:] = [_built(part) for part in form["items"]]
        return array.reshape(form["shape"])
    return np.frombuffer(base64.b64decode(form["data"]), dtype).reshape(form["shape"]).copy()


def _scalar(form: Mapping[str, Any]) -> Any:
    import numpy as np

    return np.frombuffer(bytes.fromhex(form["data"]), np.dtype(form["dtype"]))[0]


def _items(form: Mapping[str, Any]) -> list[Any]:
    return [_built(part) for part in form["items"]]


def _reader(kind: type) -> Callable[[Mapping[str, Any]], Any]:
    def read(form: Mapping[str, Any]) -> Any:
        try:
            return kind(form["text"])
        except ValueError:
            raise TypeError(f"{form['text']!r} is no {kind.__name__}") from None

    return read


_BUILDERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "list": _items,
    "set": lambda form: set(_items(form)),
    "frozenset": lambda form: frozenset(_items(form)),
    "dict": lambda form: dict(_items(form)),
    "bytes": lambda form: base64.b64decode(form["data"]),
    "bytearray": lambda form: bytearray(base64.b64decode(form["data"])),
    "path": lambda form: PurePath(form["text"]),
    "named": lambda form: _named(form["name"]),
    "enum": lambda form: _named(form["of"])[form["member"]],
    "array": _array,
    "scalar": _scalar,
    **{name: _reader(kind) for name, kind in _TEXTS.items()},
}
