"""How far is a long computation, how long will it take, and what does it wait for?

with progress("explain digits-mlp", total=14, unit="variant") as bar:
    for variant in variants:
        ...
        bar.step()

One bar is drawn, of the outermost work: work inside it moves the same bar by its share. Nothing is
drawn in the first two seconds, nor where nobody looks: standard error is no terminal and no
notebook shows it, or the environment says PIMLAB_PROGRESS=0. A thread draws, so the bar moves while
a long step runs; it names the kernel that is being compiled for the first time.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DELAY = 2.0
"""Seconds before anything is drawn."""
EVERY = 0.25
"""Seconds between two pictures."""
LULL = 1.0
"""Seconds without a compilation after which no more is expected."""
FORMAT = (
    "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total} {unit}s [{elapsed}<{remaining}{postfix}]"
)


def visible() -> bool:
    """Whether somebody looks at the work of this thread: it is the main one, in a notebook or a
    terminal, and PIMLAB_PROGRESS is not "0".
    """
    main = threading.current_thread() is threading.main_thread()
    if os.environ.get("PIMLAB_PROGRESS") == "0" or not main:
        return False
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or bool(getattr(sys.stderr, "isatty", lambda: False)())


class Bar:
    """Work of `total` units, of which `done` are finished."""

    def __init__(self, what: str, total: float, unit: str, done: float = 0.0):
        self.what, self.total, self.unit = what, max(total, 1), unit
        self.done = self.initial = done
        self.inner: Bar | None = None
        self.started = time.monotonic()

    def step(self, units: float = 1.0) -> None:
        """`units` more are finished."""
        self.done, self.inner = min(self.done + units, self.total), None

    @property
    def finished(self) -> float:
        """Units that are finished, with the share of the one that work inside has done."""
        inner = self.inner
        share = inner.finished / inner.total if inner is not None else 0.0
        return min(self.done + share, self.total)


@contextmanager
def progress(
    what: str, total: float, unit: str = "step", *, done: float = 0.0, show: bool = True
) -> Iterator[Bar]:
    """A bar of `total` units, drawn while the block runs where nothing else is drawn around it.

    Call its `step()` behind each unit.  done : units finished before.  show : False draws nothing.

    >>> from pimlab.progress import progress
    >>> with progress("count", total=3) as bar:
    ...     bar.step(2)
    >>> bar.finished
    2.0
    """
    bar = Bar(what, total, unit, done)
    outer = _Open.bars[-1] if _Open.bars and _Open.thread == threading.get_ident() else None
    if outer is not None:
        outer.inner = bar
    elif _Open.bars:  # another thread's work is drawn
        yield bar
        return
    drawing = None
    try:  # Ctrl-C may come at any line: no bar stays open behind it
        _Open.thread = threading.get_ident()
        _Open.bars.append(bar)
        drawing = _Drawing(bar) if outer is None and show and visible() else None
        yield bar
    finally:
        if bar in _Open.bars:
            _Open.bars.remove(bar)
        if drawing is not None:
            drawing.stop()


class _Open:
    """The bars that are open, the outermost first, and the thread they belong to."""

    bars: list[Bar] = []  # one state a process
    thread = 0


class _Drawing(threading.Thread):
    """Draws one bar until it is stopped."""

    def __init__(self, bar: Bar):
        super().__init__(daemon=True, name="pimlab progress")
        self.bar, self.ended = bar, threading.Event()
        self.start()

    def run(self) -> None:
        """Wait, then draw again and again."""
        picture = None
        wait = DELAY
        while not self.ended.wait(wait):
            wait = EVERY
            picture = picture or self._picture()
            picture.n = self.bar.finished
            note = compilations.note()
            picture.set_postfix_str(note, refresh=False)
            picture.refresh()
        if picture is not None:
            picture.close()

    def _picture(self) -> Any:
        from tqdm.auto import tqdm

        bar = self.bar
        picture = tqdm(
            total=bar.total,
            initial=bar.initial,
            desc=bar.what,
            unit=bar.unit,
            leave=False,
            bar_format=FORMAT,
        )
        picture.start_t += bar.started - time.monotonic()
        return picture

    def stop(self) -> None:
        """Take the bar away."""
        self.ended.set()
        self.join(timeout=2 * EVERY)


class Compilations:
    """The kernels that are being compiled; Numba tells `begins` and `ends`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.last = 0.0
        self.thread: threading.Thread | None = None

    def begins(self, name: str) -> None:
        """The kernel `name` is being compiled; where no bar says so, a line of its own will."""
        self.names.append(name)
        if self.thread is None and not _Open.bars and visible():
            self.thread = threading.Thread(target=self._draw, daemon=True, name="pimlab compiling")
            self.thread.start()

    def ends(self, name: str) -> None:
        """It is compiled."""
        if name in self.names:
            self.names.remove(name)
        self.last = time.monotonic()

    def note(self) -> str:
        """What a bar says of the kernel that is being compiled; "" where none is."""
        names = self.names
        return f"compiling {names[0]}, once" if names else ""

    def _draw(self) -> None:
        """A line that names the kernel, until none has been compiled for a while."""
        time.sleep(DELAY)
        shown = ""
        while not _Open.bars and (self.names or time.monotonic() - self.last < LULL):
            line = f"pimlab: {self.note() or 'compiling'} (kept on disk for the next time)"
            if line != shown:
                sys.stderr.write(f"\r{line:{len(shown)}}")
                sys.stderr.flush()
            shown = line
            time.sleep(EVERY)
        if shown:
            sys.stderr.write(f"\r{'':{len(shown)}}\r")
            sys.stderr.flush()
        self.thread = None


compilations = Compilations()
