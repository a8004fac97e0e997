"""What does `pimlab reproduce` write? The roadmap study's store, table and figures, and a table on the screen."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pimlab import plot, units
from pimlab.studies import roadmap


def reproduce(results: Path, *, quick: bool = False, workers: int | None = None) -> pd.DataFrame:
    """Compute the study (going on where it was stopped), print its table, write store, CSV and figures below `results`.

    quick : the small size, written to `results/quick`. Returns the printed table. Raises as `sweep` does.
    """
    size, folder = (roadmap.QUICK, results / "quick") if quick else (roadmap.FULL, results)
    folder.mkdir(parents=True, exist_ok=True)
    ds = roadmap.compute(size, str(folder / "roadmap.zarr"), workers=workers)
    table = roadmap.summary(ds)
    table.to_csv(folder / "roadmap.csv", index=False)
    explained = roadmap.waterfall(size, str(folder / "waterfall.zarr"))
    plot.save(plot.accuracy_against_energy(table), folder / "accuracy_against_energy")
    plot.save(plot.energy_breakdown(ds), folder / "energy_breakdown")
    plot.save(plot.waterfall(explained), folder / "waterfall")
    show(table)
    print(f"wrote {folder}/roadmap.zarr, roadmap.csv and three figures (.svg, .png)")
    return table


def show(table: pd.DataFrame) -> None:
    """Print the summary: accuracy with interval, energy per inference with low-high, latency, assumed share."""
    from rich.console import Console
    from rich.table import Table

    view = Table("workload", "stage", "target", "at", "accuracy [95 %]", "energy/inference (low - high)", "latency", "assumed",
                 title="three stages: accuracy, energy and latency of one inference")  # fmt: skip
    for row in table.itertuples():
        low, high = units.si(row.energy_low_J, "J"), units.si(row.energy_high_J, "J")
        view.add_row(
            row.workload, str(row.stage), row.target, plot.roadmap.time_text(row.at_s),
            f"{row.accuracy:.3f} [{row.accuracy_low:.3f}, {row.accuracy_high:.3f}]", f"{units.si(row.energy_J, 'J')} ({low} - {high})",
            units.si(row.latency_s, "s"), f"{row.assumed_share:.0%}",
        )  # fmt: skip
    Console(width=150).print(view)
