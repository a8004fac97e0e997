"""Cases of `pimlab.kernels.dram_replay`: the first fault of a trace, against a history of all its
commands.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import dram_replay as kernels
from pimlab.reference import dram_replay as reference

_NO_LIMIT = 0


def _rules(rng):
    rules = [
        (later, earlier, int(rng.integers(0, 3)), int(rng.integers(1, 5)))
        for later in range(kernels.COMMANDS)
        for earlier in range(kernels.COMMANDS)
        if rng.random() < 0.4
    ]
    starts = np.searchsorted([rule[0] for rule in rules], np.arange(kernels.COMMANDS + 1))
    return np.array(rules, np.int64).reshape(-1, 4), starts.astype(np.int64)


def _limits(rng):
    return np.array(
        [
            8,
            2,
            int(rng.integers(1, 5)),
            int(rng.integers(0, 12)),
            int(rng.choice([_NO_LIMIT, 60])),
            int(rng.choice([_NO_LIMIT, 90])),
            int(rng.integers(1, 3)),
            int(rng.integers(1, 3)),
            int(rng.integers(0, 2)),
            int(rng.choice([0, 1, 4])),
            clock := int(rng.choice([0, 6, 12])),
            max(clock - 2, 0),
        ],
        np.int64,
    )


def _walk(rng, count):
    """Commands that mostly keep the rows' rules, so that a replay comes far."""
    open_rows, lines, together = {}, [], False
    cycle = 0
    for _ in range(count):
        cycle += int(rng.integers(3, 9))
        bank = int(rng.integers(0, 2 if together else 8))
        if rng.random() < 0.02:
            together = bool(rng.integers(0, 2))
        command = int(rng.integers(0, kernels.COMMANDS))
        if rng.random() < 0.97:
            if bank in open_rows:
                command = int(rng.choice([kernels.RD, kernels.WR, kernels.PRE]))
            else:
                command = kernels.REFPB if rng.random() < 0.1 else kernels.ACT
        row = open_rows.get(bank, int(rng.integers(0, 3)))
        if command == kernels.ACT:
            open_rows[bank] = row
        elif command == kernels.PRE:
            open_rows.pop(bank, None)
        lines.append((cycle, command, bank, row, int(together)))
    return np.array(lines, np.int64).T


def _trace(rng, size):
    count = {"tiny": 8, "small": 120, "large": 100_000}[size]
    lines = _walk(rng, count)
    rules, starts = _rules(rng)
    limits = _limits(rng)
    if size == "large":
        # one command to one bank after another, which breaks nothing: the whole of it is replayed
        lines[0], lines[1], lines[2], lines[4] = np.arange(1, count + 1) * 4, kernels.REFPB, 0, 0
        rules[:, 3], limits[[3, 4, 5]] = 1, 0
    return (*np.ascontiguousarray(lines), rules, starts, limits)


def _replay(cycle, command, bank, row, mode, rules, starts, limits):
    answer = np.zeros(5, np.int64)
    kernels.replay(cycle, command, bank, row, mode, rules, starts, limits, answer)
    return answer


def _reference(cycle, command, bank, row, mode, rules, starts, limits):
    return reference.replay(cycle, command, bank, row, mode, rules, limits)


def _together(rng, size):
    """Types 0 opens, 1 closes, 2 refreshes, 3 needs the row, 4 does not."""
    count = {"tiny": 8, "small": 200, "large": 100_000}[size]
    is_open, codes = False, []
    for _ in range(count):
        code = int(rng.choice([1, 3, 4] if is_open else [0, 2, 4]))
        code = int(rng.integers(0, 5)) if rng.random() < 0.01 else code
        is_open = code == 0 or (is_open and code != 1)
        codes.append(code)
    cycle = np.cumsum(rng.integers(4, 9, count)).astype(np.int64)
    least = rng.integers(0, 5, (5, 5)).astype(np.int64)
    limits = np.array([rng.choice([0, 90]), rng.choice([0, 150])], np.int64)
    needs = np.array([0, 0, 0, 1, 0], np.int64)
    return cycle, np.array(codes, np.int64), least, 0, 1, needs, 2, limits


def _replay_together(*operands):
    answer = np.zeros(5, np.int64)
    kernels.replay_together(*operands, answer)
    return answer


def _seeded(make, seed):
    def seeded(rng, size):
        return make(np.random.default_rng([seed, int(rng.integers(0, 1 << 30))]), size)

    return seeded


CASES = {
    **{
        f"dram_replay.replay.{seed}": Case(
            _replay, _reference, _seeded(_trace, seed), covers=("dram_replay.replay",)
        )
        for seed in range(12)
    },
    **{
        f"dram_replay.replay_together.{seed}": Case(
            _replay_together,
            reference.replay_together,
            _seeded(_together, seed),
            covers=("dram_replay.replay_together",),
        )
        for seed in range(4)
    },
}
