"""How many ADC bits does a network need, by how its weights are mapped and by the cell that holds
them?

`python papers/accuracy-against-converters/make.py` writes results/accuracy-against-converters.svg
and .png under the current directory.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab.analog import Slices
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("accuracy-against-converters")
TARGETS = Path(__file__).with_name("targets.csv")
MAPPINGS = {
    "differential": {"coding": "differential"},
    "differential, 2-bit slices": {"coding": "differential", "slices": Slices(bits=8, per_cell=2)},
    "offset": {"coding": "offset"},
    "offset, 2-bit slices": {"coding": "offset", "slices": Slices(bits=8, per_cell=2)},
}
CELLS = {"ideal cell": "ideal", "SONOS": "sonos-agrawal2022", "PCM": "pcm-joshi2020"}

WITHIN = 0.01
"""Accuracy that may be missing where a resolution counts as enough."""


def machine(mapping: str, cell: str, bits: int) -> pim.Crossbar:
    """Arrays of 256 x 256, 8-bit inputs, an ADC of `bits` bits whose range is the largest sum of
    the calibration rows.
    """
    return pim.Crossbar(
        name=mapping,
        cell=pim.device(CELLS[cell]),
        dac=pim.DAC(bits=8),
        adc=pim.ADC(bits=bits),
        **MAPPINGS[mapping],
    )


def compute(quick: bool = False) -> xr.Dataset:
    """Dataset of the accuracy over `cell`, `mapping`, `bits` and `seed`; quick takes fewer images,
    cells, mappings and bits.
    """
    model = pim.load_model("fashion-cnn")
    data = pim.load_data("fashion-mnist", split="test", limit=50 if quick else 500)

    @pim.study
    def accuracy(cell: str, mapping: str, bits: int, seed: int) -> xr.Dataset:
        return pim.run(model, machine(mapping, cell, bits), data, seed=seed)[["accuracy"]]

    bits, cells = (
        ([6, 10], ["ideal cell", "PCM"]) if quick else ([3, 4, 5, 6, 7, 8, 10], list(CELLS))
    )
    ds = pim.sweep(
        accuracy,
        cell=cells,
        mapping=list(MAPPINGS)[: 3 if quick else 4],
        bits=bits,
        seed=range(1 if quick else 3),
        progress=False,
    )
    software = float(pim.run(model, pim.Crossbar(), data).accuracy)
    enough = (ds.accuracy.mean("seed") >= software - WITHIN).sortby("bits")
    needed = xr.where(enough.any("bits"), enough.bits.where(enough).min("bits"), np.inf)
    return ds.assign(
        software=((), software, {"units": "1"}), needed=needed.assign_attrs(units="bits")
    )


def found(ds: xr.Dataset, row: Row) -> float | None:
    """Ours for a row of targets.csv; None for differences of few images, which are judged at the
    full size.
    """
    if row.quantity == "most bits for a proportional sum":
        return float(ds.needed.sel(cell="ideal cell", mapping="differential"))
    if ds.attrs["samples"] < 500:
        return None
    cell, bits = row.condition.removesuffix(" bits").split(" and ")
    other = "differential, 2-bit slices" if "sliced" in row.quantity else "offset"
    accuracy = ds.accuracy.sel(cell=cell, bits=int(bits)).mean("seed")
    return float(accuracy.sel(mapping="differential") - accuracy.sel(mapping=other))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """Accuracy (%) by cell, mapping and ADC bits, mean over the seeds."""
    mean = 100 * ds.accuracy.mean("seed")
    head = ["cell", "mapping", *(f"{bits} bits" for bits in ds.bits.values)]
    lines = [
        [cell, mapping, *(f"{value:.1f}" for value in mean.sel(cell=cell, mapping=mapping).values)]
        for cell in ds.cell.values
        for mapping in ds.mapping.values
    ]
    return {"accuracy": markdown(head, lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """One panel a cell: accuracy against ADC bits, a line a mapping."""
    fig = figure(70)
    titles = {
        "ideal cell": "A pair's difference needs 6 bits,\nan offset sum 10",
        "SONOS": "Cells whose error shrinks with their\nconductance add next to nothing",
        "PCM": "Noisy cells: slices do not help pairs,\nan offset is lost in its own noise",
    }
    panels = np.atleast_1d(fig.subplots(1, ds.sizes["cell"], sharey=True))
    for axes, cell in zip(panels, ds.cell.values, strict=True):
        axes.axhline(100 * float(ds.software), color="0.5", ls=":", label="floating point")
        for colour, mapping in zip(PARTS, ds.mapping.values, strict=False):
            one = 100 * ds.accuracy.sel(cell=cell, mapping=mapping)
            axes.fill_between(
                ds.bits, one.min("seed"), one.max("seed"), color=colour, alpha=0.25, lw=0
            )
            axes.plot(
                ds.bits,
                one.mean("seed"),
                "s--" if "slices" in str(mapping) else "o-",
                color=colour,
                label=str(mapping),
            )
        axes.set(xlabel="ADC bits", title=f"{cell}\n{titles[str(cell)]}", xticks=ds.bits.values)
    panels[0].set(ylabel=f"accuracy on {int(ds.attrs['samples'])} images (%)", ylim=(0, 100))
    panels[0].fill_between(
        [], [], [], color="0.5", alpha=0.25, lw=0, label=f"range over {ds.sizes['seed']} seeds"
    )
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
