"""How is BLAS kept to one thread? By one counted limit for the process, so that nested and
concurrent uses agree.

A product's bits may depend on how many threads share it, and small products lose time to spinning
threads: callers hold `one_thread()` and spread whole blocks over threads of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import OpenBLASController, ThreadpoolController

_lock = threading.Lock()
_held: list[object] = []


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _take_control() -> None:
    """Let this thread set the limit: from 3.8 on, threadpoolctl does nothing, and says nothing, in
    any thread but the first that ever set one. `_lock` keeps them apart here.
    """
    clear = getattr(OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """While any holder is inside, BLAS uses one thread a call; the last one out restores what was
    there before.
    """
    with _lock:
        _take_control()
        _held.append(_controller().limit(limits=1, user_api="blas") if not _held else None)
    try:
        yield
    finally:
        with _lock:
            if len(_held) > 1:
                _held.pop()
            else:
                _take_control()
                _held.pop().restore_original_limits()  # type: ignore[attr-defined]
