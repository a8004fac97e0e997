"""How fast, and at how many joules a token, do cards serve the models of K-Perf? A table and a
sheet.

K-Perf names models, conditions (input and output lengths, precision) and metrics; its council has
published no form of the sheet, so this one has a row a condition and says in its first sheet where
its numbers come from: pimlab's models of the cards, not measurements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pimlab import result
from pimlab.arguments import typed
from pimlab.cluster.steps import Pricer
from pimlab.farm.abilities import counts_of, fits, rack_of, spread_of, steps_of
from pimlab.farm.offers import Offer, offer
from pimlab.farm.services import Service
from pimlab.result import Word
from pimlab.workload import load_model
from pimlab.workload.language.shape import DecoderShape

MODELS = ("llama3.1-8b", "exaone3.5-32b", "llama3.3-70b", "llama3.1-405b")
"""The models that the council of K-Perf named in December 2025."""
LENGTHS = ((128, 128), (512, 128), (2048, 128), (128, 2048), (2048, 2048))
"""Assumed (input, output) tokens: the council has published none."""
COLUMNS = {
    "cards": Word("1", "cards that share the model (tensor parallel)"),
    "ttft": Word("s", "time to the first token of a prompt that comes alone"),
    "tpot": Word("s", "time of a token of every sequence of the batch"),
    "throughput": Word("1/s", "output tokens a second of the batch, its prompts included"),
    "throughput_a_card": Word("1/s", "output tokens a second and card"),
    "joules_a_token": Word("J", "energy of an output token, prompts and static power included"),
    "power": Word("W", "mean power of the cards, servers and cooling left out"),
}
"""Variable -> unit and meaning."""


@typed
def k_perf(
    offers: Sequence[Offer | str],
    models: Sequence[str] = MODELS,
    lengths: Sequence[tuple[int, int]] = LENGTHS,
    batches: Sequence[int] = (1, 16, 64),
) -> xr.Dataset:
    """What each card does with each model, in the fewest cards of one server that hold it.

    offers : names or offers; a variant of another precision is an offer with another target.
    lengths : (input, output) tokens.  batches : sequences at once.
    Variables over `row`, with offer, model, precision, input, output, batch beside them: those of
    `COLUMNS`, joules_a_token with _low and _high. NaN where no server holds model and cache.
    Raises ValueError for lengths below 1 or beyond the model's context. Units: s, W, J a token.

    >>> table = farm.k_perf(["rngd"], ["llama3.1-8b"], [(512, 128)], [16])
    >>> bool(table.throughput[0] > 100)
    True
    """
    cards = [offer(one) if isinstance(one, str) else one for one in offers]
    rows = [
        {**_condition(one, name, into, out, batch), **_row(one, name, into, out, batch)}
        for name in models
        for one in cards
        for into, out in lengths
        for batch in batches
    ]
    keys = ("offer", "model", "precision", "input", "output", "batch")
    coords = {key: ("row", np.array([row[key] for row in rows], dtype=object)) for key in keys[:3]}
    coords |= {key: ("row", np.array([row[key] for row in rows])) for key in keys[3:]}
    values = {}
    for name in (*COLUMNS, "joules_a_token_low", "joules_a_token_high"):
        word = COLUMNS[name.removesuffix("_low").removesuffix("_high")]
        values[name] = result.variable(
            name, "row", [row[name] for row in rows], meaning=word.meaning, unit=word.unit
        )
    sources = {key for one in cards for key in one.cited}
    return result.finished(xr.Dataset(values, coords=coords), sources)


def _condition(one: Offer, model: str, into: int, out: int, batch: int) -> dict[str, Any]:
    shape = _shape(model)
    if min(into, out, batch) < 1 or into + out > shape.context:
        raise ValueError(
            f"k_perf: input={into}, output={out}, batch={batch} for {model}; allowed: 1 or more, "
            f"input and output together up to {shape.context}"
        )
    target = one.target if one.target.host is None else one.target.host
    precision = f"W{round(target.weight_bits)}A{round(target.activation_bits)}"
    return {"offer": one.name, "model": model, "precision": precision, "input": into,
            "output": out, "batch": batch}  # fmt: skip


def _shape(model: str) -> DecoderShape:
    found = getattr(load_model(model), "shape", None)
    if not isinstance(found, DecoderShape):
        raise TypeError(f"k_perf: {model!r} is no language model of a known shape")
    return found


def _row(one: Offer, model: str, into: int, out: int, batch: int) -> dict[str, float]:
    """The numbers of one row; NaN where the model does not fit into a server."""
    shape = _shape(model)
    service = Service(name=model, model=model, rate=1.0, input=into, output=out, ttft=1.0, tpot=1.0)
    for cards in counts_of(shape, one):
        pricer, chips = Pricer(shape, rack_of(one, cards)), cards * one.chips
        if fits(pricer, service, chips, batch):
            return _measured(one, pricer, service, cards, batch)
    return dict.fromkeys((*COLUMNS, "joules_a_token_low", "joules_a_token_high"), float("nan"))


def _measured(
    one: Offer, pricer: Pricer, service: Service, cards: int, batch: int
) -> dict[str, float]:
    prompt, step = steps_of(pricer, service, cards * one.chips, batch)
    seconds = batch * prompt.seconds + service.output * step.seconds
    tokens = batch * service.output
    moved = batch * (prompt.dynamic + prompt.link) + service.output * (step.dynamic + step.link)
    low, high = spread_of(one.target, pricer.shape, service)
    ends = (
        (moved * scale + cards * watts * seconds) / tokens
        for scale, watts in ((1.0, one.idle.value), (low, one.idle.low), (high, one.idle.high))
    )
    joules = dict(zip(("joules_a_token", "joules_a_token_low", "joules_a_token_high"), ends,
                      strict=True))  # fmt: skip
    return {
        "cards": float(cards),
        "ttft": prompt.seconds + step.seconds,
        "tpot": step.seconds,
        "throughput": tokens / seconds,
        "throughput_a_card": tokens / seconds / cards,
        "power": joules["joules_a_token"] * tokens / seconds,
        **joules,
    }


@typed
def write_sheet(table: xr.Dataset, path: str | Path) -> Path:
    """Write what `k_perf` returned as a workbook (.xlsx): a sheet that says what is in it, and one
    a model. ImportError says how to install openpyxl; ValueError for another kind of file.
    """
    file = Path(path)
    if file.suffix != ".xlsx":
        raise ValueError(f"write_sheet path={str(path)!r}; allowed: a name that ends in .xlsx")
    if "model" not in table.coords or "joules_a_token" not in table:
        raise TypeError("write_sheet takes what pimlab.farm.k_perf returned")
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise ImportError("write_sheet needs openpyxl: pip install pimlab[farm]") from error
    book = Workbook()
    about = book.active
    about.title = "about"
    for line in _about(table):
        about.append(line)
    for model in dict.fromkeys(table.model.values.tolist()):
        sheet = book.create_sheet(model)
        for line in _lines(table.isel(row=np.flatnonzero(table.model.values == model))):
            sheet.append(line)
        sheet.freeze_panes = "A2"
    file.parent.mkdir(parents=True, exist_ok=True)
    book.save(file)
    return file


def _about(table: xr.Dataset) -> Iterator[list[str]]:
    yield ["K-Perf conditions, computed"]
    yield ["Every number is computed by pimlab from its models of the cards; none is measured."]
    yield ["column", "unit", "meaning"]
    for name in table.data_vars:
        yield [str(name), table[name].attrs.get("units", ""), table[name].attrs["long_name"]]
    yield ["sources", "", str(table.attrs.get("sources", ""))]


def _lines(rows: xr.Dataset) -> Iterator[list[Any]]:
    keys = ["offer", "precision", "input", "output", "batch"]
    names = [str(name) for name in rows.data_vars]
    yield [*keys, *(f"{name} ({rows[name].attrs.get('units', '1')})" for name in names)]
    for i in range(rows.sizes["row"]):
        one = rows.isel(row=i)
        numbers = [float(one[name]) for name in names]
        shown = [None if np.isnan(number) else number for number in numbers]
        yield [*(one[key].item() for key in keys), *shown]
