"""When does each command of any stream of reads and writes go out on one channel of plain DRAM? The
scheduler by itself, without units in the banks.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.dram_pim import engine
from pimlab.dram_pim.geometry import Banks
from pimlab.dram_pim.streams import HOST, PHASES, Stream
from pimlab.dram_pim.timing import Timing

_TEXTS = {
    "cycle": "memory cycle in which the last of the command is received",
    "mode": "0: one bank",
    "request": "the request served; -1 for precharges and refreshes",
}


def stream(
    banks: Banks, write: np.ndarray, bank: np.ndarray, row: np.ndarray, column: np.ndarray
) -> Stream:
    """The requests of one channel in the order in which they arrive; ValueError for a bank, row or
    column that there is not. Unit of row and column: their number, counted from 0.
    """
    sizes = {"bank": banks.banks, "row": banks.rows, "column": banks.columns}
    parts = {"bank": bank, "row": row, "column": column}
    arrays = {name: np.asarray(part) for name, part in parts.items()}
    for name, part in arrays.items():
        if part.dtype.kind not in "iu" or part.ndim != 1:
            raise TypeError(
                f"schedule {name} has dtype {part.dtype} and shape {part.shape}; allowed: "
                "integers of shape (requests,)"
            )
        if part.size and not 0 <= part.min() <= part.max() < sizes[name]:
            wrong = part[(part < 0) | (part >= sizes[name])][0]
            raise ValueError(f"schedule {name}={wrong} is outside 0..{sizes[name] - 1}")
    if np.asarray(write).dtype.kind not in "biu":
        raise TypeError(f"write is {np.asarray(write).dtype}; allowed: an array of True and False")
    kind = np.asarray(write, dtype=bool).astype(np.int64)
    if len({kind.shape, *(part.shape for part in arrays.values())}) != 1 or not kind.size:
        shapes = {"write": kind.shape} | {name: part.shape for name, part in arrays.items()}
        raise ValueError(f"schedule: shapes {shapes}; allowed: one shape (requests,), 1 or more")
    zero = np.zeros_like(kind)
    table = np.stack((kind, arrays["bank"], arrays["row"], zero, zero, zero), axis=1)
    column = arrays["column"].astype(np.int64)
    return Stream(table.astype(np.int64), column, np.full(kind.size, PHASES.index(HOST)))


@typed
def schedule(
    timing: Timing,
    banks: Banks,
    write: np.ndarray,
    bank: np.ndarray,
    row: np.ndarray,
    column: np.ndarray,
    *,
    controller: engine.Controller = engine.Controller(),
    refresh: bool = True,
) -> xr.Dataset:
    """The commands of one channel that serves requests, all of them waiting at cycle 0.

    write : bool, shape (requests,);  bank, row, column : int, shape (requests,), the bank counted
    over the groups in turn (bank // (banks / bank_groups) is its group).
    Dataset over `index`: cycle, command, bank, row, column, mode, request; its attributes hold
    `cycles` to the last data and what `validate` needs. TypeError or ValueError for arrays that are
    not of one shape, and for banks, rows and columns that there are not.

    >>> channel = pim.dram_pim.Banks(
    ...     channels=1, ranks=1, banks=16, bank_groups=4, rows=64, columns=32, access_bits=256
    ... )
    >>> zeros = np.zeros(3, int)
    >>> table = pim.dram_pim.timing("hbm3")
    >>> pim.dram_pim.schedule(table, channel, zeros > 0, zeros, zeros, zeros + 1).command.values
    array(['ACT', 'RD', 'RD', 'RD', 'PRE'], dtype='<U5')
    """
    requests = stream(banks, write, bank, row, column)
    run = engine.run(requests, timing, banks, refresh, None, controller)
    lines = run.table()
    columns = {
        "cycle": lines.cycle,
        "command": np.array(lines.names)[lines.command],
        "bank": lines.bank,
        "row": lines.row,
        "column": lines.column,
        "mode": lines.mode,
        "request": run.trace[:, 4],
    }
    variables = {
        name: ("index", values, {"long_name": _TEXTS.get(name, name)})
        for name, values in columns.items()
    }
    return xr.Dataset(
        variables,
        attrs={
            "timing": timing.name,
            "cycles": run.cycles,
            "banks": banks.banks,
            "bank_groups": banks.bank_groups,
            "rows": banks.rows,
            "columns": banks.columns,
            "refresh": int(refresh),
            "sources": ",".join(timing.sources),
        },
    )
