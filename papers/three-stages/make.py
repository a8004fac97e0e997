"""What do the three stages do to accuracy, energy and latency of one inference? The figures of the
roadmap study.

`python papers/three-stages/make.py` writes the figures and the tables of README.md, from the store
that `pimlab reproduce` fills (and goes on with it where it is not complete).
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from pimlab import plot, units
from pimlab.roadmap import study
from pimlab.studies.published import Row, fill, markdown

STORE = Path("results") / "roadmap.zarr"
OUT = Path(__file__).parent
SMALLEST = study.Size(
    samples=50, files=4, windows=1, seeds=2, explained=50, chips=2, times=("0 s", "1 year")
)
ONE_CHIP = ("fashion-cnn", "digits-mlp", "cancer-mlp", "small-lm")
"""Workloads that the 64 cores of one HERMES chip hold."""


def compute(quick: bool = False) -> xr.Dataset:
    """The roadmap study: metrics (workload, target, seed, at), energy (workload, target, seed,
    component), latency.
    """
    if quick:
        return study.compute(SMALLEST, progress=False)
    STORE.parent.mkdir(parents=True, exist_ok=True)
    return study.compute(store=str(STORE))


def reached(ds: xr.Dataset) -> dict[tuple[str, str], float]:
    """(quantity, condition) -> the largest value that any workload reaches, to hold against the
    published bounds.
    """
    operations = 2 * ds.macs.isel(seed=0)
    rate, efficiency = (
        operations / ds.latency.max("seed"),
        operations / ds.energy.sum("component").max("seed"),
    )
    weights = study.load("llama2-7b", 1)[0]
    held = sum(
        op.groups * op.k * op.n for op in weights.mac_ops if op.kind == "weights" or op.cached
    )
    return {
        ("rate", "warboy"): float(rate.sel(target="warboy").max()),
        ("rate", "pcm-hermes one chip"): float(
            rate.sel(target="pcm-hermes", workload=list(ONE_CHIP)).max()
        ),
        ("efficiency", "pcm-hermes"): float(efficiency.sel(target="pcm-hermes").max()),
        ("weight and cache bytes a second", "warboy"): held
        / float(ds.latency.sel(target="warboy", workload="llama2-7b").max()),
    }


def found(ds: xr.Dataset, row: Row) -> float:
    """The largest value of any workload, to hold against a published bound of targets.csv."""
    return reached(ds)[row.quantity, row.condition]


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Metric, energy and latency by workload, machine and time, each with its interval."""
    lines = []
    for row in study.summary(ds).to_dict("records"):
        name = row["metric"]
        quality = (
            [f"{row[name + end]:.3g}" for end in ("", "_low", "_high")] if name != "none" else []
        )
        energy = [units.si(row[f"energy{end}_J"], "J") for end in ("", "_low", "_high")]
        lines.append(
            [
                row["workload"],
                row["target"],
                units.si(row["at_s"], "s") if quality else "",
                "{} ({} to {})".format(*quality) if quality else "",
                "{} ({} to {})".format(*energy),
                units.si(row["latency_s"], "s"),
                f"{row['assumed_share']:.0%}",
            ]
        )
    heads = ["workload", "machine", "at", "accuracy or perplexity", "energy", "latency", "assumed"]
    return {"summary": markdown(heads, lines)}


def draw(ds: xr.Dataset) -> dict[str, Figure]:
    """Accuracy (or perplexity) against energy, and the energy's parts."""
    return {
        "accuracy_against_energy": plot.accuracy_against_energy(study.summary(ds)),
        "energy_breakdown": plot.energy_breakdown(ds),
    }


if __name__ == "__main__":
    answer = compute()
    for name, figure in draw(answer).items():
        plot.save(figure, OUT / name)
    fill(__file__, lambda row: found(answer, row), tables(answer))
