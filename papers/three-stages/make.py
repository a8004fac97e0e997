"""What do the three stages do to accuracy, energy and latency, when one request comes, when few
come, and when they never stop? The figures of the roadmap study.

`python papers/three-stages/make.py` writes the figures and the tables of README.md, from the store
that `pimlab reproduce` fills (and goes on with it where it is not complete).
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from pimlab import plot
from pimlab.roadmap import study
from pimlab.roadmap import tables as read
from pimlab.studies.published import Row, fill, markdown

STORE = Path("results") / "roadmap.zarr"
OUT = Path(__file__).parent
SMALLEST = study.Size(
    samples=20, files=2, windows=1, seeds=1, explained=20, chips=2, times=("0 s", "1 year")
)
ONE_CHIP = ("fashion-cnn", "digits-mlp", "cancer-mlp", "small-lm")
"""Workloads that the 64 cores of one HERMES chip hold."""


def compute(quick: bool = False) -> xr.Dataset:
    """The roadmap study: metrics (workload, target, seed, at), energy (workload, target, seed,
    traffic, component), latency and rate (workload, target, seed, traffic).
    """
    if quick:
        return study.compute(SMALLEST, progress=False)
    STORE.parent.mkdir(parents=True, exist_ok=True)
    return study.compute(store=str(STORE))


def reached(ds: xr.Dataset) -> dict[tuple[str, str], float]:
    """(quantity, condition) -> the largest value that any workload reaches at any operating point,
    to hold against the published bounds.
    """
    operations = 2 * ds.macs.isel(seed=0)
    rate = operations * ds.rate.min("seed").max("traffic")
    efficiency = operations / ds.energy.sum("component").max("seed").min("traffic")
    weights = study.load("llama2-7b", 1)[0]
    held = sum(
        op.groups * op.k * op.n for op in weights.mac_ops if op.kind == "weights" or op.cached
    )
    tokens = ds.rate.sel(target="warboy", workload="llama2-7b").min("seed").max("traffic")
    return {
        ("rate", "warboy"): float(rate.sel(target="warboy").max()),
        ("rate", "pcm-hermes one chip"): float(
            rate.sel(target="pcm-hermes", workload=list(ONE_CHIP)).max()
        ),
        ("efficiency", "pcm-hermes"): float(efficiency.sel(target="pcm-hermes").max()),
        ("weight and cache bytes a second", "warboy"): held * float(tokens),
    }


def found(ds: xr.Dataset, row: Row) -> float:
    """The largest value of any workload, to hold against a published bound of targets.csv."""
    return reached(ds)[row.quantity, row.condition]


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Quality by workload, machine and time; energy at the three operating points; and what of it
    rests on assumed numbers.
    """
    found = study.summary(ds)
    kinds = {"quality": read.quality, "energy": read.energy, "assumed": read.assumed}
    made = {name: table(found) for name, table in kinds.items()}
    return {name: markdown(table.columns, read.texts(table)) for name, table in made.items()}


def draw(ds: xr.Dataset) -> dict[str, Figure]:
    """Quality and energy at three operating points, and the energy's parts."""
    return {
        "operating_points": plot.operating_points(study.summary(ds)),
        "energy_breakdown": plot.energy_breakdown(ds),
    }


if __name__ == "__main__":
    answer = compute()
    for name, figure in draw(answer).items():
        plot.save(figure, OUT / name)
    fill(__file__, lambda row: found(answer, row), tables(answer))
