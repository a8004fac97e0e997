"""What does a notebook show of a machine, a device, a model, a plan or an answer? Its parts, with
where each number comes from.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import xarray as xr

from pimlab.analog.devices.device import Device
from pimlab.constants import Constant
from pimlab.machine.protocol import Target
from pimlab.plan import Plan
from pimlab.plot.cells import cells
from pimlab.plot.style import png
from pimlab.result import summary
from pimlab.units import si
from pimlab.values import Value
from pimlab.workload import Model

# Colours work on light and on dark backgrounds: text keeps the page's own.
STATUS = {
    "published": "#2e8b57",
    "measured": "#2e8b57",
    "digitised": "#3b78b5",
    "derived": "#8a6d00",
    "assumed": "#b5483b",
}
"""Status of a constant -> colour of its badge."""
MOST = 40
"""Rows of a table that are shown; the rest are counted."""


def html(thing: Any) -> str:
    """What JupyterLab shows of a machine, a device, a model, a plan, a value or an answer: HTML,
    escaped, for light and dark pages.

    TypeError for anything else.

    >>> "warboy" in pim.lab.html(pim.target("warboy"))
    True
    """
    for kind, view in VIEWS:
        if isinstance(thing, kind):
            return f'<div class="pimlab">{view(thing)}</div>'
    raise TypeError(f"html takes a value, a model or an answer of pimlab, not {type(thing)!r}")


def _target(machine: Target) -> str:
    prices = machine.prices
    constants = {event: prices[event].constant for event in list(prices)[:MOST]}
    rows = [
        (event, si(one.value, one.unit, 3), _range(one), _badge(one), ", ".join(one.sources))
        for event, one in constants.items()
    ]
    return (
        f"<b>{escape(machine.name)}</b>, stage {machine.stage}"
        + (f", with host {escape(machine.host.name)}" if machine.host else "")
        + _folded("organisation", _fields(machine))
        + _folded("prices", _table(("event", "price", "range", "status", "source"), rows))
        + _folded("sources", escape(", ".join(machine.sources)))
    )


def _range(one: Constant) -> str:
    ends = (one.low, one.high)
    return "" if ends[0] == ends[1] else " to ".join(si(end, one.unit, 3) for end in ends)


def _badge(one: Constant) -> str:
    return f'<span style="color:{STATUS[one.status]}">&#9679; {escape(one.status)}</span>'


def _device(cell: Device) -> str:
    picture = base64.b64encode(png(cells(cell))).decode()
    facts = [(name, value.printed, _badge(value)) for name, value in cell.facts]
    return (
        f"<b>{escape(cell.name)}</b>, {si(cell.g_min, 'S', 3)} to {si(cell.g_max, 'S', 3)}"
        + f'<br><img alt="conductances over time" src="data:image/png;base64,{picture}">'
        + _folded("parts", _fields(cell))
        + _folded("facts", _table(("fact", "value", "status"), facts))
        + _folded("sources", escape(", ".join(cell.sources)))
    )


def _model(model: Model) -> str:
    rows = [(op.name, op.m, op.k, op.n, f"{op.m * op.k * op.n:,}") for op in model.mac_ops]
    shown = _table(("operator", "rows m", "inner k", "outputs n", "MACs"), rows[:MOST])
    more = f"<p>and {len(rows) - MOST} more</p>" if len(rows) > MOST else ""
    return (
        f"<b>{escape(model.name)}</b>, {len(rows)} MAC operators, {model.macs:,} MACs"
        + _folded("operators", shown + more)
        + _folded("edges", escape(", ".join(_edges(model))))
    )


def _edges(model: Model) -> list[str]:
    edges = model.graph.edges
    shown = [f"{edge.maker} -> {edge.reader}" for edge in edges[:MOST]]
    return shown + ([f"and {len(edges) - MOST} more"] if len(edges) > MOST else [])


def _plan(plan: Plan) -> str:
    rows = [(op.name, plan.machine(op).name) for op in plan.operators]
    why = "".join(f"<li>{escape(str(line))}</li>" for line in getattr(plan, "why", ()))
    return (
        f"<b>{escape(plan.name)}</b>, batch {plan.batch}"
        + (f"<ul>{why}</ul>" if why else "")
        + _folded("operators", _table(("operator", "machine"), rows[:MOST]))
    )


def _answer(answer: xr.Dataset) -> str:
    try:
        first = summary(answer).to_html(border=0)
    except (ValueError, KeyError):  # a Dataset without metric, energy and latency
        first = ""
    return first + answer._repr_html_()


def _value(value: Value) -> str:
    return f"<b>{escape(type(value).__name__)}</b>{_fields(value)}"


def _fields(value: Any) -> str:
    rows = []
    for field in dataclasses.fields(value):
        now, unit = getattr(value, field.name), field.metadata.get("unit", "")
        if field.name in ("facts", "sources", "origins", "name"):
            continue
        rows.append((field.name, _field(now, unit), field.metadata.get("doc", "")))
    return _table(("field", "value", "meaning"), rows)


def _field(now: Any, unit: str) -> str:
    if isinstance(now, Target):
        return escape(now.name)
    if isinstance(now, float) and unit:
        return escape(si(now, unit, 4))
    text = repr(now)
    return escape(text if len(text) <= 100 else text[:97] + "...")


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; cells that are HTML already begin with "<"."""
    top = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left'>{_cell(cell)}</td>" for cell in row)
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell: Any) -> str:
    text = str(cell)
    return text if text.startswith("<span") else escape(text)


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>" if inside else ""


VIEWS: tuple[tuple[type, Any], ...] = (
    (Target, _target),
    (Device, _device),
    (Model, _model),
    (Plan, _plan),
    (xr.Dataset, _answer),
    (Value, _value),
)
"""Kind -> its view; the first that fits."""
