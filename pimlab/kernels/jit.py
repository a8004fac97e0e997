"""How is a kernel compiled? The one place that decides caching, fast-math, threads and bounds
checks.

Fast-math stays off: reassociation would break bit-exact arithmetic and equality between 1 and 2
threads. No kernel reduces floats across threads. `PIMLAB_PURE=1` runs every kernel as plain Python,
for coverage and debugging.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.core import event

from pimlab.kernels.linked import LinkedCompiler
from pimlab.progress import compilations

PURE = os.environ.get("PIMLAB_PURE") == "1"


class _Told(event.Listener):
    """Tells which kernel is being compiled: the first call of a fresh cache takes many seconds."""

    def on_start(self, event: Any) -> None:
        compilations.begins(self._name(event))

    def on_end(self, event: Any) -> None:
        compilations.ends(self._name(event))

    @staticmethod
    def _name(event: Any) -> str:
        function = event.data["dispatcher"].py_func
        return f"{function.__module__.removeprefix('pimlab.')}.{function.__name__}"


event.register("numba:compile", _Told())


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` uncompiled, and as silent as compiled code where a sum overflows or an operation
    gives NaN.
    """

    @wraps(function)
    def run(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return run


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`function` compiled, once for all integers: Numba compiles a function that is called from
    compiled code with constants anew for each of them.

    What C would need to call it is left out, and for private functions, which other kernels alone
    call, what Python would need as well: it took half of the time that `serving` compiles.
    """
    private = function.__name__.startswith("_")
    options |= {"no_cpython_wrapper": private, "no_cfunc_wrapper": True}
    if private and not options.get("parallel"):
        options |= {"pipeline_class": LinkedCompiler}
    made = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", **options)(
        function
    )
    typed = made.get_call_template

    def widened(arguments: Any, named: Any) -> Any:
        return typed(
            tuple(map(numba.types.unliteral, arguments)),
            {name: numba.types.unliteral(one) for name, one in named.items()},
        )

    made.get_call_template = widened
    if private:
        _keep_from_python(made)
    return made  # type: ignore[no-any-return]


def _keep_from_python(made: Any) -> None:
    """Let `made`, which has no entry for Python, refuse a call instead of jumping to address 0."""

    def refuse(*arguments: Any, **named: Any) -> Any:
        name = made.py_func.__name__
        raise TypeError(f"{name} is called by kernels only; to call it here, name it without _")

    made._compile_for_args = refuse
    made.add_overload = lambda result: made.overloads.update({tuple(result.signature.args): result})


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled kernel: arrays in, arrays out; one thread; cached on disk; releases the GIL."""
    return _plain(function) if PURE else _compiled(function)


def lean(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `kernel`, for event loops that allocate nothing and look up arrays in tuples millions of
    times a second: arrays are not reference-counted, which took 60 % of the time of `serving`.
    """
    return _plain(function) if PURE else _compiled(function, _nrt=False)


def parallel(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `kernel`, with `prange` over independent outputs (never a float reduction across
    threads).
    """
    return _plain(function) if PURE else _compiled(function, parallel=True)


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small device function called from kernels and inlined there by LLVM.

    Numba's own `inline="always"` gives the same machine code, but types the body again at every
    call: the ten rounds of Philox took three times as long to compile.
    """
    return _plain(function) if PURE else _compiled(function, forceinline=True)


def parallel_from(size: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `parallel` where the first argument has `size` elements or more, else on the calling
    thread alone.

    size : elements (unit: 1) of the first array argument, whatever its shape. Threads that have to
    be woken cost a small array far more than they save: on busy cores 8 ms, a scheduler's turn,
    against 3 us of work.
    """

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        if PURE:
            return _plain(function)
        threads, alone = parallel(function), kernel(_renamed(function))

        @wraps(function)
        def chosen(first: Any, *rest: Any) -> Any:
            return (threads if first.size >= chosen.least else alone)(first, *rest)

        chosen.least = size  # type: ignore[attr-defined]  # tests of threads lower it
        return chosen

    return compiled


def _renamed(function: Any) -> Callable[..., Any]:
    """The same function under another name: Numba's cache on disk does not tell parallel code from
    serial code by itself.
    """
    copy = FunctionType(function.__code__, function.__globals__, f"{function.__name__}_alone")
    copy.__qualname__, copy.__module__ = copy.__name__, function.__module__
    return copy
