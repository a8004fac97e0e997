"""What does one decode step of a language model's layer cost, in the banks and through the pins of
the same memory?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from pimlab.arguments import typed
from pimlab.dram_pim.api import gemv, host_read, host_write, machine_of, read_results
from pimlab.dram_pim.target import DramPim
from pimlab.units import is_integer

WAYS = ("in the banks", "through the pins")


def products(
    width: int, hidden: int, heads: int, context: int, batch: int, kv_heads: int
) -> dict[str, tuple[int, int, int]]:
    """(outputs, inputs, rows) of every product of one layer with a gated feed-forward.

    Weights meet `batch` rows. Keys and values are read once for each sequence: heads of the cache
    and sequences lie side by side over the channels, so a product with the cache has one row for
    each of the heads that share a key. Unit: values.
    """
    cached, shared = width // heads * kv_heads, heads // kv_heads
    weights = {"q": (width, width, batch), "k": (cached, width, batch), "v": (cached, width, batch)}
    weights |= {"o": (width, width, batch)}
    weights |= dict.fromkeys(("gate", "up"), (hidden, width, batch)) | {
        "down": (width, hidden, batch)
    }
    return weights | {
        "scores": (batch * kv_heads * context, width // heads, shared),
        "values": (batch * cached, context, shared),
    }


def _inside(machine: DramPim, outputs: int, inputs: int, rows: int) -> xr.Dataset:
    """A product in the banks and the reading of its results."""
    product = gemv(machine, outputs, inputs, rows)[["seconds", "energy"]]
    read = read_results(machine, outputs, inputs, rows)[["seconds", "energy"]]
    both, more = xr.align(product, read, join="outer", fill_value=0.0)
    return both + more


def _checked(sizes: Mapping[str, Any]) -> dict[str, int]:
    """The sizes of a layer as integers; TypeError and ValueError where they are none, or do not go
    together.
    """
    for name, value in sizes.items():
        if not is_integer(value):
            raise TypeError(f"decode_layer {name}={value!r} is not an integer")
    size = {name: value.__index__() for name, value in sizes.items()}
    divided = min(size.values()) > 0 and size["width"] % size["heads"] == 0
    if not divided or size["heads"] % size["kv_heads"]:
        listed = " ".join(f"{name}={value}" for name, value in size.items())
        raise ValueError(
            f"decode_layer {listed}: each is 1 or more, heads divide the width and kv_heads the "
            "heads"
        )
    return size


@typed
def decode_layer(
    target: DramPim | str,
    *,
    width: int,
    hidden: int,
    heads: int,
    context: int,
    batch: int = 1,
    kv_heads: int | None = None,
) -> xr.Dataset:
    """One decode step of one layer: seconds [s] (way, product) and energy (way, product, component)
    in J. "in the banks" includes what it costs a host to read the results and to add their lanes.

    kv_heads : heads of the cache, each shared by heads / kv_heads queries (grouped-query
    attention); None: a head of the cache for each query.

    "cache append" is a host's write of one key and one value a sequence, the same either way.

    "through the pins" reads each operand once from the same DRAM, 16 bits a value, for a host that
    computes in no time: its arithmetic is not counted. ValueError for sizes below 1, heads that do
    not divide the width, or kv_heads that do not divide the heads.

    >>> sizes = {"width": 4096, "hidden": 14336, "heads": 32, "context": 1024}
    >>> shared = pim.dram_pim.decode_layer("gddr6-aim", kv_heads=8, **sizes)
    >>> own = pim.dram_pim.decode_layer("gddr6-aim", **sizes)
    >>> bool(shared.seconds.sum() < own.seconds.sum())
    True
    """
    machine = machine_of(target)
    asked = {"width": width, "hidden": hidden, "heads": heads, "context": context, "batch": batch}
    sizes = _checked(asked | {"kv_heads": heads if kv_heads is None else kv_heads})
    wanted = products(**sizes)
    cached = sizes["width"] // sizes["heads"] * sizes["kv_heads"]
    append = host_write(machine, 2 * 2 * sizes["batch"] * cached)
    inside = [*(_inside(machine, *sizes) for sizes in wanted.values()), append]
    outside = [
        *(host_read(machine, 2 * outputs * inputs) for outputs, inputs, _ in wanted.values()),
        append,
    ]
    joined = [
        xr.concat(
            [ds[["seconds", "energy"]] for ds in row], "product", join="outer", fill_value=0.0
        )
        for row in (inside, outside)
    ]
    answer = xr.concat(joined, "way", join="outer", fill_value=0.0).assign_coords(
        way=list(WAYS), product=[*wanted, "cache append"]
    )
    answer.energy.attrs, answer.seconds.attrs = (
        {"units": "J", "long_name": "energy"},
        {"units": "s", "long_name": "time"},
    )
    answer.attrs = {}
    return answer.assign_attrs(target=machine.name, **sizes, sources=",".join(machine.sources))
