"""Which requests did a real service get? Traces of Azure and Mooncake, and files in their forms.

Azure (Patel et al., Splitwise, ISCA 2024): CSV of TIMESTAMP, ContextTokens, GeneratedTokens.
Mooncake (Qin et al., FAST 2025): a JSON object a line, with `hash_ids` of the blocks of 512 tokens
that a prompt begins with. BLIS: CSV with arrival_time_us, input_tokens, output_tokens, and where a
prompt begins with a shared prefix prefix_group and prefix_length, which input_tokens leaves out.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pimlab.arguments import typed
from pimlab.serving.requests import Requests
from pimlab.units import is_integer
from pimlab.values import unknown
from pimlab.workload.files import DataError, verified

TRACES = {
    "azure-conversation-2023": ("requests/azure-conversation-2023.csv.gz", "patel2024"),
    "azure-code-2023": ("requests/azure-code-2023.csv.gz", "patel2024"),
    "mooncake-conversation": ("requests/mooncake-conversation.jsonl.gz", "qin2025"),
}
"""Name -> vendored file, source."""
MOONCAKE_BLOCK = 512
SHARED_BLOCK = 16
"""Tokens of a block of a BLIS prefix, which is stated in tokens."""
FEW = 100
"""Requests below which a trace is a set and has no rate."""
AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
BLIS = ("arrival_time_us", "input_tokens", "output_tokens")


@typed
def load_requests(name: str | os.PathLike[str], limit: int | None = None) -> Requests:
    """The requests of a trace: a name of `TRACES`, or a .csv or .jsonl file (also .gz) in one of
    the forms of this module.

    limit : the first so many only. Arrivals count from the first of them. Raises ValueError for a
    name that is not known, a file in no such form, requests out of order or without tokens.

    >>> pim.load_requests("azure-code-2023", limit=500).count
    500
    """
    if limit is not None and (not is_integer(limit) or limit < 1):
        raise ValueError(f"load_requests limit={limit!r}; allowed: an integer, 1 or more, or None")
    if name in TRACES:
        file, source = TRACES[str(name)]
        path, title = verified(file), str(name)
    else:
        path, title, source = Path(name), Path(name).name, ""
        if not path.is_file():
            raise ValueError(f"{unknown('trace', str(name), TRACES)}, and no such file")
    suffixes = [end for end in path.suffixes if end != ".gz"]
    if not suffixes or suffixes[-1] not in (".csv", ".jsonl"):
        raise ValueError(f"{path.name}; allowed: a file that ends in .csv or .jsonl, or .gz of one")
    read = _mooncake if suffixes[-1] == ".jsonl" else _table
    found = read(path, limit)
    arrival = found["arrival"] - found["arrival"][0] if len(found["arrival"]) else found["arrival"]
    span = arrival[-1] if len(arrival) >= FEW else 0.0
    rate = (len(arrival) - 1) / span if span > 0 else None
    return Requests(name=title, source=source, rate=rate, **{**found, "arrival": arrival})


def _table(path: Path, limit: int | None) -> dict[str, Any]:
    """The columns of an Azure or BLIS file."""
    try:
        table = pd.read_csv(path, nrows=limit)
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from None
    if set(AZURE) <= set(table):
        times = pd.to_datetime(table.TIMESTAMP, format="ISO8601")
        seconds = (times - times.iloc[0]).dt.total_seconds() if len(table) else times.astype(float)
        return {
            "arrival": seconds.to_numpy(),
            "prompt": table.ContextTokens.to_numpy(),
            "output": table.GeneratedTokens.to_numpy(),
        }
    if set(BLIS) <= set(table):
        return _blis(table)
    raise DataError(
        f"{path.name} has columns {', '.join(map(str, table))}; allowed: {', '.join(AZURE)} or "
        f"{', '.join(BLIS)}"
    )


def _blis(table: pd.DataFrame) -> dict[str, Any]:
    prefix, counts = np.zeros(len(table), np.int64), np.zeros(len(table), np.int64)
    numbers: dict[str, int] = {}
    groups = np.zeros(len(table), np.int64)
    if {"prefix_group", "prefix_length"} <= set(table):
        prefix = table.prefix_length.fillna(0).to_numpy(np.int64)
        names = table.prefix_group.fillna("").astype(str)
        groups = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)
        counts = np.where(names != "", prefix // SHARED_BLOCK, 0)
    most = int(counts.max(initial=0))
    blocks = [group * most + np.arange(n) for group, n in zip(groups, counts, strict=True)]
    return {
        "arrival": table.arrival_time_us.to_numpy() * 1e-6,
        "prompt": prefix + table.input_tokens.to_numpy(),
        "output": table.output_tokens.to_numpy(),
        "first": np.concatenate([[0], np.cumsum(counts)]),
        "blocks": np.concatenate(blocks) if blocks else (),
        "block": SHARED_BLOCK,
    }


def _mooncake(path: Path, limit: int | None) -> dict[str, Any]:
    """Times, lengths and whole blocks; the last block of a prompt, which is not full, is nobody
    else's.
    """
    rows, first, blocks = [], [0], []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for number, line in enumerate(lines, 1):
            if limit is not None and number > limit:
                break
            try:
                one = json.loads(line)
                row = (one["timestamp"], one["input_length"], one["output_length"])
                ids = one.get("hash_ids", [])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path.name} line {number}: {error!r}") from None
            rows.append(row)
            blocks += ids[: int(row[1]) // MOONCAKE_BLOCK]
            first.append(len(blocks))
    columns = np.array(rows).reshape(len(rows), 3)
    return {
        "arrival": columns[:, 0] / 1000,
        "prompt": columns[:, 1],
        "output": columns[:, 2],
        "first": first,
        "blocks": blocks,
        "block": MOONCAKE_BLOCK,
    }
