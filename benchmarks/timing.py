"""How long does a kernel take beside NumPy's sgemm of the same shape? Best of several, interleaved,
on the same threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.cases import Case

REST = 0.1
"""Seconds between two turns of different functions: after a product the threads of OpenBLAS spin
for some 30 ms and would take a core from whatever is measured next (a noisy read then takes 40 ms
instead of 29).
"""


@contextmanager
def threads(count: int) -> Iterator[None]:
    """BLAS and Numba both on `count` threads; ValueError beyond what Numba was started with."""
    if not 1 <= count <= numba.config.NUMBA_NUM_THREADS:
        raise ValueError(f"threads={count} is outside 1..{numba.config.NUMBA_NUM_THREADS}")
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        with threadpool_limits(limits=count, user_api="blas"):
            yield
    finally:
        numba.set_num_threads(before)


def best(repeat: int, *functions: Callable[[], Any]) -> list[float]:
    """Least seconds of each function over `repeat` turns, taken in turns so that a busy moment
    meets all; one turn before counts not.
    """
    taken: list[list[float]] = [[] for _ in functions]
    for _ in range(repeat + 1):
        for times, function in zip(taken, functions, strict=True):
            time.sleep(REST if len(functions) > 1 else 0)
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    return [min(times[1:]) for times in taken]


def sgemm(shape: tuple[int, int, int], times: int = 1) -> Callable[[], Any]:
    """NumPy's float32 product of (m, k, n), ready to be timed, `times` in a row: so that a small
    one finds its operands in the cache as its counterpart does.
    """
    m, k, n = shape
    rng = np.random.default_rng(0)
    x, w, y = (
        rng.standard_normal((m, k), np.float32),
        rng.standard_normal((k, n), np.float32),
        np.empty((m, n), np.float32),
    )

    def run() -> np.ndarray:
        for _ in range(times):
            np.matmul(x, w, out=y)
        return y

    return run


def measured(name: str, case: Case, repeat: int, size: str = "large") -> dict[str, Any]:
    """One row: seconds of the case's kernel, and of sgemm where the case states its shape and
    `size` is "large".
    """
    inputs = case.make(np.random.default_rng(0), size)
    row: dict[str, Any] = {"kernel": name}
    if case.gemm is None or size != "large":
        array = next((one for one in inputs if isinstance(one, np.ndarray)), None)
        (row["seconds"],) = best(repeat, lambda: case.run(*inputs))
        row |= {"shape": "" if array is None else " x ".join(map(str, array.shape))}
        return row if array is None else {**row, "elements_per_second": array.size / row["seconds"]}
    taken = best(repeat, lambda: case.run(*inputs), sgemm(case.gemm, case.times))
    row["seconds"], row["sgemm_seconds"] = (seconds / case.times for seconds in taken)
    return {
        **row,
        "shape": " x ".join(map(str, case.gemm)),
        "ratio": row["seconds"] / row["sgemm_seconds"],
    }
