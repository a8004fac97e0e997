"""Which pages of the documentation are computed? Catalogue, papers, notebooks and API: nothing of
them is typed by hand.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pimlab import catalogue, units
from pimlab.catalogue import bibliography
from pimlab.studies import papers, published
from pimlab.values import Value

ROOT = Path(__file__).parents[1]
API = {
    "pimlab": "The names most users need",
    "pimlab.workload": "Models, data and metrics",
    "pimlab.formats": "Number formats",
    "pimlab.npu": "Stage 1: NPUs",
    "pimlab.dram_pim": "Stage 2: processing in DRAM",
    "pimlab.analog": "Stage 3: analog memory",
    "pimlab.plan": "Plans: which machine runs which operator",
    "pimlab.schedule": "Schedules: a plan in time",
    "pimlab.cluster": "Many chips",
    "pimlab.serving": "Serving requests",
    "pimlab.farm": "Farms",
    "pimlab.studies": "Studies: run, sweep, explain, cite",
    "pimlab.cost": "Events and prices",
    "pimlab.catalogue": "The catalogue",
    "pimlab.interchange": "Tables, machines and models for other programs",
    "pimlab.plot": "Figures",
    "pimlab.lab": "Exploring in JupyterLab",
}
"""Room -> title of its page."""
KINDS = {
    "npu": "NPUs and GPUs",
    "pim": "DRAM with processing",
    "dram": "DRAM timing",
    "currents": "DRAM currents (IDD)",
    "systems": "Systems of PIM devices",
    "analog": "Analog chips",
    "devices": "Memory cells, for inference",
    "updates": "Memory cells, for training",
    "passes": "Reads of whole arrays, for training",
    "energy": "Energy of an operation",
    "links": "Links",
    "networks": "Measured networks",
    "shapes": "Language models by shape",
    "power": "Power states",
    "technology": "Scaling of technology",
    "offers": "What a farm can buy",
    "farm": "Prices and rules of a farm",
}
"""Room of the catalogue -> title of its page."""


def write(out: Path) -> None:
    """Write every computed page below `out`; a page that would not change is not touched."""
    pages = {
        **_catalogue(),
        **_papers(),
        **_api(),
        **_scores(),
    }
    for name, text in pages.items():
        _keep(out / name, text)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        _keep(out / "notebooks" / notebook.name, notebook.read_text())
    _keep(out / "notebooks" / "index.md", _notebooks())
    known = {out / name for name in pages} | {
        out / "notebooks" / path.name for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    for old in out.rglob("*.*"):
        if old.suffix in (".md", ".rst", ".ipynb") and old not in known and old.name != "index.md":
            old.unlink()


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


# --- the catalogue ---------------------------------------------------------------------------


def _catalogue() -> dict[str, str]:
    made = {}
    for kind in catalogue.kinds():
        title = KINDS.get(kind, kind)
        names = catalogue.names(kind)
        entries = {name: catalogue.entry(kind, name) for name in names}
        blocks = [f"# {title}\n\nThe files `pimlab/catalogue/{kind}/`. {_legend()}\n"]
        blocks += [_entry(name, entries[name]) for name in names]
        made[f"catalogue/{kind}.md"] = "\n".join(blocks)
    listing = "\n".join(
        f"| [{KINDS.get(kind, kind)}]({kind}.md) | {len(catalogue.names(kind))} |"
        f" {', '.join(f'`{name}`' for name in catalogue.names(kind))} |"
        for kind in catalogue.kinds()
    )
    tree = "\n".join(catalogue.kinds())
    made["catalogue/index.md"] = (
        "# Catalogue\n\nEvery constant that a result rests on, with its range, its status and its"
        f" source.\n\n| room | files | names |\n|---|---|---|\n{listing}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{tree}\nsources\n```\n"
    )
    made["catalogue/sources.md"] = _sources()
    return made


def _legend() -> str:
    return (
        "Status: *published*, read in the source; *digitised*, read off its figure; *derived*,"
        " computed from others by the rule given; *assumed*, nobody published it."
    )


def _entry(name: str, entry: catalogue.Entry) -> str:
    title = entry.meta.get("title", name)
    rows = [
        "| constant | value | range | status | source | where, or why |",
        "|---|---|---|---|---|---|",
    ]
    for key, constant in entry.items():
        ends = (constant.low, constant.high)
        span = "" if ends[0] == ends[1] else " to ".join(_like(constant, end) for end in ends)
        why = " ".join(x for x in (constant.where, constant.reason) if x)
        cited = ", ".join(f"[{key}](sources.md#{_anchor(key)})" for key in constant.sources)
        rows.append(
            f"| `{key}` | {_cell(constant.printed)} | {_cell(span)} |"
            f" {constant.status} | {cited} | {_cell(why)} |"
        )
    return f"## {name}\n\n{_cell(title)}\n\n" + "\n".join(rows) + "\n"


def _like(constant: Any, value: float) -> str:
    """A value of the constant, in the unit of its source."""
    number, _, unit = str(constant.printed).partition(" ")
    try:
        shown = float(number) * value / constant.value
    except (ValueError, ZeroDivisionError):
        return units.si(value, constant.unit, 4)
    return f"{shown:.4g} {unit}".strip()


def _anchor(key: str) -> str:
    return re.sub(r"[^a-z0-9-]", "", key.lower().replace(" ", "-"))


def _cell(text: str) -> str:
    """Text as it stands in one cell of a table."""
    text = re.sub(r"\s+", " ", str(text)).strip()
    return re.sub(r"([\\`*_{}\[\]<>$|#])", r"\\\1", text)


def _sources() -> str:
    parts = [
        "# Sources\n\nThe bibliography of the catalogue; `pim.cite(result)` prints it as BibTeX.\n"
    ]
    for key, fields in sorted(bibliography.sources().items()):
        parts.append(f"## {key}\n\n{_reference(fields)}\n")
    return "\n".join(parts)


def _reference(fields: Any) -> str:
    authors, title = fields.get("author", ""), fields.get("title", "")
    place = fields.get("journal") or fields.get("booktitle") or fields.get("howpublished", "")
    cells = [_cell(authors.replace(" and ", ", ")), f"*{_cell(title)}*", _cell(place)]
    cells += [_cell(fields.get(word, "")) for word in ("volume", "pages", "year", "note")]
    link = f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url", "")
    return ", ".join(x for x in cells if x) + "." + (f" <{link}>" if link else "")


# --- papers ----------------------------------------------------------------------------------


def _paper_folders() -> list[Path]:
    return sorted(path.parent for path in (ROOT / "papers").glob("*/make.py"))


def _papers() -> dict[str, str]:
    """A page a paper: its README with its figure."""
    made = {}
    for folder in _paper_folders():
        text = re.sub(r"<!--.*?-->\n?", "", (folder / "README.md").read_text(), flags=re.DOTALL)
        for name in re.findall(r"\]\(([\w.-]+\.(?:svg|png))\)", text):
            target = ROOT / "docs" / "generated" / "papers" / folder.name / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target)
            text = text.replace(f"]({name})", f"]({folder.name}/{name})")
        made[f"papers/{folder.name}.md"] = text
    tree = "\n".join(folder.name for folder in _paper_folders())
    made["papers/index.md"] = (
        "# Papers\n\nPublished figures and numbers, computed again. `python papers/NAME/make.py`"
        " computes a page's numbers and draws its figure; the tests compare them with what was"
        f" printed.\n\n```{{toctree}}\n:maxdepth: 1\n\n../scores\n{tree}\n```\n"
    )
    return made


def _scores() -> dict[str, str]:
    """Every published number beside ours, and how many of each role are within their tolerance."""
    table = papers.scores()
    counts = [
        f"| {role} | {row.rows} | {'' if role == 'context' else row.within} |"
        f" {published.ROLES[str(role)]} |"
        for role, row in papers.tally(table).iterrows()
    ]
    parts = [
        "# Published numbers\n\nWhat papers print beside what pimlab computes, as `make papers`"
        " left it. *Within* says whether ours is within the tolerance that the row states.\n",
        "| role | numbers | within | what agreement means |\n|---|---|---|---|",
        "\n".join(counts) + "\n",
    ]
    for name, some in table.groupby("paper"):
        parts.append(f"## {name}\n\n[The page of this paper](papers/{name}.md).\n")
        parts.append("| quantity | condition | published | ours | miss | allowed | role | within |")
        parts.append("|---|---|---|---|---|---|---|---|")
        parts += [_score(row) for _, row in some.iterrows()]
        parts.append("")
    return {"scores.md": "\n".join(parts)}


def _score(row: Any) -> str:
    met = {True: "yes", False: "no"}.get(row.within, "")
    cells = (row.quantity, row.condition, row.published, row.ours, row.miss, row.allowed, row.role)
    return "| " + " | ".join([*(_cell(cell) for cell in cells), met]) + " |"


def _notebooks() -> str:
    tree = "\n".join(path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb")))
    return (
        "# Notebooks\n\nThey run top to bottom; `make lab` opens them.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{tree}\n```\n"
    )


# --- API -------------------------------------------------------------------------------------


def _api() -> dict[str, str]:
    made, rooms = {}, []
    for room, title in API.items():
        try:
            module = importlib.import_module(room)
        except ModuleNotFoundError:
            continue
        rooms.append(room)
        made[f"api/{room}.rst"] = _room(room, title, module)
    tree = "\n".join(f"   {room}" for room in rooms)
    made["api/index.rst"] = (
        "Reference\n=========\n\nWritten from the code. Arrays have shape, dtype and unit."
        ' Numbers in memory are SI;\nconstructors also take text such as ``"25 uS"``.\n\n'
        f".. toctree::\n   :maxdepth: 1\n\n{tree}\n"
    )
    return made


def _room(room: str, title: str, module: Any) -> str:
    head = f"{room}: {title}"
    question = _rst((module.__doc__ or "").splitlines())
    lines = [head, "=" * len(head), "", *question, "", f".. currentmodule:: {room}", ""]
    for name in sorted(module.__all__, key=str.lower):
        thing = getattr(module, name)
        if name.startswith("__") or type(thing).__name__ == "module":
            continue
        if isinstance(thing, type):
            again = ["   :no-index:"] if room == "pimlab" else []  # its room's page has it
            lines += [f".. autoclass:: {name}", "   :members:", *again, ""]
        elif callable(thing):
            lines += [f".. autofunction:: {name}", ""]
        else:
            lines += [f".. autodata:: {name}", "   :no-value:", ""]
    return "\n".join(lines) + "\n"


def skipped(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Whether a member is left out: fields of values stand in a table of their own."""
    return True if name.startswith("_") else None


def docstring(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring, plain sentences, into reStructuredText; add the table of a value."""
    lines[:] = _rst(lines)
    if what == "class" and isinstance(thing, type) and issubclass(thing, Value):
        lines += ["", *_fields(thing)]


PARAMETER = re.compile(r"(?:^|(?<=;  ))((?:\*{0,2}\w+, )*\*{0,2}\w+) : ")


def _rst(lines: Iterable[str]) -> list[str]:
    done: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        if not block.strip():
            continue
        if block.lstrip().startswith(">>>"):
            done += [*block.splitlines(), ""]
        else:
            done += [*_paragraph(block), ""]
    return done


def _paragraph(block: str) -> list[str]:
    """Running text; "name : what it is" becomes an item of a list."""
    text, items = [], []
    for line in block.splitlines():
        pieces = re.split(r";  (?=\w+(?:, \w+)* : )", line.strip())
        for piece in pieces:
            found = PARAMETER.match(piece)
            if found:
                items.append([found[1], piece[found.end() :]])
            elif items:
                items[-1][1] += " " + piece
            else:
                text.append(piece)
    done = [_escaped(" ".join(text))] if text else []
    if items:
        done += [""] + [f"- **{_escaped(name)}**: {_escaped(what)}" for name, what in items]
    return done


def _escaped(text: str) -> str:
    """Text in which only `code` keeps a meaning."""
    pieces = re.split(r"(`+[^`]+`+)", text)
    return "".join(
        f"``{piece.strip('`')}``" if k % 2 else re.sub(r"([\\*_|`])", r"\\\1", piece)
        for k, piece in enumerate(pieces)
    )


def _fields(kind: type) -> list[str]:
    rows = [_field(field) for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if not rows:
        return []
    head = [".. list-table:: Fields", "   :header-rows: 1", "", "   * - field", "     - allowed"]
    head += ["     - default", "     - meaning"]
    return [*head, *(line for row in rows for line in row), ""]


def _field(field: dataclasses.Field[Any]) -> list[str]:
    if field.default is not dataclasses.MISSING:
        default = f"``{field.default!r}``" if len(repr(field.default)) < 60 else "as named"
    else:
        default = "" if field.default_factory is dataclasses.MISSING else "as named"
    meaning = _escaped(str(field.metadata.get("doc", "")))
    cells = [f"``{field.name}``", _allowed(field), default, meaning]
    first = [f"   * - {cells[0]}"]
    return first + [f"     - {cell}".rstrip() for cell in cells[1:]]


def _allowed(field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    kind = meta.get("kind", "")
    if kind == "choice":
        return ", ".join(f"``{option}``" for option in meta["options"])
    if kind == "part":
        return _escaped(", ".join(each.__name__ for each in meta["types"]))
    if kind in ("quantity", "integer"):
        low, high, unit = meta["low"], meta["high"], meta.get("unit", "")
        if meta.get("above") is not None:
            text = f"above {meta['above']:g}" + ("" if math.isinf(high) else f", to {high:g}")
        else:
            text = f"{low:g} to {high:g}"
        return _escaped(f"{text} {unit}".strip())
    return _escaped(str(field.type))
