"""What was finished when Ctrl-C came? The same call goes on from there.

with going_on(identity, "explain digits-mlp", total=14, unit="variant") as (kept, bar):
    for variant in variants:
        if variant not in kept:
            kept[variant] = compute(variant)
            bar.step()

`kept` is empty, or what an interrupted call of the same identity left in this process. A sweep with
a store keeps its points on disk instead.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pimlab.progress import Bar, progress
from pimlab.values import digest

MOST = 4
"""Interrupted calls that are remembered, the last ones."""
_LEFT: OrderedDict[str, dict[Any, Any]] = OrderedDict()


@contextmanager
def going_on(
    identity: Any, what: str, total: int, unit: str, steps: float = 1.0, *, show: bool = True
) -> Iterator[tuple[dict[Any, Any], Bar]]:
    """What an interrupted call of the same `identity` finished, to be added to, and a bar.

    identity : all that the answer depends on, as a value with a canonical form; None where that
    cannot be told, and then nothing is kept.  total : how many
    `unit`s there are, each of `steps` of the bar.  show : False draws no bar.
    KeyboardInterrupt says how many are kept; any other error forgets them.
    """
    known = None if identity is None else digest((what, identity))
    kept = _LEFT.pop(known, {}) if known else {}
    done = min(len(kept), total) * steps
    try:
        named = unit if steps == 1 else "step"
        with progress(what, total * steps, named, done=done, show=show) as bar:
            yield kept, bar
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_left(known, kept, what, total, unit)) from None


def _left(known: str | None, kept: dict[Any, Any], what: str, total: int, unit: str) -> str:
    if not kept:
        return f"{what} stopped before the first {unit} of {total} was finished"
    if known is None:
        return (
            f"{what} stopped after {len(kept)} of {total} {unit}s; none is kept, because nothing "
            "tells whether the same call comes again"
        )
    _LEFT[known] = kept
    while len(_LEFT) > MOST:
        _LEFT.popitem(last=False)
    return (
        f"{what} stopped: {len(kept)} of {total} {unit}s are kept in this process, and the same "
        "call goes on from there"
    )
