"""Cases of `pimlab.kernels.dram_timing`: command for command against a cycle-by-cycle scheduler."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.dram_pim import engine, streams
from pimlab.dram_pim.presets import build
from pimlab.dram_pim.timing import timing
from pimlab.kernels import dram_timing as kernels
from pimlab.reference import dram_timing as reference


def _spacing(rng, compat):
    table = timing("hbm2").but(
        tREFI=int(rng.integers(500, 800)), tRFC=90, tXAW=30, tRCDRD=int(rng.integers(8, 20))
    )
    return engine.spacings(table, build("hbm-pim").organisation, True, compat)


def _random(compat):
    def make(rng, size):
        count = {"tiny": 12, "small": 160, "large": 20000}[size]
        phases = np.repeat(np.arange(4) % 2, count // 4)
        bank = np.where(phases == 1, rng.integers(0, 2, count), rng.integers(0, 16, count))
        barrier = (rng.random(count) < 0.1) | (np.diff(phases, append=1) != 0)
        table = (
            rng.integers(0, 2, count),
            bank,
            rng.integers(0, 3, count),
            phases,
            barrier,
            rng.random(count) < 0.2,
        )
        return np.stack(table, axis=1).astype(np.int64), _spacing(rng, compat)

    return make


def _options(rng, size):
    """Any request stream of a host, under any controller and any occupation of the command bus."""
    requests, _ = _random(None)(rng, size)
    requests[:, kernels.SCOPE] = 0
    requests[:, kernels.BANK] = rng.integers(0, 16, len(requests))
    one_bank = bool(rng.integers(0, 2))
    buses = str(rng.choice(["one", "row and column"]))
    clocked = buses == "one" and rng.integers(0, 2)
    table = timing("hbm2").but(
        tREFI=int(rng.integers(1600, 2600)),
        tRFC=90,
        tRFCpb=50,
        tRREFD=8,
        tPBR2PBR=12,
        tPPD=int(rng.integers(1, 5)),
        act_cycles=int(rng.integers(1, 4)),
        tAAD=None if rng.integers(0, 2) else int(rng.integers(1, 9)),
        column_cycles=int(rng.integers(1, 4)),
        buses=buses,
        WCK=int(rng.integers(1, 9)) if clocked else None,
    )
    high = int(rng.integers(2, 20))
    queue = engine.WriteQueue(depth=20, high=high, low=int(rng.integers(0, high)))
    controller = engine.Controller(
        depth=int(rng.integers(1, 33)),
        refresh="one bank" if one_bank else "all banks",
        writes=queue if rng.integers(0, 2) else None,
        rows="open until wanted" if rng.integers(0, 2) else "closed when unwanted",
        leaves="row opens" if rng.integers(0, 2) else "data go",
    )
    org = build("hbm-pim").organisation
    return requests, engine.spacings(table, org, True, None, controller)


def _gemv(rng, size):
    org = build("hbm-pim").organisation
    stream = streams.gemv(
        org, *{"tiny": (16, 16, 1), "small": (64, 300, 2), "large": (4096, 4096, 8)}[size]
    )
    return stream.requests, _spacing(rng, None)


def _seeded(seed):
    def make(rng, size):
        return _options(np.random.default_rng([seed, int(rng.integers(0, 1 << 30))]), size)

    return make


def _schedule(requests, spacing):
    trace, cycles = engine.issue(requests, spacing, 4)
    return trace, np.int64(cycles)


def _reference(requests, spacing):
    trace, cycles = reference.schedule(requests, spacing, 4)
    return trace, np.int64(cycles)


def _commands(rng, size):
    count = {"tiny": 9, "small": 300, "large": 200000}[size]
    return rng.integers(0, 5, count), rng.integers(0, 40, (6, 6)), 2, 5, 200


def _in_order(commands, gaps, opens, refresh, interval):
    cycles, refreshed = np.empty(commands.size, np.int64), np.empty(commands.size * 50, np.int64)
    count = kernels.in_order(commands, gaps, opens, refresh, interval, cycles, refreshed)
    return cycles, refreshed[:count]


_COVERS = tuple(f"dram_timing.{name}" for name in ("schedule",))
CASES = {
    "dram_timing.schedule.random": Case(_schedule, _reference, _random(None), covers=_COVERS),
    "dram_timing.schedule.compat": Case(
        _schedule, _reference, _random("pimsimulator"), covers=_COVERS
    ),
    "dram_timing.schedule.gemv": Case(_schedule, _reference, _gemv, covers=_COVERS),
    **{
        f"dram_timing.schedule.options.{seed}": Case(
            _schedule, _reference, _seeded(seed), covers=_COVERS
        )
        for seed in range(10)
    },
    "dram_timing.in_order": Case(
        _in_order, reference.in_order, _commands, covers=("dram_timing.in_order",)
    ),
}
