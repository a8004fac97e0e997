"""Where does each layer sit on the roofline? Operations a byte of DRAM traffic, what that allows,
and what is reached.

S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52:4 (2009): attainable = min(peak,
intensity x bandwidth). Traffic is the machine's own count, so weights that stay on chip raise the
intensity, and a layer without DRAM traffic has none. Operations are those of the dense product: 2:4
sparsity doubles the peak and halves the traffic of weights.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.machine.protocol import MacOp
from pimlab.npu.target import Npu


@typed
def attainable(npu: Npu, intensity: float) -> float:
    """Operations a second that `intensity` (operations a byte of DRAM traffic) allows on `npu`
    (unit: 1/s); ValueError if it is negative.
    """
    if not intensity >= 0:
        raise ValueError(
            f"attainable intensity={intensity!r} is not a number of operations a byte, 0 or more"
        )
    return min(npu.peak(), intensity * npu.memory.bandwidth / 8)


@typed
def ridge(npu: Npu) -> float:
    """Operations a byte at which `npu` turns from bandwidth-bound to compute-bound (unit:
    1/byte).
    """
    return 8 * npu.peak() / npu.memory.bandwidth


@typed
def roofline(npu: Npu, ops: Iterable[MacOp]) -> xr.Dataset:
    """Dataset by layer: operations, DRAM bytes, intensity (op/B, infinite without traffic),
    attainable and achieved (op/s), utilisation (achieved over peak) and bound ("compute", "memory"
    or "array": filling and idle MACs cost more than traffic). Units: operations, bytes, op/s.
    """
    from pimlab import result

    ops = tuple(ops)
    for op in ops:
        if not isinstance(op, MacOp):
            raise TypeError(
                f"roofline ops: {op!r:.60} is no MacOp; write for example model.mac_ops"
            )
    rows = [_layer(npu, op) for op in ops]
    names = [name for name, *_ in rows]
    operations, traffic, seconds = (
        np.array([row[i] for row in rows], dtype=float) for i in (1, 2, 3)
    )
    with np.errstate(divide="ignore"):
        intensity = operations / traffic
    peak = np.array([npu.peak(op) for op in ops])
    limit = np.minimum(peak, intensity * npu.memory.bandwidth / 8)
    achieved = operations / seconds
    ds = xr.Dataset(coords={"layer": ("layer", names, {"long_name": "operator"})})
    for name, values, unit, text in (
        ("operations", operations, "op", "operations of one inference"),
        ("traffic", traffic, "B", "DRAM traffic of one inference"),
        ("intensity", intensity, "op/B", "operations a byte of DRAM traffic"),
        ("attainable", limit, "op/s", "roofline at this intensity"),
        ("achieved", achieved, "op/s", "operations over latency"),
        ("utilisation", achieved / peak, "1", "achieved over peak"),
    ):
        ds[name] = ("layer", values, {"units": unit, "long_name": text})
    ds["bound"] = (
        "layer",
        [_bound(npu, op, a) for op, a in zip(ops, limit, strict=True)],
        {"long_name": "what limits the layer"},
    )
    return result.finished(
        ds.assign_attrs(target=npu.name, peak=npu.peak(), ridge=ridge(npu)), npu.cited
    )


def _layer(npu: Npu, op: MacOp) -> tuple[str, float, float, float]:
    counts = npu.events(op)
    bits = sum(count for event, count in counts.items() if event.startswith("dram."))
    return op.name, 2.0 * op.macs, bits / 8, sum(npu.latency(op).values())


def _bound(npu: Npu, op: MacOp, limit: float) -> str:
    if limit < npu.peak(op) and npu.latency(op)["memory"] > 0:
        return "memory"
    sustained = 1.0 if npu.efficiency is None else npu.efficiency.arrays
    ideal = 2 * op.macs / (npu.peak(op) * sustained)
    return "compute" if npu.latency(op)["compute"] < 1.25 * ideal else "array"
