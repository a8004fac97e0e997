"""How is a kernel compiled? The one place that decides caching, fast-math, threads and bounds checks.

Fast-math stays off: reassociation would break bit-exact arithmetic and equality between 1 and 2 threads. No kernel
reduces floats across threads. `PIMLAB_PURE=1` runs every kernel as plain Python, for coverage and debugging.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numba

PURE = os.environ.get("PIMLAB_PURE") == "1"


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled kernel: arrays in, arrays out; one thread; cached on disk; releases the GIL."""
    return function if PURE else numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function)


def parallel(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `kernel`, with `prange` over independent outputs (never a float reduction across threads)."""
    return function if PURE else numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", parallel=True)(function)


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small device function called from kernels and inlined there."""
    return function if PURE else numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", inline="always")(function)
