"""How is a run of a service set up, run in pieces, kept and taken up again? The arrays of the event
loop.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pimlab.kernels.serving import advance
from pimlab.kernels.serving_state import (
    ABSENT,
    DECODES,
    NOBODY,
    PROMPTS,
    TOGETHER,
    Answers,
    Fleet,
    Load,
    Prefixes,
    Progress,
    Rules,
    Tables,
)
from pimlab.kernels.step_times import COLUMNS
from pimlab.keys import Key
from pimlab.serving.bounds import Service
from pimlab.serving.policy import ROUTERS
from pimlab.serving.requests import Requests
from pimlab.serving.step_times import StepTimes
from pimlab.values import digest

ENDLESS = 2**62


class State(NamedTuple):
    """Everything the event loop reads and writes; see `pimlab.kernels.serving_state`."""

    load: Load
    answers: Answers
    progress: Progress
    fleet: Fleet
    prefixes: Prefixes
    tables: Tables
    decoders: Tables
    drafts: Tables
    rules: Rules
    clock: np.ndarray
    counts: np.ndarray
    sums: np.ndarray
    cost: np.ndarray

    @property
    def finished(self) -> bool:
        """Whether every request is answered or refused."""
        return bool(self.counts[1] + self.counts[2] == self.load.arrival.size)


def started(requests: Requests, service: Service) -> State:
    """The state before the first request."""
    times, policy, apart = service.times, service.policy, service.apart
    n, replicas = requests.count, service.replicas
    prefix = bool(policy.prefixes and requests.blocks.size)
    given = requests.arrival, requests.prompt, requests.output, *_blocks(requests, prefix)
    load = Load(*map(_read_only, given))
    decoding = apart.replicas if apart else 0
    roles = [PROMPTS if apart else TOGETHER] * replicas + [DECODES] * decoding
    held = [times.held] * replicas + [service.decoders.held] * decoding
    return State(
        load,
        Answers(
            begun=np.full(n, np.nan),
            token=np.full(n, np.nan),
            finish=np.full(n, np.nan),
            spent=np.zeros((n, COLUMNS)),
            replica=np.full(n, NOBODY, np.int32),
            preempted=np.zeros(n, np.int32),
            reused=np.zeros(n, np.int32),
            moved=np.zeros(n, np.int64),
            sent=np.zeros(n if requests.users else 0),
            rounds=np.zeros(n if policy.ahead else 0, np.int32),
        ),
        _progress(n, apart is not None),
        _fleet(np.array(roles), np.array(held) // policy.page, min(policy.batch, n)),
        _prefixes(len(roles), int(load.blocks.max(initial=-1)) + 1),
        _tables(times),
        _tables(service.decoders),
        _tables(service.draft or times),
        _rules(service, requests, requests.block if prefix else policy.page, prefix),
        requests.arrival[:1].copy(),
        np.zeros(3, np.int64),
        np.zeros(4),
        np.zeros((4, COLUMNS)),
    )


def _read_only(array: np.ndarray) -> np.ndarray:
    """`array` as the event loop takes it. A loop that may write it is compiled anew, for 20 s."""
    view = array.view()
    view.flags.writeable = False
    return view


def _tables(times: StepTimes) -> Tables:
    return Tables(*map(_read_only, times.tables))


def _progress(size: int, apart: bool) -> Progress:
    names = Progress._fields[:-1]
    counts = {name: np.zeros(size, np.int32) for name in names}
    return Progress(**counts, ready=np.zeros(size if apart else 0))


def _rules(service: Service, requests: Requests, block: int, prefix: bool) -> Rules:
    policy, (delay, send) = service.policy, service.crossing
    if block % policy.page:
        raise ValueError(
            f"Policy page={policy.page} does not divide the blocks of {block} tokens that these "
            "requests share; allowed: a divisor of it, or prefixes=False"
        )
    swap, speculation = policy.swap, policy.speculation
    low, high = Key(seed=speculation.seed if speculation else 0).child("speculation").words
    return Rules(
        users=ENDLESS if requests.users is None else requests.users,
        page=policy.page,
        batch=policy.batch,
        tokens=policy.tokens,
        mixed=policy.mixed,
        prefix=prefix,
        block=block,
        each=block // policy.page,
        queue=ENDLESS if policy.queue is None else policy.queue,
        router=ROUTERS.index(policy.router),
        swap=-1.0 if swap is None else 8 * service.token_bytes / swap.bandwidth,
        delay=delay,
        send=send,
        ahead=policy.ahead,
        acceptance=speculation.acceptance if speculation else 0.0,
        key=(int(low), int(high)),
    )


def _blocks(requests: Requests, prefix: bool) -> tuple[np.ndarray, np.ndarray]:
    """(first, blocks), the blocks numbered from 0."""
    if not prefix:
        return np.zeros(requests.count + 1, np.int64), np.zeros(0, np.int32)
    numbers = np.unique(requests.blocks, return_inverse=True)[1]
    return requests.first, numbers.astype(np.int32)


def _fleet(roles: np.ndarray, pages: np.ndarray, batch: int) -> Fleet:
    size = roles.size
    return Fleet(
        role=roles.astype(np.int64),
        pages=pages.astype(np.int64),
        free=pages.astype(np.int64),
        count=np.zeros(size, np.int64),
        waiting=np.zeros(size, np.int64),
        work=np.zeros(size, np.int64),
        end=np.full(size, np.inf),
        link=np.zeros(size),
        watts=np.zeros(size),
        running=np.zeros((size, batch), np.int32),
        queue=np.full((size, 2), NOBODY, np.int32),
        outgoing=np.full((size, 2), NOBODY, np.int32),
        turn=np.zeros(2, np.int64),
    )


def _prefixes(replicas: int, blocks: int) -> Prefixes:
    return Prefixes(
        users=np.full((replicas, blocks), ABSENT, np.int32),
        older=np.full((replicas, blocks), NOBODY, np.int32),
        newer=np.full((replicas, blocks), NOBODY, np.int32),
        ends=np.full((replicas, 2), NOBODY, np.int32),
        unused=np.zeros(replicas, np.int64),
    )


def run(state: State, width: float, store: Path | None, key: str) -> np.ndarray:
    """Run to the end in pieces of `width` s; float64, shape (pieces, 4): `sums` of each.

    store : where the state is kept after every PIECES pieces (None: nowhere), and where a run of
    the same `key` goes on from. The file is removed when the run ends.
    """
    rows = _taken_up(state, store, key)
    while not state.finished:
        state.sums[:] = 0.0
        advance(*state, state.load.arrival[0] + (len(rows) + 1) * width)
        rows.append(state.sums.copy())
        if store is not None and len(rows) % PIECES == 0:
            _kept(state, rows, store, key)
    if store is not None:
        store.unlink(missing_ok=True)
    return np.array(rows)


PIECES = 50
"""Pieces of a run after which it is kept."""


def key_of(*parts: Any) -> str:
    """What tells one run from another."""
    return digest(parts)


def _changing(state: State) -> dict[str, np.ndarray]:
    groups = (state.answers, state.progress, state.fleet, state.prefixes)
    found = {f"{type(g).__name__}.{name}": v for g in groups for name, v in g._asdict().items()}
    return {**found, "clock": state.clock, "counts": state.counts}


def _kept(state: State, rows: list[np.ndarray], store: Path, key: str) -> None:
    """Write the state beside `store`, then put it in its place: a stop leaves a whole file."""
    beside = store.with_name(store.name + ".part")
    with beside.open("wb") as file:
        parts: dict[str, Any] = {"key": np.array(key), "rows": np.array(rows), **_changing(state)}
        np.savez(file, **parts)
    os.replace(beside, store)


def _taken_up(state: State, store: Path | None, key: str) -> list[np.ndarray]:
    """Fill `state` from `store` where it holds this run; the pieces that are done."""
    if store is None or not store.exists():
        return []
    try:
        with np.load(store, allow_pickle=False) as archive:
            kept = dict(archive)
        rows, same = list(kept["rows"]), str(kept["key"]) == key
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{store} is no state of a run: {error}") from None
    if not same:
        raise ValueError(
            f"{store} holds another run (other requests, machine or policy); remove it or name "
            "another file"
        )
    for name, values in _changing(state).items():
        values[...] = kept[name]
    return rows
