"""Which cause, price or event decides? Explanations over seeds, tornados of prices, differences."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from pimlab.arguments import typed
from pimlab.plot.style import ALARM, CALM, PARTS, expected, figure, for_print
from pimlab.result import NORMAL_95

_KINDS = {"first": ("<", "as the first"), "last": (">", "as the last"), "shapley": ("o", "mean")}


def _metric(story: xr.Dataset) -> str:
    return str(next(n for n in story.data_vars if str(n).endswith("_shapley"))).removesuffix(
        "_shapley"
    )


@for_print
@typed
def causes(story: xr.Dataset) -> Figure:
    """What each non-ideality changes as the first, as the last, and in the mean over all orders.

    story : what `explain(..., shapley=True)` returned, or a sweep of it over `seed`: then means
    over chips with their 95 % intervals, paired. Filled: all three are of one sign, beyond their
    intervals; hollow: it depends on the order, or on the chip. Unit of the axis: the metric's.
    """
    names = [str(name) for name in story.data_vars]
    if not any(name.endswith("_shapley") for name in names):
        raise TypeError(
            "causes takes what pimlab.explain(..., shapley=True) returned, or its sweep over seed"
        )
    metric = _metric(story)
    chips = story if "seed" in story.dims else story.expand_dims("seed")
    means, halves = zip(*[_interval(chips[f"{metric}_{kind}"]) for kind in _KINDS], strict=True)
    mean, half = np.array(means), np.array(halves)
    robust = (abs(mean) > half).all(axis=0) & (abs(np.sign(mean).sum(axis=0)) == len(_KINDS))
    robust &= chips.sizes["seed"] > 1
    fig = figure(24 + 8 * story.sizes["cause"], 1)
    ax = fig.subplots()
    for k, (marker, label) in enumerate(_KINDS.values()):
        for i, sure in enumerate(robust):
            ax.errorbar(
                mean[k, i], i + 0.2 * (k - 1), xerr=half[k, i], fmt=marker, color=PARTS[k],
                markerfacecolor=PARTS[k] if sure else "white", label=label if i == 0 else None,
            )  # fmt: skip
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(robust)), [str(one) for one in story.cause.values])
    ax.invert_yaxis()
    ax.set_xlabel(f"change of {metric}")
    ax.legend(frameon=False)
    sure = [str(one) for one, held in zip(story.cause.values, robust, strict=True) if held]
    several = f"Whatever the order: {', '.join(sure) or 'no cause stands out'}"
    title = several if chips.sizes["seed"] > 1 else "One chip: no interval"
    ax.set_title(title, fontsize="medium")
    return fig


def _interval(values: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over chips (cause,) and the half-width of its 95 % interval."""
    table = values.transpose("seed", "cause").values
    chips = len(table)
    spread = table.std(axis=0, ddof=1) if chips > 1 else np.zeros(table.shape[1])
    return table.mean(axis=0), NORMAL_95 * spread / np.sqrt(chips)


@for_print
@typed
def prices(found: xr.Dataset, most: int = 12) -> Figure:
    """Tornado of the prices that nobody published: how far each moves the energy of the machine
    that it moves most, as a share of it (unit 1).

    found : what `decisive` returned.  most : prices shown. Red: the order of the machines by
    energy changes.
    """
    expected(found, xr.Dataset, ("moved", "reorders", "energy"), "the Dataset of pimlab.decisive")
    shown = found.isel(price=slice(None, most))
    share = (shown.moved / shown.energy - 1).transpose("price", "end", "target").values
    fig = figure(22 + 6 * max(1, shown.sizes["price"]))
    ax = fig.subplots()
    labels = []
    for i, name in enumerate(shown.price.values):
        target = int(np.abs(share[i]).max(axis=0).argmax())
        for end in (0, 1):
            decides = bool(shown.reorders.values[i, end])
            colour = ALARM if decides else CALM
            ax.barh(i, 100 * share[i, end, target], 0.7, color=colour)
        labels.append(f"{name} ({shown.target.values[target]})")
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set_xlabel("energy of the machine it moves most (%)")
    count = int(found.reorders.any("end").sum())
    ax.set_title(
        f"{count} of {found.sizes['price']} assumed prices can change the order", fontsize="medium"
    )
    return fig


@for_print
@typed
def differences(why: xr.Dataset, most: int = 10) -> Figure:
    """Joules that other counts and other prices make between two results, by event. Unit: J.

    why : what `compare_results` returned.  most : reasons shown.
    """
    expected(why, xr.Dataset, ("energy_change",), "the Dataset of pimlab.compare_results")
    shown = why.energy_change.isel(reason=slice(None, most))
    fig = figure(22 + 6 * max(1, shown.sizes["reason"]))
    ax = fig.subplots()
    for i, part in enumerate(shown.part.values):
        rows = np.arange(shown.sizes["reason"]) + 0.36 * (i - 0.5)
        label = {"count": "other counts", "price": "another price, or as its name says"}[str(part)]
        ax.barh(rows, shown.sel(part=part).values, 0.34, color=PARTS[i], label=label)
    ax.axvline(0, color="black", lw=0.8)
    ax.set_yticks(range(shown.sizes["reason"]), [str(one) for one in shown.reason.values])
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(EngFormatter("J"))
    ax.set_xlabel("energy of one inference, second less first")
    ax.legend(frameon=False)
    return fig
