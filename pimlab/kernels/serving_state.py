"""What does the event loop of a service know? Requests, replicas, caches, tables and rules, as
arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TOGETHER, PROMPTS, DECODES = range(3)
"""What a replica does: all of a request, its prompt, or the tokens after the first."""
ROUND_ROBIN, LEAST_WORK, PREFIX_AWARE = range(3)
"""How a router chooses: in turn; the fewest prompt tokens of unfinished requests; the same, with
the tokens of this prompt that are not in the replica's prefix cache.
"""
HERE, SWAPPED, SENT = range(3)
"""Where the cache of a waiting request is: nowhere or on its replica, in the memory of the host, or
come over a link.
"""
QUEUED, RUNNING, PAGES, ENERGY = range(4)
"""Entries of `sums`: integrals over time of waiting requests, running ones, pages that they hold,
and dynamic power.
"""
NOBODY = -1
ABSENT = -1


class Load(NamedTuple):
    """Requests in the order they arrive.

    arrival : float64 (n,), s, not falling.  prompt, output : int32 (n,), tokens, 1 or more.
    first : int64 (n + 1,); blocks : int32, the whole blocks of prompt i are
    blocks[first[i]:first[i + 1]], numbered from 0, equal numbers for equal prefixes.
    """

    arrival: np.ndarray
    prompt: np.ndarray
    output: np.ndarray
    first: np.ndarray
    blocks: np.ndarray


class Answers(NamedTuple):
    """What is written of each request: begun, token, finish : float64 (n,), s, when it first ran,
    gave its first token and its last (NaN until then); spent : float64 (n, COLUMNS), its share of
    every step; replica : int32 (n,), who read its prompt (-1: refused); preempted : int32 (n,),
    times it had to give way; reused : int32 (n,), prompt tokens found in the prefix cache; moved :
    int64 (n,), tokens of cache that went to the host's memory or came back; rounds : int32 (n,),
    steps of decoding (empty where no draft guesses ahead); sent : float64 (n,), s, when a user of a
    closed loop sent it (empty in an open one).
    """

    begun: np.ndarray
    token: np.ndarray
    finish: np.ndarray
    spent: np.ndarray
    replica: np.ndarray
    preempted: np.ndarray
    reused: np.ndarray
    moved: np.ndarray
    rounds: np.ndarray
    sent: np.ndarray


class Progress(NamedTuple):
    """State of each request: computed (tokens in the cache), generated (tokens given), granted
    (tokens of this step), pages (of its own), shared (blocks of the prefix cache that it holds),
    behind (next in its queue), cache (HERE, SWAPPED, SENT) : int32 (n,); ready : float64 (n,), s,
    when its cache has crossed the link.
    """

    computed: np.ndarray
    generated: np.ndarray
    granted: np.ndarray
    pages: np.ndarray
    shared: np.ndarray
    behind: np.ndarray
    cache: np.ndarray
    ready: np.ndarray


class Fleet(NamedTuple):
    """State of each of R replicas: role, pages (all of them), free (pages), count (running),
    waiting, work (prompt tokens of unfinished requests) : int64 (R,); end (of its step), link
    (free from when), watts (of its step, dynamic) : float64 (R,); running : int32 (R, batch);
    queue, outgoing : int32 (R, 2), first and last; turn : int64 (2,), whose turn it is.
    """

    role: np.ndarray
    pages: np.ndarray
    free: np.ndarray
    count: np.ndarray
    waiting: np.ndarray
    work: np.ndarray
    end: np.ndarray
    link: np.ndarray
    watts: np.ndarray
    running: np.ndarray
    queue: np.ndarray
    outgoing: np.ndarray
    turn: np.ndarray


class Prefixes(NamedTuple):
    """The prefix cache of each replica: users (of each block; -1: not there), older, newer
    (neighbours in the list of unused blocks) : int32 (R, blocks); ends : int32 (R, 2), its oldest
    and newest; unused : int64 (R,), its length.
    """

    users: np.ndarray
    older: np.ndarray
    newer: np.ndarray
    ends: np.ndarray
    unused: np.ndarray


class Tables(NamedTuple):
    """Step costs as `pimlab.kernels.step_times` reads them."""

    tokens: np.ndarray
    rest: np.ndarray
    batch: np.ndarray
    context: np.ndarray
    decode: np.ndarray
    queries: np.ndarray
    behind: np.ndarray
    prompt: np.ndarray


class Rules(NamedTuple):
    """page : tokens of a page.  batch : sequences of a step.  tokens : new tokens of a step.
    mixed : prompts in parts beside decoding; else whole prompts first, alone.  prefix : whether
    prefixes are kept; block : tokens of a block; each : pages of it.  queue : requests that may
    wait at a replica.  router.  swap : s a token to or from the host's memory; below 0: a preempted
    request computes its cache again.  delay, send : s, and s a token, of the link between replicas.
    ahead : tokens that a draft guesses in a round, 0 without one; acceptance : probability that a
    guess holds; key : the two words of Philox behind it.  users : requests under way at most.
    """

    page: int
    batch: int
    tokens: int
    mixed: bool
    prefix: bool
    block: int
    each: int
    queue: int
    router: int
    swap: float
    delay: float
    send: float
    ahead: int
    acceptance: float
    key: tuple[int, int]
    users: int
