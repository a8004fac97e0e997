"""Where do the operators of a model stand under the roofline of a machine?"""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.arguments import typed
from pimlab.plot.panels import engineering
from pimlab.plot.style import ALARM, PARTS, expected, figure, for_print

LIMITS = {"compute": ("o", PARTS[0]), "memory": ("s", PARTS[3]), "array": ("^", PARTS[4])}
"""What limits an operator -> its marker and colour."""
SIDE = 10.0
"""How far the axes reach beyond the points, and operators without traffic stand, as a factor."""


@for_print
@typed
def roofline(ds: xr.Dataset) -> Figure:
    """Operations a second of each operator against its operations a byte of DRAM traffic, under the
    roof of its machine; thin lines lead from what is reached to what the roof allows.

    ds : what `pimlab.npu.roofline` answers. Operators without traffic stand at the right end.
    Units: op/s and op/B. TypeError for another Dataset.
    """
    names = ("intensity", "achieved", "attainable", "bound")
    expected(ds, xr.Dataset, names, "the Dataset of pimlab.npu.roofline")
    peak, ridge = float(ds.attrs["peak"]), float(ds.attrs["ridge"])
    known = ds.intensity.values[np.isfinite(ds.intensity.values)]
    left = min([ridge, *known]) / SIDE
    right = max([ridge, *known]) * SIDE
    x = np.where(np.isfinite(ds.intensity.values), ds.intensity.values, right)
    fig = figure(62, 1)
    ax = fig.subplots()
    span = np.geomspace(left, 2 * right, 100)
    ax.loglog(span, np.minimum(peak, span * peak / ridge), color="0.3", lw=1.2)
    ax.axvline(ridge, color=ALARM, ls=":", lw=0.8)
    ax.vlines(x, ds.achieved, ds.attainable, color="0.7", lw=0.6)
    for limit, (marker, colour) in LIMITS.items():
        mine = ds.bound.values == limit
        if mine.any():
            ax.loglog(x[mine], ds.achieved.values[mine], marker, color=colour, label=limit)
    engineering(ax.xaxis, "")
    engineering(ax.yaxis, "")
    ax.set_xlabel("operations a byte of DRAM traffic (op/B)")
    ax.set_ylabel("operations a second (op/s)")
    ax.legend(title="limited by", loc="lower right")
    ax.set_title(_finding(ds, ridge))
    return fig


def _finding(ds: xr.Dataset, ridge: float) -> str:
    bound = int((ds.bound == "memory").sum())
    best = float(ds.utilisation.max())
    return (
        f"{ds.attrs['target']}: {bound} of {ds.sizes['layer']} operators wait for memory\n"
        f"(ridge at {ridge:.3g} op/B); the best reaches {100 * best:.2g} % of the peak"
    )
