"""Which placement problem does a file of Helix's solver hold? Read from its LP text.

The files name variables `hold_<machine>_<layers>`, `switch_<from>_<to>` and constraints
`node_throughput_constraint_*`, `edge_flow_constr_*`, `end_constraint_*`, and with partial inference
`edge_cond1_disabled_*`; nothing else of them is needed, because the other constraints say what
every placement problem says.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from pimlab.arguments import typed
from pimlab.cluster.placement.problem import LayerPlacement

_TERM = re.compile(r"([+-]?)\s*(\d+\.?\d*(?:e[+-]?\d+)?)?\s*\*?\s*([A-Za-z_]\w*)")
_ROW = re.compile(r"^\s*(\w+):\s*(.*?)\s*(<=|>=|=)\s*([-+.\de]+)\s*$", re.IGNORECASE)


@typed
def read_lp(path: str | Path) -> LayerPlacement:
    """The placement problem of an LP file (also gzipped) as Helix (ASPLOS 2025) writes them.

    Raises ValueError for a file without the constraints named above; OSError where it cannot be
    read.
    """
    file = Path(path)
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as text:
        rows = _rows(text.read())
    layers = {int(float(limit)) for name, _, limit in rows if name.startswith("end_constraint")}
    if len(layers) != 1:
        raise ValueError(
            f"{file.name}: {len(layers)} different numbers of layers in end_constraint_*; allowed: "
            "one, as in Helix's files"
        )
    rates: dict[str, dict[int, float]] = {}
    links: dict[tuple[str, str], float] = {}
    for name, terms, _ in rows:
        if name.startswith("node_throughput_constraint_"):
            held = {v: c for v, c in terms.items() if v.startswith("hold_")}
            machine = name.removeprefix("node_throughput_constraint_")
            rates[machine] = {int(v.rsplit("_", 1)[1]): -c for v, c in held.items()}
        elif name.startswith("edge_flow_constr_"):
            start, end = name.removeprefix("edge_flow_constr_").split("_")
            links[start, end] = -next(c for v, c in terms.items() if v.startswith("switch_"))
    return LayerPlacement(
        layers=layers.pop(),
        rates=rates,
        links={pair: c for pair, c in links.items() if "source" not in pair and "sink" not in pair},
        source={end: c for (start, end), c in links.items() if start == "source"},
        sink={start: c for (start, end), c in links.items() if end == "sink"},
        partial=any(name.startswith("edge_cond1_disabled_") for name, *_ in rows),
    )


Row = tuple[str, dict[str, float], str]


def _rows(text: str) -> list[Row]:
    """(name, {variable: coefficient}, right side) of every constraint."""
    body = re.split(r"(?im)^\s*(?:subject to|s\.t\.)\s*$", text)
    if len(body) < 2:
        raise ValueError("LP file has no line 'Subject To'")
    constraints = re.split(r"(?im)^\s*(?:bounds|binaries|generals|end)\s*$", body[1])[0]
    whole = re.sub(r"\n\s+(?![\w]+:)", " ", constraints)
    found = []
    for line in whole.splitlines():
        match = _ROW.match(line)
        if match:
            found.append((match[1], _terms(match[2]), match[4]))
    return found


def _terms(text: str) -> dict[str, float]:
    return {
        variable: (-1.0 if sign == "-" else 1.0) * float(number or 1)
        for sign, number, variable in _TERM.findall(text)
    }
