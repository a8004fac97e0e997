"""Which panels do many figures share? Ours against published, bars beside and upon each other, axes
with SI prefixes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from pimlab.plot.style import PARTS, PUBLISHED

MANY, FEW = 5.0, 2.5
"""Labels at decades that an axis has room for; decades below which 2 and 5 are labelled too."""


def engineering(axis: Axis, unit: str) -> None:
    """Label `axis` with SI prefixes of `unit`, with few enough labels that they do not touch.

    Call it last. A logarithmic axis is labelled at decades, at 2 and 5 too where
    it spans few, and at even steps where it spans less than one.
    """
    axis.set_major_formatter(EngFormatter(unit, sep=" "))
    if axis.get_scale() != "log":
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        return
    low, high = sorted(axis.get_view_interval())
    decades = float(np.log10(high / low))
    if decades >= MANY:
        axis.set_major_locator(LogLocator(base=10.0 ** np.ceil(decades / MANY)))
    elif decades < 1:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < FEW else (1,)))
    axis.set_minor_formatter(NullFormatter())


def agreement(
    ax: Axes,
    published: ArrayLike,
    ours: ArrayLike,
    label: str,
    place: int = 0,
    *,
    fitted: bool = False,
    ends: tuple[ArrayLike, ArrayLike] | None = None,
) -> None:
    """Points of ours over what was published or measured, in one unit; on the grey line they agree.

    published, ours : shape (n,).  place : of the group's colour.  fitted : open points, which are
    no evidence; filled ones are held out.  ends : low and high of ours, shape (n,), as whiskers.
    """
    x, y = np.asarray(published, float), np.asarray(ours, float)
    colour = PARTS[place % len(PARTS)]
    across = None if ends is None else np.abs(np.stack([np.asarray(end) for end in ends]) - y)
    ax.errorbar(
        x, y, across, fmt="o", color=colour, mfc="white" if fitted else colour, label=label,
        elinewidth=0.5,
    )  # fmt: skip
    if not any(line.get_gid() == "equal" for line in ax.lines):
        start = float(np.nanmin(x))
        ax.axline((start,) * 2, (1.1 * start,) * 2, color="0.6", lw=0.8, zorder=0, gid="equal")


def stacked(
    ax: Axes, places: ArrayLike, parts: Mapping[str, ArrayLike], width: float = 0.7
) -> None:
    """Bars at `places`, each the sum of `parts` (name -> heights, shape (n,)), from the bottom up.

    The legend gets each name once.
    """
    x = np.asarray(places, float)
    base, named = np.zeros(x.shape), set(ax.get_legend_handles_labels()[1])
    for i, (name, heights) in enumerate(parts.items()):
        label = None if name in named else name
        ax.bar(x, heights, width, base, color=PARTS[i % len(PARTS)], label=label)
        base = base + np.asarray(heights, float)


def grouped(
    ax: Axes, labels: Sequence[str], bars: Mapping[str, ArrayLike], published: Sequence[str] = ()
) -> None:
    """Groups of bars side by side, one group a label, one bar in each a name of `bars`.

    bars : name -> heights, shape (labels,).  published : names that were read in print; their bars
    are white with a black edge.
    """
    width = 0.8 / len(bars)
    places = np.arange(len(labels))
    colours = iter(PARTS)
    for i, (name, heights) in enumerate(bars.items()):
        look = (
            {"color": PUBLISHED["mfc"], "edgecolor": PUBLISHED["color"], "lw": PUBLISHED["mew"]}
            if name in published
            else {"color": next(colours)}
        )
        ax.bar(places + (i - (len(bars) - 1) / 2) * width, heights, width, label=name, **look)
    ax.set_xticks(places, labels)
