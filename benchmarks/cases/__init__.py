"""Which kernels are there, and what does each equal? One table that drives both the equality tests
and the benchmarks.

Each module of this package holds `CASES: dict[str, Case]` for one kernel module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """A kernel, its plain NumPy twin and the inputs both take.

    make : (rng, size) -> positional arguments; `size` is "tiny" or "small" (tests; tiny ones run
    uncompiled too) or "large" (benchmarks).
    run, reference : the compiled kernel's and the twin's callable; both return an array (or a tuple
    of arrays).
    rtol : 0 means bit for bit.
    gemm : (size) -> (m, k, n) of the sgemm whose time the benchmark divides by; None: elements a
    second only.
    """

    run: Callable[..., Any]
    reference: Callable[..., Any]
    make: Callable[[np.random.Generator, str], tuple[Any, ...]]
    rtol: float = 0.0
    atol: float = 0.0
    gemm: tuple[int, int, int] | None = None
    times: int = 1
    """How many products of that shape one run makes."""
    covers: tuple[str, ...] = ()
    """Kernel names "module.function" this case exercises."""


def cases() -> dict[str, Case]:
    """Every case of every module here, by name."""
    found: dict[str, Case] = {}
    for module in pkgutil.iter_modules(__path__):
        found.update(importlib.import_module(f"{__name__}.{module.name}").CASES)
    return found
