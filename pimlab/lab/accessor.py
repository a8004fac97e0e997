"""What can an answer do by itself? `answer.pim.plot()`, `.summary()`, `.table()`, `.cite()`.

The accessor is registered with xarray as soon as pimlab is used, which may be while a room is half
imported: rooms are imported where they are used. It holds no state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import xarray as xr


@xr.register_dataset_accessor("pim")
class Answer:
    """`answer.pim` of a Dataset that pimlab made."""

    def __init__(self, answer: xr.Dataset):
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        """AttributeError for a misspelt name, with the nearest. No unit."""
        from pimlab.values import nearest

        known = [one for one in dir(type(self)) if not one.startswith("_")]
        raise AttributeError(f"an answer's .pim has no {name!r}{nearest(name, known)}")

    def summary(self) -> pd.DataFrame:
        """The table to read first: see `pimlab.summary`."""
        from pimlab import result

        return result.summary(self._answer)

    def table(self) -> pd.DataFrame:
        """Energy (J), latency (s) and MACs by layer, as far as the answer has them, energies summed
        over components; a row for each layer at each time, seed and swept value. An answer without
        layers gives each of its numbers a row of its own, as `pimlab.interchange.table` does.
        ValueError for what has no number.
        """
        if "layer" not in self._answer.dims:
            from pimlab.interchange import table

            return table(self._answer)
        kept = {}
        for name in ("executor", "macs", "energy", "energy_low", "energy_high", "latency"):
            if name in self._answer.variables and "layer" in self._answer[name].dims:
                one = self._answer[name].reset_coords(drop=True)
                kept[name] = one.sum("component") if "component" in one.dims else one
        found = xr.Dataset(kept)
        return found.to_dataframe(["layer", *(dim for dim in found.dims if dim != "layer")])

    def cite(self) -> str:
        """BibTeX of every published number behind the answer: see `pimlab.cite`."""
        from pimlab.studies import cite

        return cite(self._answer)

    def plot(self) -> Any:
        """The figure of this kind of answer: timeline of a schedule, energy against rate, waterfall
        of an explanation, waits of requests, drift, a swept metric, roofline, life, farm, designs,
        or joules by component. ValueError for what has none.
        """
        for fits, draw in _figures():
            if fits(self._answer):
                return draw(self._answer)
        raise ValueError(
            "no figure fits this Dataset; those that have one: what run, compare, explain, sweep, "
            "schedule, energy_at, operating_points, compare_results, decisive, serve, "
            "service_life, device_spec_map, npu.roofline and provision answer"
        )


def _figures() -> tuple[tuple[Callable[[xr.Dataset], bool], Callable[[xr.Dataset], Any]], ...]:
    """(whether it fits, what draws it) of each kind of answer."""
    from pimlab import plot, result

    def has(*names: str) -> Callable[[xr.Dataset], bool]:
        return lambda ds: all(name in ds.variables or name in ds.dims for name in names)

    return (
        (has("start", "finish", "utilisation"), plot.timeline),
        (has("rate", "state", "energy"), _against_rate),
        (has("energy_change"), plot.differences),
        (has("moved", "reorders"), plot.prices),
        (lambda ds: any(str(n).endswith("_shapley") for n in ds.data_vars), plot.causes),
        (has("step"), lambda ds: plot.waterfall(ds, result.metrics(ds)[0])),
        (has("ttft", "tpot", "ttft_percentile"), plot.latencies),
        (has("token_energy", "rate", "tpot_bound"), plot.cost_against_slo),
        (has("tried_rate", "attainment"), lambda ds: plot.goodput_against_rate({"service": ds})),
        (has("kept", "exact", "window", "drift"), plot.spec_map),
        (has("life_energy", "spent_on"), plot.life),
        (has("intensity", "attainable", "achieved"), plot.roofline),
        (has("cards", "offer", "cloud", "period"), plot.farm),
        (has("share", "carried", "stage", "period"), plot.stage_shares),
        (lambda ds: "at" in ds.dims and bool(result.metrics(ds)), _over_time),
        (has("design", "energy"), plot.designs),
        (_of_swept_numbers, plot.swept),
        (has("component", "energy"), plot.breakdown),
    )


def _of_swept_numbers(ds: xr.Dataset) -> bool:
    from pimlab import result
    from pimlab.plot.swept import swept_numbers

    return any(swept_numbers(ds, metric) for metric in result.metrics(ds))


def _over_time(ds: xr.Dataset) -> Any:
    """Metric against time, a line a value of the first dimension that is neither time nor seed."""
    from pimlab import plot, result

    metric = result.metrics(ds)[0]
    others = [str(dim) for dim in ds[metric].dims if dim not in ("at", "seed")]
    return plot.drift(ds, others[0] if others else None, metric)


def _against_rate(ds: xr.Dataset) -> Any:
    from pimlab import plot

    return plot.energy_against_rate({str(ds.attrs.get("target", "machine")): ds})
