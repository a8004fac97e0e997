"""Does a model fit on the machines of a plan, and if not, on how many chips would it?"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pimlab.arguments import typed
from pimlab.machine.links import link
from pimlab.plan.plan import CHIP_ROUNDING, Plan
from pimlab.units import is_integer
from pimlab.values import unknown

NEEDED = "needed"
BOARD = "pcie5-x16"
"""The link between the chips of one machine where a plan names none."""


class CapacityError(ValueError):
    """A model that takes up more memory than its machines have."""


@typed
def chips_needed(plan: Plan) -> dict[str, int]:
    """Machine -> chips of it that hold the weights, caches and padding of the plan's operators
    (unit: chips).

    Arrays and rows of banks may be divided among chips at will, so this is the sum of what the
    operators take up (`Target.occupancy`), rounded up.

    >>> model = pim.load_model("llama2-7b")
    >>> pim.plan.chips_needed(pim.plan.planned(model, pim.target("hbm-pim")))["hbm-pim"]
    2
    """
    alone = plan.but(chips={}) if plan.chips else plan
    return {
        name: max(1, math.ceil(share - CHIP_ROUNDING)) for name, share in alone.occupancy.items()
    }


@typed
def chips_text(plan: Plan) -> str:
    """What the attribute `chips` of a result says: "1", or how many of which machine.

    >>> model = pim.load_model("llama2-7b")
    >>> pim.run(model, pim.target("hbm-pim"), chips="needed").attrs["chips"]
    '2 hbm-pim'
    """
    several = {name: count for name, count in plan.chips.items() if count > 1}
    return ", ".join(f"{count} {name}" for name, count in several.items()) or "1"


@typed
def shortage(plan: Plan) -> str:
    """The sentence that says which machines of the plan are too small and by how much; "" where
    the model fits.
    """
    needed = chips_needed(plan)
    short = {name: n for name, n in needed.items() if n > plan.chips.get(name, 1)}
    if not short:
        return ""
    alone = (plan.but(chips={}) if plan.chips else plan).occupancy
    parts = " and ".join(
        f"{name} {alone[name]:.2f} times ({plan.chips.get(name, 1)} there)" for name in short
    )
    asked = next(iter(short.values())) if len(short) == 1 else short
    return (
        f"{getattr(plan.model, 'name', 'the model')} does not fit: it takes the memory of {parts}; "
        f"write chips={asked!r} (or chips={NEEDED!r}), or take a pimlab.Cluster or another machine"
    )


@typed
def check_fits(plan: Plan) -> None:
    """CapacityError where the model does not fit on the chips of the plan."""
    text = shortage(plan)
    if text:
        raise CapacityError(text)


@typed
def with_chips(plan: Plan, chips: int | Mapping[str, int] | str | None) -> Plan:
    """The plan on so many chips: a number for every machine that is too small, a mapping by
    machine, "needed", or None for one each; joined by PCIe where the plan names no link.

    CapacityError where they do not hold the model; ValueError for a number below 1.
    """
    if chips is not None:
        plan = plan.but(chips=_counts(plan, chips))
        if plan.chip_link is None and any(count > 1 for count in plan.chips.values()):
            plan = plan.but(chip_link=link(BOARD))
    check_fits(plan)
    return plan


def _counts(plan: Plan, chips: int | Mapping[str, int] | str) -> dict[str, int]:
    if isinstance(chips, Mapping):
        return {**plan.chips, **chips}
    needed = chips_needed(plan)
    if isinstance(chips, str):
        if chips != NEEDED:
            raise ValueError(unknown("chips", chips, (NEEDED, "a number", "a mapping")))
        return {name: count for name, count in needed.items() if count > 1}
    if not is_integer(chips) or chips < 1:
        raise ValueError(f"chips={chips!r}; allowed: an integer, 1 or more")
    return {name: int(chips) for name, count in needed.items() if count > 1}
