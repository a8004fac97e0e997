"""Between which ends does the energy of a chip on the bench lie about nine times in ten?

`energy_low` and `energy_high` suppose that every price errs at once and in the same direction, so
that whatever was measured lies between them. Prices come from sources of their own: the likely
interval is the share of that distance within which nine in ten requests on boards were measured.
"""

from __future__ import annotations

import xarray as xr

from pimlab import catalogue
from pimlab.arguments import typed
from pimlab.result import HIGH, LOW, totals


@typed
def likely_energy(answer: xr.Dataset) -> xr.Dataset:
    """The energy of an inference and an interval that covers measured chips about nine times in
    ten.

    answer : what `run`, `compare` or a sweep of them returned. Returns energy, energy_low and
    energy_high [J], summed over layers and components: energy -+ share x (distance to the ends that
    all prices together have). The share was found on one model on A100 in FP16; of the boards that
    were not used for it, H100's, 86 % of 21 points lie within (papers/silicon-energy). It holds for
    digital chips (stage 1); how often it covers memories with processing and analog arrays is not
    known. ValueError for a Dataset without energy.

    >>> ds = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    >>> one = pim.likely_energy(ds)
    >>> bool(ds.energy_low.sum() < one.energy_low < one.energy < one.energy_high)
    True
    """
    parts = totals(answer).get("energy", [])
    if len(parts) != 3:
        raise ValueError(
            "likely_energy: this Dataset has no energy with its ends; allowed: what run, compare "
            "or a sweep of them returned"
        )
    share = catalogue.entry("energy", "on-chip")["likely_share"].value
    nominal = parts[0]
    ends = [nominal + share * (end - nominal) for end in parts[1:]]
    names = ("energy", "energy" + LOW, "energy" + HIGH)
    return xr.Dataset(
        {
            name: one.assign_attrs(answer[name].attrs)
            for name, one in zip(names, (nominal, *ends), strict=True)
        },
        attrs=answer.attrs,
    )
