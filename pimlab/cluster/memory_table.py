"""What does every chip of a plan hold? A table of bytes: weights, cache, activations, padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pimlab import result
from pimlab.cluster.cluster import Cluster, memory_bytes
from pimlab.cluster.costs import machines
from pimlab.cluster.memory import Held, held
from pimlab.cluster.shards import Work
from pimlab.cluster.steps import Degrees
from pimlab.workload.language.shape import DecoderShape

MEANINGS = {
    "weights": "bytes of weights",
    "cache": "bytes of keys and values",
    "activations": "bytes of activations that are alive at once",
    "optimiser": "bytes of gradients and of the optimiser's state",
    "padding": "bytes among weights and cache that a chip holds because the cut is not even",
    "total": "bytes of weights, cache, activations and optimiser",
    "capacity": "bytes of the memory, where they are stated",
}


class Row(NamedTuple):
    """Chips that hold the same: where they stand, on which rack, and what each machine of one
    holds.

    phase : what they do.  side : "whole" stages, only their "weights" or their "cache".  padding :
    bytes of each machine.  chips : how many there are.
    """

    phase: str
    replica: int
    stage: int
    layers: range
    side: str
    rack: Cluster
    memory: tuple[Held, ...]
    padding: tuple[float, ...]
    chips: int


def padding(
    shape: DecoderShape,
    rack: Cluster,
    part: Work,
    cut: Degrees,
    layers: int,
    memory: Sequence[Held],
    **how: Any,
) -> tuple[float, ...]:
    """Bytes that each machine holds beyond an even share of weights and cache: heads that are held
    twice, widths and vocabularies that are rounded up. `how` as in `held`. Unit: bytes.
    """  # fmt: skip
    whole = held(shape, rack, part, 1, layers, **how)
    return tuple(
        max(0.0, one.weights + one.cache - (all_of_it.weights + all_of_it.cache) / cut.tensor)
        for one, all_of_it in zip(memory, whole, strict=True)
    )


def stage_rows(
    shape: DecoderShape,
    rack: Cluster,
    part: Work,
    cut: Degrees,
    layers: Sequence[int],
    phase: str,
) -> list[Row]:
    """A row for every stage of every replica of a plan over equal chips."""
    found = []
    starts = [sum(layers[:stage]) for stage in range(len(layers))]
    for replica in range(cut.data):
        for stage, count in enumerate(layers):
            how: dict[str, Any] = {
                "first": stage == 0,
                "last": stage == len(layers) - 1,
                "microbatches": cut.microbatches,
                "attention": cut.attention,
            }
            memory = held(shape, rack, part, cut.tensor, count, expert=cut.expert, **how)
            more = padding(shape, rack, part, cut, count, memory, **how)
            run = range(starts[stage], starts[stage] + count)
            found.append(Row(phase, replica, stage, run, "whole", rack, memory, more, cut.tensor))
    return found


def memory_table(rows: Sequence[Row], cited: Sequence[str]) -> Any:
    """Dataset over (chip, machine): the bytes of MEANINGS, and `occupancy`, the share of the memory
    that is taken; a machine that computes with what it holds says that share itself. NaN where a
    chip does not have the machine, or where nobody states how large a memory is. Beside each chip
    stand its phase, replica, stage, member, rack, side, first layer and number of layers. Unit:
    bytes.
    """
    import numpy as np
    import xarray as xr

    names = list(dict.fromkeys(m.machine for row in rows for m in row.memory))
    chips = [(row, rank) for row in rows for rank in range(row.chips)]
    cells = np.full((len(MEANINGS) + 1, len(chips), len(names)), np.nan)
    for place, (row, _) in enumerate(chips):
        for i, one in enumerate(row.memory):
            values = _bytes(row, i)
            cells[:, place, names.index(one.machine)] = (*values, one.share)
    dims = ("chip", "machine")
    table: dict[str, Any] = {
        name: (dims, cells[i], {"units": "B", "long_name": text})
        for i, (name, text) in enumerate(MEANINGS.items())
    }
    table["occupancy"] = result.variable(
        "occupancy", dims, cells[-1], meaning="share of the memory that is taken"
    )
    coords: dict[str, Any] = {
        "machine": names,
        "phase": ("chip", [row.phase for row, _ in chips]),
        "replica": ("chip", [row.replica for row, _ in chips]),
        "stage": ("chip", [row.stage for row, _ in chips]),
        "member": ("chip", [rank for _, rank in chips]),
        "rack": ("chip", [row.rack.chip.name for row, _ in chips]),
        "side": ("chip", [row.side for row, _ in chips]),
        "first_layer": ("chip", [row.layers.start for row, _ in chips]),
        "layers": ("chip", [len(row.layers) for row, _ in chips]),
    }
    return result.finished(xr.Dataset(table, coords=coords), cited)


def _bytes(row: Row, number: int) -> tuple[float, ...]:
    one = row.memory[number]
    known = number < len(machines(row.rack.chip))
    size = memory_bytes(row.rack, number) if known else None
    parts = one.weights, one.cache, one.activations, one.optimiser
    return (*parts, row.padding[number], one.total, math.nan if size is None else size)
