"""What does `pimlab reproduce` write? The roadmap study's store, table and figures, and a table on
the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pimlab import plot, units
from pimlab.roadmap import study


def reproduce(
    results: Path, *, quick: bool = False, workers: int | None = None, extra: Sequence[str] = ()
) -> pd.DataFrame:
    """Compute the study (going on where it was stopped), print its table, write store, CSV and
    figures below `results`.

    quick : the small size, written to `results/quick`.  extra : language models of optional
    packages, such as "smollm2-135m", that join at a size of their own (one chip, one window of
    text, two times).
    Returns the printed table. Raises as `sweep` does; ImportError says what to install for an
    extra.
    """
    size, folder = (study.QUICK, results / "quick") if quick else (study.FULL, results)
    for name in extra:
        study.load(name, size.limit(name))
    folder.mkdir(parents=True, exist_ok=True)
    ds = study.compute(size, str(folder / "roadmap.zarr"), workers=workers)
    more = [
        study.compute(
            study.EXTRA, str(folder / f"roadmap-{name}.zarr"), workloads=[name], workers=workers
        )
        for name in extra
    ]
    table = pd.concat([study.summary(one) for one in (ds, *more)], ignore_index=True)
    table.to_csv(folder / "roadmap.csv", index=False)
    explained = study.waterfall(size, str(folder / "waterfall.zarr"))
    plot.save(plot.accuracy_against_energy(table), folder / "accuracy_against_energy")
    plot.save(plot.energy_breakdown(ds), folder / "energy_breakdown")
    plot.save(plot.waterfall(explained), folder / "waterfall")
    show(table)
    print(f"wrote {folder}/roadmap.zarr, study.csv and three figures (.svg, .png)")
    return table


def show(table: pd.DataFrame) -> None:
    """Print the summary: accuracy or perplexity with interval, energy per inference with low-high,
    latency, assumed share.
    """
    from rich.console import Console
    from rich.table import Table

    view = Table(
        "workload",
        "stage",
        "target",
        "at",
        "accuracy or perplexity [95 %]",
        "energy (low - high)",
        "latency",
        "assumed",
        title="three stages: accuracy, energy and latency of one inference (one token of a "
        "language model)",
    )
    for row in table.itertuples():
        low, high = units.si(row.energy_low_J, "J"), units.si(row.energy_high_J, "J")
        view.add_row(
            row.workload,
            str(row.stage),
            row.target,
            plot.roadmap.time_text(row.at_s) if row.metric != "none" else "-",
            _quality(row),
            f"{units.si(row.energy_J, 'J')} ({low} - {high})",
            units.si(row.latency_s, "s"),
            f"{row.assumed_share:.0%}",
        )
    Console(width=150).print(view)


def _quality(row: Any) -> str:
    if row.metric == "none":
        return "absent: no weights"
    digits = ".3f" if row.metric == "accuracy" else ".2f"
    value, low, high = (
        format(getattr(row, row.metric + end), digits) for end in ("", "_low", "_high")
    )
    return f"{value} [{low}, {high}]" + (" perplexity" if row.metric == "perplexity" else "")
