"""Is a stored point still what the study would compute? A digest of the study's code and of all
that it refers to.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import json
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from pimlab import canonical
from pimlab.canonical import Form, Writer

_INSTALLED = tuple(
    {Path(sysconfig.get_paths()[kind]) for kind in ("purelib", "platlib", "stdlib", "platstdlib")}
)


class IdentityError(TypeError):
    """A study refers to something whose content cannot be read: the message names it and the way
    out.
    """


def digest(function: Callable[..., Any]) -> str:
    """sha256 of what `function` computes, as far as it can be known without running it.

    Its bytecode, defaults, and the globals and closed-over names it refers to, in turn: numbers,
    text, containers, arrays, xarray and pandas objects, dataclasses, values, models and data (by
    their own sha256), functions and classes outside pimlab with their methods and constants, and
    names of modules outside pimlab that are no installed package. Other objects count by the state
    they pickle. pimlab's own code counts by `store.code`, installed packages by their version.
    Comments, docstrings and the place of a line do not count.
    IdentityError (a TypeError) names an object whose content cannot be read, such as an open file.
    """
    inner = inspect.unwrap(function)
    try:
        return _hash(_Study().function(inner))
    except RecursionError:
        raise IdentityError(f"study {inner.__name__} refers to values nested too deeply") from None
    except IdentityError as error:
        raise IdentityError(
            f"study {inner.__name__} refers to {error}; a store could not tell whether it changed: "
            "make it inside the study, or pass the values it is made of"
        ) from None


def label(value: Any) -> str:
    """A short name of all that `value` holds: equal for equal values, in every process."""
    return _hash(_Study().form(value))[:12]


def _hash(form: Form) -> str:
    return hashlib.sha256(json.dumps(form, ensure_ascii=False).encode()).hexdigest()


class _Study(Writer):
    """Forms of everything a study may refer to; each function, class and object is written once."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[int, int] = {}
        self._kept: list[Any] = []
        self._names: frozenset[str] = frozenset()

    def function(self, function: Any) -> Form:
        """Of a function: code, defaults, and what its names stand for."""
        if not isinstance(function, FunctionType):
            return self.form(function)
        again = self._again(function)
        if again is not None:
            return again
        code, found = function.__code__, dict[str, Form]()
        outer, self._names = self._names, frozenset(_names(code))
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        for name in sorted(self._names - _OF_EVERY_MODULE):
            if name in cells:
                found[name] = self._named(name, _content(cells[name]))
            elif name in function.__globals__:
                found[name] = self._named(name, function.__globals__[name])
        defaults = self.form([function.__defaults__, function.__kwdefaults__])
        self._names = outer
        return {"class": "function", "code": _code(code), "defaults": defaults, "names": found}

    def _named(self, name: str, value: Any) -> Form:
        try:
            return self.form(value)
        except IdentityError as error:
            raise IdentityError(f"{name}: {error}") from None

    def _again(self, thing: Any) -> Form | None:
        """A mark for what is written elsewhere; None, once, for what is new."""
        if id(thing) in self._written:
            return {"class": "again", "number": self._written[id(thing)]}
        self._written[id(thing)] = len(self._written)
        self._kept.append(thing)  # an id names it only while it lives
        return None

    def _object(self, value: Any) -> Form:
        """As a canonical form, with the code of functions and classes that are no part of
        pimlab.
        """
        for kinds, write in _WRITERS:
            if isinstance(value, kinds):
                return write(self, value)
        if callable(value) and hasattr(value, "__wrapped__"):
            return self.form(inspect.unwrap(value))
        if isinstance(getattr(value, "sha256", None), str):
            metric = vars(value).get("metric") if hasattr(value, "__dict__") else None
            identity = (value.sha256, getattr(value, "split", ""), metric)
            return {"class": type(value).__qualname__, "sha256": self.form(identity)}
        if dataclasses.is_dataclass(value) or hasattr(value, "canonical_fields"):
            return {"of": self.form(type(value)), "fields": self.form(canonical.fields(value))}
        return super()._object(value)

    def other(self, value: Any) -> Form:
        """Of an object without a form of its own: its class, and the state that it pickles."""
        again = self._again(value)
        if again is not None:
            return again
        state = _state(value)
        return {"class": "object", "of": self.form(type(value)), "state": self.form(list(state))}

    def cycle(self, value: Any) -> Form:
        """Of a container that holds itself."""
        return {"class": "cycle", "of": type(value).__name__}

    def classes(self, cls: type) -> Form:
        """Of a class: its name; outside pimlab and installed packages its bases and body too."""
        again = self._again(cls)
        if again is not None:
            return again
        if not _own(cls):
            return {"class": "named", "name": canonical.path(cls), "version": _version(cls)}
        body = {
            name: self._named(f"{cls.__qualname__}.{name}", _method(part))
            for name, part in sorted(vars(cls).items())
            if not _incidental(name, part)
        }
        bases = [self.form(base) for base in cls.__bases__]
        return {"class": "class", "bases": bases, "fields": self.form(_factories(cls)), "is": body}

    def enums(self, member: enum.Enum) -> Form:
        """Of a member of an enumeration: its value beside its name."""
        name = f"{type(member).__qualname__}.{member.name}"
        return {"class": "enum", "name": name, "value": self.form(member.value)}

    def functions(self, function: FunctionType) -> Form:
        """Of a function that is referred to: all of it, or the name of an installed one."""
        inner = inspect.unwrap(function)
        if isinstance(inner, FunctionType) and _own(inner):
            return self.function(inner)
        return {"class": "named", "name": canonical.path(function), "version": _version(function)}

    def module(self, module: ModuleType) -> Form:
        """Of a module: its name; of one that is no installed package, the names of it that the code
        uses.
        """
        about = {"class": "module", "name": module.__name__}
        if not _own(module):
            return {**about, "version": _version(module)}
        used = sorted(self._names & set(vars(module)))
        parts = {n: self._named(f"{module.__name__}.{n}", vars(module)[n]) for n in used}
        return {**about, "names": parts}


def _partial(writer: _Study, value: functools.partial[Any]) -> Form:
    return {"class": "partial", "of": writer.form([value.func, value.args, value.keywords])}


def _array(writer: _Study, value: xr.DataArray | xr.Variable) -> Form:
    coords = {name: one.variable for name, one in getattr(value, "coords", {}).items()}
    parts = [value.dims, np.asarray(value.values), dict(value.attrs), coords]
    return {"class": "DataArray", "of": writer.form(parts)}


def _dataset(writer: _Study, value: xr.Dataset) -> Form:
    return {"class": "Dataset", "of": writer.form([dict(value.variables), dict(value.attrs)])}


def _frame(writer: _Study, value: pd.DataFrame | pd.Series | pd.Index) -> Form:
    if isinstance(value, pd.DataFrame):
        columns = [value.iloc[:, i].array for i in range(value.shape[1])]
        parts = [value.columns, value.index, *columns]
    elif isinstance(value, pd.Series):
        parts = [value.name, value.index, value.array]
    else:
        parts = [list(value.names), str(value.dtype), np.asarray(value)]
    return {"class": type(value).__name__, "of": writer.form(parts)}


def _extension(writer: _Study, value: pd.api.extensions.ExtensionArray) -> Form:
    return {"class": str(value.dtype), "of": writer.form(np.asarray(value))}


def _method_form(writer: _Study, value: MethodType) -> Form:
    return {"class": "method", "of": writer.form([value.__func__, value.__self__])}


def _builtin(writer: _Study, value: Any) -> Form:
    owner = getattr(value, "__self__", None)
    bound = None if isinstance(owner, (ModuleType, type(None))) else owner
    return {"class": "named", "name": value.__name__, "of": writer.form(bound)}


def _factories(cls: type) -> list[tuple[str, Any]]:
    """Fields of a dataclass whose default is made by a function: no class attribute shows it."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    missing = dataclasses.MISSING
    return [(f.name, f.default_factory) for f in fields if f.default_factory is not missing]


_WRITERS: tuple[tuple[Any, Callable[[Any, Any], Form]], ...] = (
    (FunctionType, _Study.functions),
    (type, _Study.classes),
    (enum.Enum, _Study.enums),
    (ModuleType, _Study.module),
    (MethodType, _method_form),
    ((BuiltinFunctionType, np.ufunc), _builtin),
    (functools.partial, _partial),
    (xr.Dataset, _dataset),
    ((xr.DataArray, xr.Variable), _array),
    ((pd.DataFrame, pd.Series, pd.Index), _frame),
    (pd.api.extensions.ExtensionArray, _extension),
)


def _own(thing: Any) -> bool:
    """Whether a module, class or function belongs to neither pimlab nor an installed package."""
    name = thing.__name__ if isinstance(thing, ModuleType) else str(thing.__module__)
    root = name.partition(".")[0]
    if isinstance(thing, FunctionType) and root in ("None", "builtins"):
        return True  # made by `exec`
    if root == "pimlab" or root in sys.stdlib_module_names - {"__main__"}:
        return False
    file = getattr(sys.modules.get(root), "__file__", None)
    paths = [file] if file else list(getattr(sys.modules.get(root), "__path__", []))
    return not any(Path(p).is_relative_to(folder) for p in paths for folder in _INSTALLED)


def _version(thing: Any) -> str:
    name = thing.__name__ if isinstance(thing, ModuleType) else str(thing.__module__)
    root = name.partition(".")[0]
    return "" if root == "pimlab" else str(getattr(sys.modules.get(root), "__version__", ""))


def _method(part: Any) -> Any:
    """What a name in a class body stands for, without the wrapping of methods."""
    if isinstance(part, (staticmethod, classmethod)):
        return part.__func__
    if isinstance(part, property):
        return [part.fget, part.fset, part.fdel]
    return part.func if isinstance(part, functools.cached_property) else part


_OF_EVERY_MODULE = {"__name__", "__file__", "__spec__", "__doc__", "__package__", "__loader__"}
_INCIDENTAL = {
    *("__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__firstlineno__"),
    *("__static_attributes__", "__abstractmethods__", "_abc_impl", "__parameters__"),
    *("__annotations__", "__annotate_func__", "__annotations_cache__", "__wrapped__"),
    *("__dataclass_params__", "__dataclass_fields__", "__match_args__", "__hash__", "__slots__"),
    *("__init__", "__repr__", "__eq__", "__setattr__", "__delattr__", "__replace__"),
}
_GENERATED = {"__init__", "__repr__", "__eq__", "__setattr__", "__delattr__", "__replace__"}


def _incidental(name: str, part: Any) -> bool:
    """Whether a name in a class body says nothing of what the class computes."""
    if type(part).__name__ in ("getset_descriptor", "member_descriptor"):
        return True
    if name in _GENERATED:  # by `dataclass`, unless the class has written its own
        inner = inspect.unwrap(part) if callable(part) else part
        return str(getattr(inner, "__module__", "")) in ("builtins", "dataclasses") or (
            "<string>" in str(getattr(getattr(inner, "__code__", None), "co_filename", ""))
        )
    return name in _INCIDENTAL


def _state(value: Any) -> tuple[Any, ...]:
    """What an object is rebuilt from, as pickle asks for it."""
    numbers = _tensor(value)
    if numbers is not None:
        return (numbers,)
    try:
        reduced = value.__reduce_ex__(4)
    except Exception as error:  # whatever an object raises that cannot be pickled
        raise IdentityError(
            f"a {type(value).__module__}.{type(value).__qualname__} has no content that can be "
            f"read ({error})"
        ) from None
    if isinstance(reduced, str):
        return (reduced,)
    made, arguments, *rest = reduced
    return (made, arguments, *(list(part) if hasattr(part, "__next__") else part for part in rest))


def _tensor(value: Any) -> Any:
    """The numbers of what another package holds, where it has a way to tell: torch and onnx."""
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        return value.detach().cpu().numpy()
    if hasattr(value, "SerializeToString"):
        return value.SerializeToString(deterministic=True)
    return None


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that has no value yet
        return None


def _code(code: CodeType) -> Form:
    constants = [None if isinstance(one, CodeType) else one for one in code.co_consts]
    function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
    if function and constants and isinstance(constants[0], str):
        constants[0] = None  # the docstring: None stands there where there is none
    return {
        "class": "code",
        "bytes": code.co_code.hex(),
        "names": [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars],
        "arguments": [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount],
        "constants": _Study().form(constants),
        "inner": [_code(one) for one in code.co_consts if isinstance(one, CodeType)],
    }


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names) | set(code.co_freevars).union(*inner)
