"""Which price that nobody published decides which machine needs less energy? Each assumed price is
moved to the ends of its range, in all machines at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from pimlab import workload
from pimlab.arguments import typed
from pimlab.constants import STATUSES, Constant
from pimlab.machine import presets
from pimlab.machine.protocol import Target
from pimlab.plan import planned, with_chips
from pimlab.plan.capacity import NEEDED
from pimlab.plan.costs import amounts
from pimlab.result import finished, variable
from pimlab.values import unknown

ENDS = ("low", "high")


@typed
def decisive(
    model: Any, targets: Sequence[str | Target], *, status: str = "assumed", batch: int = 1
) -> xr.Dataset:
    """How each assumed price moves the energy of the machines, and whether it changes their order.

    model : a name for `load_model`, or a model; energy that depends on values is left out.
    targets : two machines or more, or their names.  status : of the prices that are moved.
    batch : inferences that a machine takes at once.

    Variables: energy (target) [J] an inference; moved (price, end, target) [J], with that one price
    at its low or high end, wherever it occurs; reorders (price, end), whether the order of the
    machines by energy is another; cheapest (price, end), the name of the first. Prices are sorted
    by how far they move any machine's energy, as a share of it; those that move none are left out.
    Raises ValueError for fewer than two machines, repeated names, another status; as `run` does.

    >>> found = pim.decisive("digits-mlp", ["warboy", "hbm-pim"])
    >>> found.moved.dims
    ('price', 'end', 'target')
    """
    if status not in STATUSES:
        raise ValueError(f"decisive: {unknown('status', status, STATUSES)}")
    loaded = workload.load_model(model) if isinstance(model, str) else model
    machines = [presets.target(one) if isinstance(one, str) else one for one in targets]
    names = [machine.name for machine in machines]
    if len(set(names)) < max(2, len(names)):
        raise ValueError(f"decisive targets={names}; allowed: two machines or more, each once")
    plans = [with_chips(planned(loaded, machine, batch), NEEDED) for machine in machines]
    parts = [_parts(plan) for plan in plans]
    nominal = np.array(
        [sum(c.value * n for one in part.values() for c, n in one) for part in parts]
    )
    known = [
        name
        for name in dict.fromkeys(name for part in parts for name in part)
        if any(c.status == status for part in parts for c, _ in part.get(name, ()))
    ]
    moved = np.array([[_energies(parts, nominal, name, end) for end in ENDS] for name in known])
    moved = moved.reshape(len(known), len(ENDS), len(names))
    swing = np.abs(moved / nominal - 1).max(axis=(1, 2), initial=0.0)
    order = [i for i in np.argsort(-swing, kind="stable") if swing[i] > 0]
    answer = _labelled(names, [known[i] for i in order], nominal, moved[order])
    sources = {key for plan in plans for key in plan.cited}
    return finished(answer.assign_attrs(model=loaded.name, status=status), sources)


def _parts(plan: Any) -> dict[str, list[tuple[Constant, float]]]:
    """Name of a price -> the prices of that name, and how much of each one inference takes."""
    prices = {name: plan.prices(name) for name in plan.placed}
    found: dict[str, list[tuple[Constant, float]]] = {}
    for (machine, event), amount in amounts(plan).items():
        constant = prices[machine][event].constant
        found.setdefault(constant.name, []).append((constant, amount))
    return found


def _energies(
    parts: list[dict[str, list[tuple[Constant, float]]]], nominal: np.ndarray, name: str, end: str
) -> list[float]:
    """Joules of every machine with the prices of one name at an end of their ranges."""
    return [
        float(joules) + sum((getattr(c, end) - c.value) * n for c, n in part.get(name, ()))
        for joules, part in zip(nominal, parts, strict=True)
    ]


def _labelled(
    names: list[str], prices: list[str], nominal: np.ndarray, moved: np.ndarray
) -> xr.Dataset:
    usual = np.argsort(nominal, kind="stable")
    ranks = np.argsort(moved, axis=-1, kind="stable")
    first = np.array(names, object)[ranks[..., 0]] if len(prices) else np.empty((0, 2), object)
    meaning = "energy of one inference with one price at an end of its range"
    return xr.Dataset(
        {
            "energy": variable("energy", "target", nominal),
            "moved": variable(
                "moved", ("price", "end", "target"), moved, meaning=meaning, unit="J"
            ),
            "reorders": variable(
                "reorders", ("price", "end"), (ranks != usual).any(axis=-1),
                meaning="whether the order of the machines by energy is another", unit="1",
            ),
            "cheapest": variable(
                "cheapest", ("price", "end"), first, meaning="machine of least energy", unit=""
            ),
        },
        coords={
            "target": variable("target", "target", np.array(names, object)),
            "price": ("price", np.array(prices, object), {"long_name": "constant that is moved"}),
            "end": ("end", np.array(ENDS, object), {"long_name": "end of its range"}),
        },
    )  # fmt: skip
