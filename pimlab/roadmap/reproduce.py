"""What does `pimlab reproduce` write? The roadmap study's store, table and figures, and a table on
the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pimlab import plot
from pimlab.roadmap import study, tables


def reproduce(
    results: Path, *, quick: bool = False, workers: int | None = None, extra: Sequence[str] = ()
) -> pd.DataFrame:
    """Compute the study (going on where it was stopped), print its table, write store, CSV and
    figures below `results`.

    quick : the small size, written to `results/quick`.  extra : language models of optional
    packages, such as "smollm2-135m", that join at a size of their own (one chip, one window of
    text, two times).
    Returns the table of the CSV. Raises as `sweep` does; ImportError says what to install for an
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
    plot.save(plot.operating_points(table), folder / "operating_points")
    plot.save(plot.energy_breakdown(ds), folder / "energy_breakdown")
    plot.save(plot.waterfall(explained), folder / "waterfall")
    show(table)
    print(f"wrote {folder}/roadmap.zarr, roadmap.csv and three figures (.svg, .pdf, .png)")
    return table


def show(summary: pd.DataFrame) -> None:
    """Print what the study found: quality, energy at three operating points, and what of it rests
    on assumed numbers.
    """
    for title, table in (
        ("quality of each machine beside that of the float model", tables.quality(summary)),
        ("energy of an inference, or of a token of a language model", tables.energy(summary)),
        ("cheapest machine, and the share of its energy that is assumed", tables.assumed(summary)),
    ):
        print(f"\n{title}\n{table.to_string(index=False)}")
