"""How does a table become samples and labels? One row a sample, one column the label, the others
the inputs in their order.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pimlab.workload.data import Data
from pimlab.workload.files import DataError

SUFFIXES = (".csv", ".parquet")
"""Files that are read as tables."""
LABELS = ("label", "labels", "target", "class", "y")
"""What the column of labels may be called, in any case of letters."""


def load_table(path: str | os.PathLike[str], limit: int | None = None) -> Data:
    """Data of a .csv file with a line of names, or of a .parquet file (which needs pyarrow).

    Whole numbers as labels are classes, judged by "accuracy", others are numbers, by "rmse".
    Raises DataError for a file that is not there or no table, and names the column that holds no
    numbers, or that there is no label.
    """
    place = Path(path)
    table = _read(place)
    found = [name for name in table.columns if str(name).lower() in LABELS]
    if len(found) != 1:
        raise DataError(
            f"{place}: columns {found or list(map(str, table.columns))!r:.120} hold the labels; "
            f"allowed: one column called {', '.join(LABELS)}"
        )
    inputs = table.drop(columns=found)
    for name in inputs.columns:
        if inputs[name].dtype.kind not in "biuf":
            raise DataError(f"{place}: column {str(name)!r} holds text; allowed: numbers")
    labels = table[found[0]].to_numpy()
    whole = labels.dtype.kind not in "f" or bool((labels % 1 == 0).all())
    metric = "accuracy" if whole else "rmse"
    data = Data(inputs.to_numpy(), labels, name=place.stem, metric=metric)
    return data if limit is None else data[:limit]


def _read(place: Path) -> Any:
    import pandas as pd

    try:
        if place.suffix == ".csv":
            return pd.read_csv(place)
        return pd.read_parquet(place)
    except FileNotFoundError:
        raise DataError(f"{place}: there is no such file") from None
    except ImportError as error:
        raise DataError(f"{place}: a .parquet file needs pyarrow: pip install pyarrow") from error
    except (OSError, ValueError) as error:  # pandas' errors of parsing are ValueErrors
        raise DataError(f"{place} is no table ({error})") from error
