"""What are the joules of a service's life spent on?"""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.arguments import typed
from pimlab.plot.panels import engineering
from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.result import HIGH, LOW
from pimlab.units import si


@for_print
@typed
def life(ds: xr.Dataset) -> Figure:
    """Joules of a life by what they are spent on, with the range of the prices, on a logarithmic
    axis; the title says the total and the wear of the cells.

    ds : what `pim.service_life` answers. Unit: J. TypeError for another Dataset.
    """
    expected(ds, xr.Dataset, ("life_energy", "spent_on"), "the Dataset of pimlab.service_life")
    spent = ds.isel(spent_on=np.flatnonzero(ds.life_energy.values > 0))
    value = spent.life_energy.values
    ends = np.abs(np.stack([spent["life_energy" + end].values for end in (LOW, HIGH)]) - value)
    fig = figure(18 + 9 * len(value), 1)
    ax = fig.subplots()
    ax.errorbar(value, range(len(value)), xerr=ends, fmt="o", color=PARTS[0])
    ax.set_xscale("log")
    ax.set_yticks(range(len(value)), [str(one) for one in spent.spent_on.values])
    ax.set_ylim(len(value) - 0.5, -0.5)
    engineering(ax.xaxis, "J")
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("energy of the life (whiskers: range of the prices)")
    ax.set_title(_finding(ds))
    return fig


def _finding(ds: xr.Dataset) -> str:
    total = f"{si(float(ds.life_energy.sum()), 'J', 3)} for {float(ds.inferences):.3g} inferences"
    wear = float(ds.wear)
    return total if np.isnan(wear) else f"{total};\n{wear:.2g} of the cells' endurance used"
