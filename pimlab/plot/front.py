"""Which designs buy quality with energy, and what of that is left when static power is charged? The
same designs against several energies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from pimlab.plot.designs import unbeaten
from pimlab.plot.style import PARTS, expected, figure, for_print
from pimlab.result import better

MARKERS = "os^DvP*X"


def energies_of(ds: xr.Dataset) -> dict[str, xr.DataArray]:
    """Title -> J of an inference of what `pim.operating_points`, or a sweep of it, answers: for one
    request, at saturation, and without static power [J]. TypeError for what is neither.
    """
    expected(
        ds,
        xr.Dataset,
        ("energy", "dynamic_energy", "traffic"),
        "a sweep of pimlab.operating_points",
    )
    total = ds.energy.sum("component")
    return {
        "one request": total.sel(traffic="one request", drop=True),
        "saturation": total.sel(traffic="saturation", drop=True),
        "without static power": ds.dynamic_energy.sel(traffic="saturation", drop=True),
    }


@for_print
def front(
    ds: xr.Dataset,
    energies: Mapping[str, xr.DataArray],
    metric: str = "accuracy",
    *,
    colour: str | None,
    marker: str | None = None,
    fill: str | None = None,
) -> Figure:
    """A panel an energy: `metric` against it, a point a design, and a line along the front, the
    designs that no other one beats in both. Its title says how far the energies of the designs lie
    apart, largest over smallest.

    ds : a sweep of designs with `metric`.  energies : title of a panel -> J of an inference, over
    the dimensions of `metric` (`energies_of` makes some).  colour, marker, fill : dimensions that
    are told apart by colour, by marker and by open and filled markers; None: by none.
    TypeError for a Dataset without `metric`; ValueError for a dimension it does not have.
    """
    expected(ds, xr.Dataset, (metric,), "a sweep of designs with the metric that is asked for")
    told = {"colour": colour, "marker": marker, "fill": fill}
    said = {name: dim for name, dim in told.items() if dim is not None}
    for name, dim in said.items():
        if not isinstance(dim, str):
            raise TypeError(
                f"front {name}={dim!r:.60} is not a text; allowed: None or a dimension of "
                f"{metric}, one of {ds[metric].dims}"
            )
        if dim not in ds[metric].dims:
            raise ValueError(f"front: {metric} has no dimension {dim!r}; it has {ds[metric].dims}")
    _check_energies(energies)
    fig = figure(70)
    panels = fig.subplots(1, len(energies), squeeze=False, sharey=True)[0]
    for ax, (title, joules) in zip(panels, energies.items(), strict=True):
        _points(ax, ds[metric], joules, said)
        ax.plot(*_front(ds, metric, joules), color="0.5", lw=1, drawstyle="steps-post", zorder=0)
        spread = float(joules.max() / joules.min())
        ax.set_title(f"{title}\nlargest over smallest: {spread:.4g}", fontsize="medium")
        ax.set_xlabel("energy of an inference")
        ax.xaxis.set_major_formatter(EngFormatter("J", sep=" "))
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.margins(x=0.12)
        ax.grid(alpha=0.3)
    worse = better(ds, metric) == "lower"
    panels[0].set_ylabel(f"{metric} (lower is better)" if worse else metric)
    panels[-1].legend(
        handles=_legend(ds, said),
        frameon=False,
        fontsize="small",
        loc="upper left",
        bbox_to_anchor=(1, 1),
    )
    return fig


def _check_energies(energies: Any) -> None:
    """TypeError or ValueError unless `energies` are one array or more, by their titles."""
    if not isinstance(energies, Mapping):
        raise TypeError(
            f"front energies={energies!r:.60}; allowed: title -> DataArray of J, as energies_of "
            "makes them"
        )
    if not energies:
        raise ValueError("front energies={} draws no panel; allowed: one or more")
    for title, joules in energies.items():
        if not isinstance(joules, xr.DataArray) or not joules.size:
            raise TypeError(
                f"front energies[{title!r:.60}]={joules!r:.60}; allowed: a DataArray of J, not "
                "empty"
            )


def _look(indices: Mapping[str, int]) -> dict[str, Any]:
    """How a point looks by the index of its colour, marker and fill."""
    shade = PARTS[indices.get("colour", 0) % len(PARTS)]
    return {
        "color": shade,
        "marker": MARKERS[indices.get("marker", 0) % len(MARKERS)],
        "markerfacecolor": "white" if indices.get("fill", 1) == 0 else shade,
        "ls": "none",
        "ms": 6,
    }


def _points(ax: Any, values: xr.DataArray, joules: xr.DataArray, said: Mapping[str, str]) -> None:
    x, y = joules.broadcast_like(values).transpose(*values.dims).values, values.values
    for where in np.ndindex(*values.shape):
        at = dict(zip(values.dims, where, strict=True))
        ax.plot(x[where], y[where], **_look({name: at[dim] for name, dim in said.items()}))


def _front(ds: xr.Dataset, metric: str, joules: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Energies and values of the designs that no other one beats in both, by rising energy."""
    values = ds[metric]
    x = joules.broadcast_like(values).transpose(*values.dims).values.ravel()
    y = values.values.ravel()
    kept = unbeaten(x, y, better(ds, metric) == "higher")
    return x[kept], y[kept]


def _legend(ds: xr.Dataset, said: Mapping[str, str]) -> list[Line2D]:
    found = []
    for name, dim in said.items():
        for i, one in enumerate(ds[dim].values):
            look = _look({name: i})
            if name != "colour":
                look |= {"color": "0.3"}
            if name == "marker":
                look |= {"markerfacecolor": "0.3"}
            if name == "fill":
                look |= {"markerfacecolor": "white" if i == 0 else "0.3"}
            found.append(Line2D([], [], label=f"{dim} = {one}", **look))
    return [*found, Line2D([], [], color="0.5", lw=1, label="front")]
