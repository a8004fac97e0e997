"""How good can a placement of layers on mixed machines be? Helix's problems, bounded and solved.

`python papers/helix/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from pimlab.cluster.placement import read_lp, solve
from pimlab.plot.panels import grouped
from pimlab.plot.style import figure, for_print, save
from pimlab.studies import published

OUT = Path(__file__).with_name("helix")
DATA = Path(__file__).parents[2] / "datasets" / "reference" / "system" / "helix"
QUICK = ("quality", "llama30b_a100", "llama30b_t4", "llama30b_l4")
PUBLISHED = {
    "quality": 286.58740975464212,
    "llama30b_a100": 1044.5333450564908,
    "llama30b_t4": 397.68506408357825,
    "llama30b_l4": 214.98140196132908,
    "raw_24": 1212.1768487233041,
}
"""Objective of the authors' own solution files, tokens a second."""


def compute(quick: bool = False) -> xr.Dataset:
    """value, bound, published (problem) in tokens a second."""
    names = QUICK if quick else (*QUICK, "raw_24")
    answers = [solve(read_lp(DATA / f"{name}.lp.gz"), limit=120) for name in names]
    rate = {"units": "1/s"}
    return xr.Dataset(
        {
            "value": ("problem", [one.value for one in answers], rate),
            "bound": ("problem", [one.bound for one in answers], rate),
            "published": ("problem", [PUBLISHED[name] for name in names], rate),
        },
        coords={"problem": list(names)},
        attrs={"sources": "helix"},
    )


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Published placement, ours and the bound, as shares of the bound."""
    fig = figure(58)
    axes = fig.subplots()
    file = "authors' solution file"
    shares = {file: ds.published / ds.bound, "ours": ds.value / ds.bound}
    grouped(axes, list(ds.problem.values), shares, [file])
    axes.axhline(1, color="0.3", lw=1, label="proved bound")
    axes.set_ylim(0, 1.25)
    axes.set_ylabel("tokens a second over the bound (1)")
    axes.legend(ncols=3, loc="upper left")
    return fig


def found(ds: xr.Dataset, row: published.Row) -> float | None:
    """Ours for a row of targets.csv; None for a problem that the quick size leaves out."""
    if row.condition not in ds.problem.values:
        return None
    return float(ds[row.quantity].sel(problem=row.condition))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Value, bound and gap of every problem beside the authors' own solution."""
    lines = []
    for name in ds.problem.values:
        ours, bound, theirs = (
            float(ds[key].sel(problem=name)) for key in ("value", "bound", "published")
        )
        gap = "below 1e-6" if bound / ours - 1 < 1e-6 else f"{bound / ours - 1:.2e}"
        lines.append([str(name), f"{theirs:.3f}", f"{ours:.3f}", f"{bound:.3f}", gap])
    heads = ["problem", "authors' file (tokens/s)", "ours", "proved bound", "gap"]
    return {"placements": published.markdown(heads, lines)}


def main() -> None:
    """Compute, write the figure and the tables."""
    ds = compute()
    save(draw(ds), OUT)
    published.fill(__file__, lambda row: found(ds, row), tables(ds))


if __name__ == "__main__":
    main()
