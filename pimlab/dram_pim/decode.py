"""What does one decode step of a language model's layer cost, in the banks and through the pins of
the same memory?
"""

from __future__ import annotations

import xarray as xr

from pimlab.dram_pim.api import gemv, host_read, host_write, machine_of, read_results
from pimlab.dram_pim.target import DramPim
from pimlab.units import is_integer

WAYS = ("in the banks", "through the pins")


def products(
    width: int, hidden: int, heads: int, context: int, batch: int
) -> dict[str, tuple[int, int, int]]:
    """(outputs, inputs, rows) of every product of one layer with a gated feed-forward.

    Weights meet `batch` rows. Keys and values are read once for each sequence: heads and sequences
    lie side by side over the channels, so a product with the cache has one row. Unit: values.
    """
    weights = dict.fromkeys(("q", "k", "v", "o"), (width, width, batch))
    weights |= dict.fromkeys(("gate", "up"), (hidden, width, batch)) | {
        "down": (width, hidden, batch)
    }
    return weights | {
        "scores": (batch * heads * context, width // heads, 1),
        "values": (batch * width, context, 1),
    }


def _inside(machine: DramPim, outputs: int, inputs: int, rows: int) -> xr.Dataset:
    """A product in the banks and the reading of its results."""
    product = gemv(machine, outputs, inputs, rows)[["seconds", "energy"]]
    read = read_results(machine, outputs, inputs, rows)[["seconds", "energy"]]
    both, more = xr.align(product, read, join="outer", fill_value=0.0)
    return both + more


def decode_layer(
    target: DramPim | str, *, width: int, hidden: int, heads: int, context: int, batch: int = 1
) -> xr.Dataset:
    """One decode step of one layer: seconds [s] (way, product) and energy (way, product, component)
    in J. "in the banks" includes what it costs a host to read the results and to add their lanes.

    "cache append" is a host's write of one key and one value a sequence, the same either way.

    "through the pins" reads each operand once from the same DRAM, 16 bits a value, for a host that
    computes in no time: its arithmetic is not counted. ValueError for sizes below 1 or heads that
    do not divide the width.
    """
    machine = machine_of(target)
    for name, value in (
        ("width", width),
        ("hidden", hidden),
        ("heads", heads),
        ("context", context),
        ("batch", batch),
    ):
        if not is_integer(value):
            raise TypeError(f"decode_layer {name}={value!r} is not an integer")
    width, hidden, heads, context, batch = (
        size.__index__() for size in (width, hidden, heads, context, batch)
    )
    if min(width, hidden, heads, context, batch) < 1 or width % heads:
        raise ValueError(
            f"decode_layer width={width} hidden={hidden} heads={heads} context={context} "
            f"batch={batch}: "
            "each is 1 or more, and heads divide the width"
        )
    wanted = products(width, hidden, heads, context, batch)
    append = host_write(machine, 2 * 2 * batch * width)
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
    sizes = {"width": width, "hidden": hidden, "heads": heads, "context": context, "batch": batch}
    return answer.assign_attrs(target=machine.name, **sizes, sources=",".join(machine.sources))
