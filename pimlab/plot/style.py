"""How do figures look that a journal takes as they are? One size of text, two widths, one colour a
stage and never for anything else, published numbers apart from computed ones.
"""

from __future__ import annotations

import functools
import io
import os
import string
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pimlab.arguments import named as by_name
from pimlab.arguments import typed

P = ParamSpec("P")
R = TypeVar("R")

# Okabe and Ito's palette: distinguishable under the common forms of colour blindness, and by
# lightness in print.
STAGE_COLOURS = {1: "#0072B2", 2: "#E69F00", 3: "#009E73"}
STAGE_MARKERS = {1: "s", 2: "^", 3: "o"}
STAGE_NAMES = {1: "stage 1: NPU", 2: "stage 2: DRAM-PIM + NPU", 3: "stage 3: analog NVM + NPU"}
# None is near a stage's colour, for normal, red-blind and green-blind eyes; the first nine are well
# apart from each other too (tests/plot/test_style.py computes the distances).
PARTS = (
    "#882255",
    "#88CCEE",
    "#DDCC77",
    "#785EF0",
    "#661100",
    "#FFBBBB",
    "#000066",
    "#9999FF",
    "#CC3311",
    "#A6761D",
    "#33BBEE",
    "#BBBBBB",
)
"""Colours of everything that is no stage: components, causes, formats."""
ALARM, CALM = "#CC3311", "#BBBBBB"
"""Colour of what decides, breaks a bound or costs; colour of what does not."""
PUBLISHED = {"color": "black", "mfc": "white", "mew": 0.8, "zorder": 4}
"""Markers of published numbers: black and open. Computed ones have a colour."""

BELOW: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18)}
"""Where a legend finds room that has none inside: below its panel."""

WIDTHS = {1: 89.0, 2: 183.0}
"""Columns of a printed page -> mm."""
INCH = 25.4
DOTS = {"file": 300, "notebook": 150}
"""Dots an inch of a PNG."""
LETTER = "letter"
"""Name of the texts that are letters of panels."""
PRINT: Any = {
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 6,
    "legend.title_fontsize": 6,
    "legend.frameon": False,
    "figure.titlesize": 7,
    "figure.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.titlepad": 4,
    "axes.labelpad": 2,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "lines.markeredgewidth": 0.7,
    "errorbar.capsize": 1.5,
    "patch.linewidth": 0.5,
    "hatch.linewidth": 0.4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    # Text stays text: files are small, and a journal can change its font.
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "pimlab",  # the same figure gives the same bytes
}
"""Settings of matplotlib for print: sizes of text and lines in points."""


@by_name
def for_print(draw: Callable[P, R]) -> Callable[P, R]:
    """`draw`, whose figures have the sizes of print (`PRINT`) and letters beside several panels.

    Matplotlib's settings outside of it stay as they were. Sizes are in points (unit: pt).
    TypeError for what is no function.
    """
    if not callable(draw):
        raise TypeError(f"for_print draw={draw!r} is not a function that draws a figure")

    asked = by_name(draw)

    @functools.wraps(draw)
    def in_print(*args: P.args, **named: P.kwargs) -> R:
        with mpl.rc_context(PRINT):
            drawn = asked(*args, **named)
            for one in drawn.values() if isinstance(drawn, dict) else (drawn,):
                if isinstance(one, Figure) and len(_panels(one)) > 1:
                    letters(_panels(one))
        return drawn

    return in_print


def letters(panels: Iterable[Axes]) -> None:
    """Write a, b, c, ... in bold above the left ends of `panels`, axes of one figure.

    A figure that has letters keeps them. Text of 8 points (unit: pt).
    """
    given = list(panels)
    if any(text.get_gid() == LETTER for ax in given for text in ax.texts):
        return
    for ax, letter in zip(given, string.ascii_lowercase, strict=False):
        ax.annotate(
            letter, (0, 1), xytext=(-12, 3), xycoords="axes fraction", textcoords="offset points",
            ha="right", va="bottom", fontsize=8, fontweight="bold", gid=LETTER,
        )  # fmt: skip


def _panels(fig: Figure) -> list[Axes]:
    """The panels of a figure, without scales of colours and second axes of one panel."""
    places = {ax.get_subplotspec(): ax for ax in reversed(fig.axes) if ax.axison}
    return [ax for ax in fig.axes if ax.get_subplotspec() and ax in places.values()]


def png(fig: Figure) -> bytes:
    """A figure as the bytes of a PNG file of 150 dots an inch. Unit of the size: dots."""
    written = io.BytesIO()
    fig.savefig(written, format="png", dpi=DOTS["notebook"])
    return written.getvalue()


class Drawing(Figure):
    """A figure that a notebook shows as it is, with no window or pyplot state."""

    def _repr_png_(self) -> bytes:
        return png(self)

    def savefig(self, *args: Any, **named: Any) -> None:
        """As matplotlib's, with the settings of print: lines of hatches, text that stays text."""
        with mpl.rc_context(PRINT):
            super().savefig(*args, **named)


@typed
def figure(height: float, columns: int = 2) -> Figure:
    """An empty figure that no window or pyplot state knows of.

    height : mm.  columns : of a printed page, 1 (89 mm wide) or 2 (183 mm). ValueError for others,
    and for no height.
    """
    if columns not in WIDTHS:
        raise ValueError(f"figure columns={columns!r}; a printed page has 1 (89 mm) or 2 (183 mm)")
    if not 0 < height < float("inf"):
        raise ValueError(f"figure height={height!r} is outside 0.. mm, ends excluded")
    size = (WIDTHS[columns] / INCH, height / INCH)
    # Letters are measured at the resolution of files: at fewer dots their widths are rounded.
    return Drawing(figsize=size, dpi=DOTS["file"], layout="constrained")


def expected(given: Any, kind: type[Any], names: tuple[str, ...], what: str) -> None:
    """TypeError unless `given` is a `kind` that has `names`; `what` tells a reader where such a one
    comes from.
    """
    lacking = (
        [name for name in names if not isinstance(name, str) or name not in given]
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
def save(fig: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Write `path`.svg, `path`.pdf and `path`.png (300 dots an inch); returns the three paths.

    The same figure gives the same bytes: no date, and names that do not change. TypeError for what
    is no figure.
    """
    if not isinstance(fig, Figure):
        raise TypeError(
            "save takes a figure, such as pimlab.plot.waterfall returns, not a "
            f"{type(fig).__name__}"
        )
    base = Path(path)
    base.parent.mkdir(parents=True, exist_ok=True)
    svg, pdf, png = (base.with_suffix(f".{kind}") for kind in ("svg", "pdf", "png"))
    with mpl.rc_context(PRINT):
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # the places found stay: all files show one layout
        fig.savefig(svg, metadata={"Date": None})
        fig.savefig(pdf, metadata={"CreationDate": None})
        fig.savefig(png, dpi=DOTS["file"], metadata={"Software": None})
    return svg, pdf, png
