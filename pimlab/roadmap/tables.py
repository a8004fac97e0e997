"""What did the roadmap study find, in tables to read? Quality, energy at three operating points,
and how much of it rests on assumed numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from pimlab import units
from pimlab.plot.stages import time_text
from pimlab.studies.operating import FULL, ONE, TRAFFIC

KEYS = ["workload", "target"]


def quality(summary: pd.DataFrame) -> pd.DataFrame:
    """A row a workload, machine and time: the metric with its 95 % interval beside that of the
    float model.

    summary : the table of `study.summary`. Workloads that no metric scores have no row.
    """
    rows = []
    for row in summary[summary.traffic == ONE].itertuples():
        if row.metric == "none":
            continue
        value, low, high = (getattr(row, row.metric + end) for end in ("", "_low", "_high"))
        rows.append(
            {
                "workload": row.workload,
                "machine": row.target,
                "after": time_text(row.at_s),
                "metric": row.metric,
                "float": f"{getattr(row, row.metric + '_exact'):.3g}",
                "on the machine": f"{value:.3g} ({low:.3g} to {high:.3g})",
            }
        )
    return pd.DataFrame(rows)


def energy(summary: pd.DataFrame) -> pd.DataFrame:
    """A row a workload and machine: chips, energy without static power and at each operating point
    with its low and high, latency alone and rate at saturation. Units: J and s.
    """
    rows = []
    for (name, target), one in _first(summary).groupby(KEYS, sort=False):
        at = {row.traffic: row for row in one.itertuples()}
        rows.append(
            {
                "workload": name,
                "machine": target,
                "chips": f"{at[ONE].chips:,}",
                "dynamic": units.si(at[ONE].dynamic_J, "J"),
                **{traffic: _interval(at[traffic]) for traffic in TRAFFIC},
                "latency": units.si(at[ONE].latency_s, "s"),
                "rate": units.si(at[FULL].rate_Hz, "Hz"),
            }
        )
    return pd.DataFrame(rows)


def assumed(summary: pd.DataFrame) -> pd.DataFrame:
    """A row a workload: the machine of least nominal energy at each operating point, and the share
    of its energy that rests on assumed numbers; then the mean share of all machines.
    """
    first = _first(summary)
    rows = []
    for name, one in first.groupby("workload", sort=False):
        least = {t: _least(one[one.traffic == t]) for t in TRAFFIC}
        shown = {t: f"{row.target}, {row.assumed_share:.0%}" for t, row in least.items()}
        rows.append({"workload": name, **shown})
    mean = first.groupby("traffic").assumed_share.mean()
    every = {traffic: f"{mean[traffic]:.0%}" for traffic in TRAFFIC}
    return pd.DataFrame([*rows, {"workload": "mean of all workloads and machines", **every}])


def texts(table: pd.DataFrame) -> Iterable[list[str]]:
    """The cells of a table, row by row."""
    return table.astype(str).to_numpy().tolist()


def _first(summary: pd.DataFrame) -> pd.DataFrame:
    """The rows of each machine's first time: time changes no energy but that of cells."""
    return summary[summary.at_s == summary.at_s.min()]


def _least(rows: pd.DataFrame):
    return rows.loc[rows.energy_J.idxmin()]


def _interval(row) -> str:
    middle, low, high = (
        units.si(one, "J") for one in (row.energy_J, row.energy_low_J, row.energy_high_J)
    )
    return f"{middle} ({low} to {high})"
