"""How far is every operator that Vidur measured, of models that nothing was fitted on?

`python papers/silicon-operators/everything.py PATH`, where PATH is a checkout of microsoft/vidur,
writes everything.csv: for A100 and H100 how many operators lie within 20 %, by kind and by number
of tokens; make.py then puts it into the README. Vidur holds 1 to 32,768 tokens of eight models; the
rows that came with this paper are a tenth of them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import make
import numpy as np

from pimlab.machine.protocol import MacOp, VectorOp

TOKENS = {"to 64": (1, 64), "to 1,024": (65, 1024), "above": (1025, 2**31)}
"""Ranges of numbers of tokens."""
NAMES = {"num_tensor_parallel_workers": "tensor_parallel"}


def rows_of(checkout: Path, gpu: str) -> Iterator[make.Row]:
    """Every row of `gpu` but those of the model that the constants were fitted on."""
    for file in sorted((checkout / "data/profiling/compute" / gpu).glob("*/*/mlp.csv")):
        model = "/".join(file.parts[-3:-1])
        if file.parts[-2] == make.FITTED:
            continue
        with file.open() as text:
            for line in csv.DictReader(text):
                yield from make.layer(_named(line, gpu, model))


def _named(line: dict[str, str], gpu: str, model: str) -> dict[str, str]:
    """A line of Vidur under the names of the file that came with this paper."""
    medians = {
        name.removeprefix("time_stats.").replace(".median", "_ms"): value
        for name, value in line.items()
        if name.endswith(".median")
    }
    rest = {NAMES.get(name, name): value for name, value in line.items()}
    return {**rest, **medians, "gpu": gpu, "model": model}


def ratios(gpu: str, rows: list[make.Row]) -> np.ndarray:
    """Computed over measured time, less 1."""
    npu = make.machine(gpu)

    @cache
    def seconds(op: MacOp | VectorOp) -> float:
        return sum(npu.latency(op).values())

    return np.array([row.times * seconds(row.op) / row.seconds - 1 for row in rows])


def table(checkout: Path) -> list[list[str]]:
    """Rows, median error, share within 20 % and the median deviation by tokens, by operator, below
    the names of these columns.
    """
    lines = [["chip", "operator", "rows", "median error", "within 20 %", *TOKENS]]
    for gpu in make.CHIPS:
        rows = [row for row in rows_of(checkout, gpu) if row.seconds > 0]
        off, names = ratios(gpu, rows), np.array([row.name for row in rows])
        tokens = np.array([int(row.size.split()[0].removeprefix("tokens=")) for row in rows])
        for name in ("all", *dict.fromkeys(names)):
            chosen = np.ones(len(rows), bool) if name == "all" else names == name
            lines.append([gpu, name, *_line(off[chosen], tokens[chosen])])
    return lines


def _line(off: np.ndarray, tokens: np.ndarray) -> list[str]:
    error = np.abs(off)
    parts = [off[(tokens >= low) & (tokens <= high)] for low, high in TOKENS.values()]
    by_size = [f"{100 * np.median(part):+.1f} %" if len(part) else "" for part in parts]
    shares = [f"{100 * np.median(error):.1f} %", f"{100 * np.mean(error < 0.2):.1f} %"]
    return [str(len(off)), *shares, *by_size]


if __name__ == "__main__":
    with make.EVERY.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table(Path(sys.argv[1])))
