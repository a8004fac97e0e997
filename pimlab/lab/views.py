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

from pimlab import units
from pimlab.analog.devices.device import Device
from pimlab.arguments import named
from pimlab.constants import Constant
from pimlab.machine.protocol import Target
from pimlab.plan import Plan
from pimlab.plot.cells import cells
from pimlab.plot.style import STAGE_COLOURS, png
from pimlab.plot.timeline import timeline
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
_LEFT = "text-align:left;padding-right:1em"
MOST = 40
"""Rows of a table that are shown; the rest are counted."""


@named
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
        (event, _amount(one.value, one), _range(one), _badge(one), ", ".join(one.sources))
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
    return "" if ends[0] == ends[1] else " to ".join(_amount(end, one) for end in ends)


def _amount(value: float, one: Constant) -> str:
    """A value in the unit of a constant; a plain number has no prefix."""
    name = units.named(one.unit)
    return si(value, name, 3) if name else f"{value:.3g}"


class _Badge(str):
    """HTML that a cell of a table holds as it is."""


def _badge(one: Constant) -> _Badge:
    return _Badge(f'<span style="color:{STATUS[one.status]}">&#9679; {escape(one.status)}</span>')


def _device(cell: Device) -> str:
    facts = [(name, value.printed, _badge(value)) for name, value in cell.facts]
    return (
        f"<b>{escape(cell.name)}</b>, {si(cell.g_min, 'S', 3)} to {si(cell.g_max, 'S', 3)}"
        + f"<br>{_image(cells(cell), 'conductances over time')}"
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
    boxes = "".join(_box(plan, machine) for machine in plan.machines)
    why = "".join(f"<li>{escape(str(line))}</li>" for line in getattr(plan, "why", ()))
    return (
        f"<b>{escape(plan.name)}</b>, batch {plan.batch}"
        + f'<div style="display:flex;flex-wrap:wrap">{boxes}</div>'
        + (f"<ul>{why}</ul>" if why else "")
        + _folded("operators", _table(("operator", "machine"), rows[:MOST]))
    )


def _box(plan: Plan, machine: Target) -> str:
    """A machine in the colour of its stage, with what runs on it."""
    names = [op.name for op in plan.operators if plan.machine(op).name == machine.name]
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return (
        f'<div style="border:2px solid {STAGE_COLOURS[machine.stage]};margin:2px;padding:4px">'
        f"<b>{escape(machine.name)}</b><br>{escape(', '.join(names[:MOST]) or 'nothing')}{more}"
        "</div>"
    )


def _answer(answer: xr.Dataset) -> str:
    try:
        first = summary(answer).to_html(border=0)
    except (ValueError, KeyError):  # a Dataset without metric, energy and latency
        first = ""
    if {"start", "finish", "utilisation"} <= set(answer.variables):
        first = f"{_image(timeline(answer), 'timeline')}{first}"
    return first + answer._repr_html_()


def _image(drawn: Any, words: str) -> str:
    data = base64.b64encode(png(drawn)).decode()
    return f'<img alt="{words}" style="max-width:100%" src="data:image/png;base64,{data}">'


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
        return now.name
    if isinstance(now, Constant):
        return f"{_amount(now.value, now)} ({now.status})"
    if isinstance(now, float) and unit:
        return si(now, unit, 4)
    text = now if isinstance(now, str) else repr(now)
    return text if len(text) <= 100 else text[:97] + "..."


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; its cells are text, or the badge of a status."""
    top = "".join(f"<th style='{_LEFT}'>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td style='{_LEFT}'>{_cell(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(cell: Any) -> str:
    return cell if isinstance(cell, _Badge) else escape(str(cell))


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
