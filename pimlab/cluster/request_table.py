"""Which other ways to share prefill and decoding among chips are there, and what do they cost?"""

from __future__ import annotations

from typing import Any

from pimlab import result
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.phases import Priced, Side
from pimlab.cluster.plans import Judged, objectives

MOST = 1000
"""Rows of the table."""
MEANINGS = {
    "latency": "time until the last token of a batch of requests",
    "throughput": "output tokens a second",
    "energy": "energy of one output token",
    "cost": "price of one output token",
}


def table(cluster: Cluster, tokens: int, ordered: list[Priced]) -> Any:
    """Dataset over the first pairs of `ordered`: the objectives, and who does what."""
    import xarray as xr

    kept = ordered[:MOST]
    kinds = {one.kind for one in kept}
    for one in ordered[MOST:]:  # the best of every kind stays
        if one.kind not in kinds:
            kinds.add(one.kind)
            kept.append(one)
    rows = [[one.value(cluster, name, tokens) for name in MEANINGS] for one in kept]
    values = objectives("plan", rows, MEANINGS)
    coords: dict[str, Any] = {"arrangement": ("plan", [one.kind[0] for one in kept])}
    for name in ("prefill", "decode"):
        sides: list[Side] = [getattr(one, name) for one in kept]
        coords[f"{name}_chip"] = ("plan", [cluster.racks[s.rack].chip.name for s in sides])
        coords[f"{name}_chips"] = ("plan", [s.degrees.chips for s in sides])
        for degree in ("tensor", "pipeline", "data"):
            coords[f"{name}_{degree}"] = ("plan", [getattr(s.degrees, degree) for s in sides])
    return result.finished(xr.Dataset(values, coords=coords), cluster.cited)


def other_kinds(rows: Any, plan: Judged) -> list[str]:
    """A sentence for every other arrangement and choice of racks than that of the first row of a
    table, which is `plan`: what its best plan costs.
    """
    columns = (rows.arrangement, rows.prefill_chip, rows.decode_chip)
    kinds = list(zip(*(column.values for column in columns), strict=True))
    lines = []
    for kind in list(dict.fromkeys(kinds))[1:]:
        how, first, second = kind
        value = plan.other(float(rows[plan.objective][kinds.index(kind)]))
        lines.append(f"{how} with prompts on {first} and decoding on {second}: {value}")
    return lines
