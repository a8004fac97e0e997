"""What do the three stages do to accuracy, energy and latency of one inference? The figures of the
roadmap study.

`python papers/three-stages/make.py` writes results/three-stages/*.svg and .png, from the store that
`pimlab reproduce` fills (and goes on with it where it is not complete).
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from pimlab import plot
from pimlab.roadmap import study

STORE = Path("results") / "roadmap.zarr"
OUT = Path("results") / "three-stages"
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


def draw(ds: xr.Dataset) -> dict[str, Figure]:
    """Accuracy (or perplexity) against energy, and the energy's parts."""
    return {
        "accuracy_against_energy": plot.accuracy_against_energy(study.summary(ds)),
        "energy_breakdown": plot.energy_breakdown(ds),
    }


if __name__ == "__main__":
    for name, figure in draw(compute()).items():
        plot.save(figure, OUT / name)
