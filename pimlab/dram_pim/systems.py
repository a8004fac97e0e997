"""Which systems that attend in memory are known by name? From a file of catalogue room `systems` to
units and to a target.
"""

from __future__ import annotations

from pimlab import catalogue
from pimlab.arguments import typed
from pimlab.dram_pim.heads import LEVELS, HeadUnits
from pimlab.dram_pim.requests import RequestUnits
from pimlab.dram_pim.stacks import HeadStacks
from pimlab.dram_pim.timing import timing
from pimlab.values import unknown


@typed
def head_units(name: str = "attacc", *, level: str = "bank", limited: bool = True) -> HeadUnits:
    """The units of the system `name` of catalogue room `systems` at `level`; ValueError with the
    nearest name. `limited` keeps the package within its power by products further apart (unit:
    cycles).
    """
    table = catalogue.entry("systems", name)
    if level not in LEVELS:
        raise ValueError(unknown("level", level, LEVELS))
    key = level.replace(" ", "_")
    gap = table[f"{'gap' if limited else 'gap_unlimited'}.{key}"]
    counts = ("stacks", "channels", "pseudochannels", "ranks", "bank_groups", "banks", "rows",
              "columns", "lanes", "softmax_cycles")  # fmt: skip
    own = ("request_heads", "write_cycles") if "request_heads" in table else ()
    kind = RequestUnits if own else HeadUnits
    return kind(
        level=level,
        timing=timing(table.meta["dram"]),
        gap=int(gap.value),
        **{one: int(table[one].value) for one in (*counts, *own)},
        read=table[f"energy.read_{key}"].but(unit="J"),
        moved=table["energy.moved_bit"].but(unit="J"),
        multiply=table["energy.mac"],
    )


@typed
def head_stacks(name: str = "attacc", *, level: str = "bank", limited: bool = True) -> HeadStacks:
    """The stacks of the system `name` of catalogue room `systems` as a target, units at `level`;
    ValueError with the nearest name. `limited` as in `head_units` (unit: cycles).
    """
    rows = catalogue.entry("systems", name).meta.get("row_buffers", "one")
    units = head_units(name, level=level, limited=limited)
    return HeadStacks(name=name, units=units, row_buffers=rows)
