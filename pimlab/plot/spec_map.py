"""Which cells are good enough for a network? Programming error against read noise, by drift and
window, with the line at which floating point's accuracy is lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from pimlab.plot.style import ALARM, expected, figure, for_print


@for_print
def spec_map(ds: xr.Dataset) -> Figure:
    """The metric's loss against floating point over programming error and read noise, a panel for
    each drift exponent (columns) and window (rows); a cross marks cells that do not keep it.

    ds : from `pim.device_spec_map`. TypeError for another Dataset.
    """
    expected(ds, xr.Dataset, ("kept", "exact", "window", "drift"), "pim.device_spec_map(...)")
    name = next(str(n) for n in ds.data_vars if "seed" in ds[n].dims)
    mean, exact = ds[name].mean("seed"), float(ds.exact)
    sign = 1.0 if ds[name].attrs.get("better", "higher") == "higher" else -1.0
    lost = 100 * sign * (exact - mean) / abs(exact)
    rows, columns = ds.sizes["window"], ds.sizes["drift"]
    fig = figure(22 + 38 * rows, 1 if columns < 3 else 2)
    axes = fig.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    top = max(float(lost.max()), 100 * float(ds.attrs["tolerance"]))
    for i, j in np.ndindex(rows, columns):
        one = ds.isel(window=i, drift=j)
        ax: Any = axes[i, j]
        image = _panel(ax, lost.isel(window=i, drift=j), one.kept, top)
        ax.set_title(f"window {float(one.window):g}, drift {float(one.drift):g}", fontsize="small")
    fig.supxlabel("programming error (% of the largest conductance)", fontsize="small")
    fig.supylabel("read noise (%)", fontsize="small")
    bar = fig.colorbar(image, ax=axes)
    bar.set_label(f"{name} lost (% of floating point's {exact:.3g}); x: not kept", fontsize="small")
    return fig


def _panel(ax: Any, lost: xr.DataArray, kept: xr.DataArray, top: float) -> Any:
    """One window and drift: losses (%) as colours up to `top`, and crosses."""
    order = ("read", "programming")
    values = lost.transpose(*order).values
    image = ax.imshow(values, origin="lower", aspect="auto", cmap="cividis_r", vmin=0, vmax=top)
    for row, column in zip(*np.nonzero(~kept.transpose(*order).values), strict=True):
        ax.plot(column, row, "x", color=ALARM, ms=4)
    ax.set_xticks(range(values.shape[1]), [f"{100 * v:g}" for v in lost.programming.values])
    ax.set_yticks(range(values.shape[0]), [f"{100 * v:g}" for v in lost["read"].values])
    return image
