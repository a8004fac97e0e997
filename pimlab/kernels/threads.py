"""How is work spread over threads where a kernel is not the whole of it? One function of several
items, each in a thread that calls kernels on itself alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

MANY = 1 << 16
"""Numbers of an item from which on it is worth a thread: below, waking one costs more."""
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def each(work: Callable[[Item], Answer], items: Iterable[Item], least: int = 0) -> list[Answer]:
    """`work` of every item, in order, on as many threads as kernels may use; exceptions reach the
    caller. Within `work` there is one thread: what is spread further runs there one by one.

    least : items a thread below which they run one by one (unit: items), because `work` spreads
    its own parts and would leave less to wait for at the end.
    """
    import numba  # here, because machines are described without a compiler

    items = list(items)
    threads = numba.get_num_threads()
    if threads == 1 or len(items) < max(2, least * threads) or not _may_meet():
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads, initializer=numba.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(work, items))


@lru_cache(maxsize=1)
def _may_meet() -> bool:
    """Whether several threads may call parallel kernels at once: Numba's own pool of threads ends
    the process where they do, those of OpenMP and TBB do not.
    """
    import numba

    if numba.config.THREADING_LAYER in ("workqueue", "forksafe"):
        return False
    for pool in ("omppool", "tbbpool"):
        try:
            importlib.import_module(f"numba.np.ufunc.{pool}")
        except ImportError:
            continue
        return True
    return False
