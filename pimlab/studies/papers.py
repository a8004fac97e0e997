"""How near are we to what is printed? Every folder of papers/ computed again, and one table of all
published numbers beside ours.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pimlab.arguments import typed
from pimlab.studies import published
from pimlab.values import unknown

PAPERS = Path(__file__).parents[2] / "papers"
RESULTS = Path("results") / "papers"
COLUMNS = ("paper", "quantity", "condition", "published", "ours", "miss", "allowed", "role")
COMPARED = ("fitted", "held-out", "input", "bound", "missed")
"""Roles whose rows are met or not; a row of role "context" is printed and not compared."""


@dataclass(frozen=True)
class Made:
    """What became of one folder: "computed", "kept" from before, or "failed"; how long it took
    (unit: s), and where its output is.
    """

    paper: str
    state: str
    seconds: float
    log: Path


def folders() -> dict[str, Path]:
    """Name of every paper -> its folder (no unit). FileNotFoundError outside of the repository."""
    if not PAPERS.is_dir():
        raise FileNotFoundError(f"papers are in the repository's folder papers/; no {PAPERS}")
    return {path.parent.name: path.parent for path in sorted(PAPERS.glob("*/make.py"))}


def _chosen(names: Sequence[str] | None) -> dict[str, Path]:
    every = folders()
    for name in names or ():
        if name not in every:
            raise ValueError(unknown("paper", name, every))
    return {name: folder for name, folder in every.items() if names is None or name in names}


# --- one table of all numbers ----------------------------------------------------------------


@typed
def scores(names: Sequence[str] | None = None) -> pd.DataFrame:
    """Every published number beside ours, as the README of each paper has them.

    names : which papers (default: all). Columns, all text but the last two: paper, quantity,
    condition, published and ours (with the unit that the paper prints), miss, allowed, role, rows
    (how many numbers the line stands for: a long table is summed up by quantity, with its largest
    miss), within (True or False; None for "context", which is not compared).
    ValueError for an unknown paper, and for a README whose table does not fit its targets.csv;
    FileNotFoundError outside of the repository.

    >>> pim.scores(["halo"]).query("role == 'missed'").within.tolist()
    [False]
    """
    lines = [line for name, folder in _chosen(names).items() for line in _lines(name, folder)]
    return pd.DataFrame(lines, columns=[*COLUMNS, "rows", "within"])


def _lines(name: str, folder: Path) -> Iterator[tuple[Any, ...]]:
    text = published.marked((folder / "README.md").read_text(encoding="utf-8")).get("targets", "")
    head, _, *cells = [
        tuple(cell.strip() for cell in line.strip().strip("|").split(" | "))
        for line in text.splitlines()
    ] or [(), ()]
    listed = published.targets(folder / "targets.csv")
    rows = {(row.quantity, row.condition, row.role): row for row in listed}
    for line in cells:
        said = dict(zip(head, line, strict=True))
        if "condition" in said:
            yield _one(name, said, rows)
        else:
            yield _many(name, said)


def _one(
    name: str, said: dict[str, str], rows: dict[tuple[str, str, str], published.Row]
) -> tuple[Any, ...]:
    """A line of a table that lists each number."""
    key = said["quantity"], said["condition"], said["role"]
    if key not in rows:
        raise ValueError(
            f"papers/{name}/README.md has a row {' / '.join(key)} that its targets.csv lacks; run "
            f"python papers/{name}/make.py"
        )
    same = said["miss"] in ("", "0")  # ours is rounded for a reader, its miss was found before
    met = None if rows[key].role == "context" else same or rows[key].met(float(said["ours"]))
    return (name, *(said[column] for column in COLUMNS[1:]), 1, met)


def _many(name: str, said: dict[str, str]) -> tuple[Any, ...]:
    """A line of a table that is summed up: its largest miss is judged."""
    bound, miss = said["allowed"].split()[0], said["largest miss"].split()[0]
    met: bool | None = said["role"] != "missed"
    if said["allowed"] == "not compared":
        met = None
    elif re.fullmatch(r"[\d.e+-]+", bound):
        met = float(miss) <= float(bound)
    return (
        name, said["quantity"], f"all {said['rows']}, largest miss", "", "", said["largest miss"],
        said["allowed"], said["role"], int(said["rows"]), met,
    )  # fmt: skip


@typed
def tally(table: pd.DataFrame) -> pd.DataFrame:
    """How many numbers of each role there are, and how many are within their tolerance.

    table : what `scores` returned. Columns rows and within, integers (unit 1), by role.
    """
    counted = {
        role: {
            "rows": int(some.rows.sum()),
            "within": int(some.rows[some.within.eq(True)].sum()),
        }
        for role, some in table.groupby("role")
    }
    order = [role for role in published.ROLES if role in counted]
    return pd.DataFrame.from_dict(counted, orient="index").loc[order].rename_axis("role")


# --- computing the folders again -------------------------------------------------------------


@typed
def regenerate(
    names: Sequence[str] | None = None,
    *,
    workers: Any = None,
    again: bool = False,
    results: str | os.PathLike[str] = RESULTS,
    progress: bool = True,
) -> tuple[Made, ...]:
    """Compute papers again: each writes its figure and the tables of its README.

    names : which (default: all).  workers : Dask worker processes, or whose, as in `sweep`; without
    them one paper after another.  again : also those whose code, targets and pimlab are as they
    were at the last time; otherwise these are kept, so that a run that was stopped goes on.
    results : folder for each paper's output (NAME.log) and what it was computed from (NAME.json).
    progress : show a bar.
    A paper that fails is "failed" (its log says why) and stops no other. Seconds are of the clock
    (unit: s). ValueError for an unknown paper; FileNotFoundError outside of the repository.
    """
    from tqdm.auto import tqdm

    chosen, out = _chosen(names), Path(results).absolute()
    out.mkdir(parents=True, exist_ok=True)
    code = _package()
    kept = [n for n, folder in chosen.items() if not again and _kept(folder, out, code)]
    made = [Made(name, "kept", 0.0, out / f"{name}.log") for name in kept]
    points = [(name, {"folder": f, "out": out}) for name, f in chosen.items() if name not in kept]
    with tqdm(total=len(chosen), initial=len(kept), unit="paper", disable=not progress) as bar:
        for one in _computed(points, workers):
            made.append(one)
            bar.set_postfix_str(f"{one.paper} {one.state}")
            bar.update()
            if one.state == "computed":
                _keep(chosen[one.paper], out, code)
    return tuple(sorted(made, key=lambda one: one.paper))


def _computed(points: list[tuple[str, dict[str, Any]]], workers: Any) -> Iterable[Made]:
    if workers is None:
        return (_make(point) for _, point in points)
    from pimlab.studies.dask_executor import compute

    made: Any = compute(_make, points, workers)  # type: ignore[arg-type]
    return (one for _, one in made)


def _make(point: dict[str, Any]) -> Made:
    """Run make.py in a process of its own, as a reader would."""
    folder, log = point["folder"], point["out"] / f"{point['folder'].name}.log"
    path = os.pathsep.join(filter(None, (str(folder.parents[1]), os.environ.get("PYTHONPATH"))))
    begun = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [sys.executable, str(folder / "make.py")],
            cwd=folder.parents[1],
            env={**os.environ, "PYTHONPATH": path},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    state = "failed" if done.returncode else "computed"
    return Made(folder.name, state, time.monotonic() - begun, log)


@functools.cache
def _package() -> str:
    """sha256 of all code and constants of pimlab."""
    inside = Path(__file__).parents[1]
    return _digest(path for kind in ("*.py", "*.toml") for path in inside.rglob(kind))


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.name}\n".encode() + path.read_bytes())
    return whole.hexdigest()


def _identity(folder: Path, code: str) -> dict[str, str]:
    """What a folder was computed from, and what it holds now."""
    inputs = [*folder.glob("*.py"), folder / "targets.csv"]
    outputs = [*folder.glob("*.svg"), folder / "README.md"]
    return {"pimlab": code, "inputs": _digest(inputs), "outputs": _digest(outputs)}


def _keep(folder: Path, out: Path, code: str) -> None:
    (out / f"{folder.name}.json").write_text(json.dumps(_identity(folder, code), indent=1))


def _kept(folder: Path, out: Path, code: str) -> bool:
    """Whether nothing changed since the folder was computed."""
    record = out / f"{folder.name}.json"
    return record.is_file() and record.read_text() == json.dumps(_identity(folder, code), indent=1)
