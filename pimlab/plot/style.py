"""Which colours and forms does every figure share? One colour a stage, readable in print and by the
colour-blind.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pimlab.arguments import typed

# Okabe and Ito's palette: distinguishable under the common forms of colour blindness, and by
# lightness in print.
STAGE_COLOURS = {1: "#0072B2", 2: "#E69F00", 3: "#009E73"}
STAGE_MARKERS = {1: "s", 2: "^", 3: "o"}
STAGE_NAMES = {1: "stage 1: NPU", 2: "stage 2: DRAM-PIM + NPU", 3: "stage 3: analog NVM + NPU"}
PARTS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
    "#999999",
    "#66C2A5",
    "#8DA0CB",
    "#A6761D",
)

mpl.rcParams["svg.hashsalt"] = "pimlab"  # the same figure gives the same SVG


def png(fig: Figure) -> bytes:
    """A figure as the bytes of a PNG file of 100 dots an inch. Unit of the size: dots."""
    written = io.BytesIO()
    fig.savefig(written, format="png", dpi=100)
    return written.getvalue()


class Drawing(Figure):
    """A figure that a notebook shows as it is, with no window or pyplot state."""

    def _repr_png_(self) -> bytes:
        return png(self)


def figure(width: float, height: float) -> Figure:
    """An empty figure (inches) that no window or pyplot state knows of. Unit: inches."""
    return Drawing(figsize=(width, height), layout="constrained")


def expected(given: Any, kind: type[Any], names: tuple[str, ...], what: str) -> None:
    """TypeError unless `given` is a `kind` that has `names`; `what` tells a reader where such a one
    comes from.
    """
    lacking = (
        [name for name in names if name not in given]
        if isinstance(given, kind)
        else [type(given).__name__]
    )
    if lacking:
        described = (
            f"a {kind.__name__} without {', '.join(map(repr, lacking))}"
            if isinstance(given, kind)
            else f"a {lacking[0]}"
        )
        raise TypeError(f"{described} cannot be drawn here; allowed: {what}")


@typed
def save(fig: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `path`.svg and `path`.png (150 dpi); returns both paths. TypeError for what is no
    figure.
    """
    if not isinstance(fig, Figure):
        raise TypeError(
            "save takes a figure, such as pimlab.plot.waterfall returns, not a "
            f"{type(fig).__name__}"
        )
    base = Path(path)
    base.parent.mkdir(parents=True, exist_ok=True)
    svg, png = base.with_suffix(".svg"), base.with_suffix(".png")
    fig.draw_without_rendering()
    fig.set_layout_engine("none")  # the places found stay: both files show one layout, found once
    fig.savefig(svg, metadata={"Date": None})
    fig.savefig(png, dpi=150, metadata={"Software": None})
    return svg, png
