"""How many cycles do the engines beside the multipliers of a tensor unit take: fetch, commit,
switch, collect, transpose, and the reducers behind the multipliers?

Each function is one rule of the furiosa-opt book (FuriosaAI, RNGD), named in its docstring. Every
slice does the same at the same time, so that cycles of one slice are those of the chip.
"""

from __future__ import annotations

import math
from typing import Literal

from pimlab.arguments import typed
from pimlab.npu.sequencer import Sequencer

FLIT = 32
"""Bytes of a flit, what every engine after the Collect Engine works on."""
ACCESS = (1, 2, 4, 8, 16, 32)
"""Bytes that one access of the main context can bring ("Fetch Engine", "Multi-Read Packet")."""
SUB_ACCESS = 8
"""Bytes of each access of the sub context (same place)."""
Context = Literal["main", "sub"]
LaneMode = Literal["interleaved", "sequential"]


@typed
def flits(packet_bytes: int) -> int:
    """Flits of 32 B that carry a packet of so many bytes, the last one padded (unit: flits).

    furiosa-opt book, "Collect Engine".
    """
    if packet_bytes < 1:
        raise ValueError(f"flits packet_bytes={packet_bytes} is not at least 1")
    return -(-packet_bytes // FLIT)


@typed
def read_bytes(sequencer: Sequencer, context: Context = "main") -> int:
    """Bytes that one access of the Fetch Engine brings (unit: B).

    In the main context the largest divisor of `sequencer.max_access()` that is 1, 2, 4, 8, 16 or 32
    bytes; 8 in the sub context. ValueError for elements of which no number is whole bytes.
    furiosa-opt book, "Fetch Engine", "Multi-Read Packet".
    """
    if context == "sub":
        return SUB_ACCESS
    access = sequencer.max_access()
    fits = [n for n in ACCESS if not 8 * n % sequencer.bits and not access % _count(n, sequencer)]
    if not fits:
        raise ValueError(
            f"fetch: {access} elements of {sequencer.bits} bits in a row are no whole bytes"
        )
    return fits[-1]


def _count(size: int, sequencer: Sequencer) -> int:
    return max(1, 8 * size // sequencer.bits)


@typed
def fetch_cycles(sequencer: Sequencer, context: Context = "main") -> int:
    """Cycles in which the Fetch Engine reads a stream: packets times accesses a packet (unit:
    cycles).

    furiosa-opt book, "Fetch Engine", "Multi-Read Packet".
    """
    return sequencer.packets * -(-sequencer.packet_bytes // read_bytes(sequencer, context))


@typed
def commit_cycles(packets: int, valid_bytes: int, context: Context = "main") -> int:
    """Cycles in which the Commit Engine writes `packets` of `valid_bytes` each (unit: cycles).

    One a packet in the main context, one for every 8 B in the sub context. ValueError unless 8, 16,
    24 or 32 bytes are valid. furiosa-opt book, "Commit Engine", "Constraints".
    """
    if valid_bytes not in (8, 16, 24, 32):
        raise ValueError(f"commit valid_bytes={valid_bytes} is not one of 8, 16, 24, 32")
    return packets * (1 if context == "main" else valid_bytes // SUB_ACCESS)


@typed
def switch_cycles(ring: int, steps: int, packet_bytes: int) -> int:
    """Cycles in which packets go round rings of `ring` slices (unit: cycles).

    ring x time steps x flits of a packet. ValueError for a ring that does not divide 256 slices.
    furiosa-opt book, "Switch Engine", "Performance".
    """
    if ring < 1 or 256 % ring:
        raise ValueError(f"switch ring={ring} does not divide the 256 slices of a cluster")
    return ring * steps * flits(packet_bytes)


@typed
def transpose_cycles(in_rows: int, in_cols: int, out_rows: int, turns: int, bits: int = 8) -> int:
    """Cycles in which the Transpose Engine turns `turns` matrices of in_rows x in_cols elements
    (unit: cycles).

    Up to 16 columns it holds two at a time, so that one leaves while the next comes: in + (turns -
    1) max(in, out) + out, with in = in_rows in_cols / 8 flits (16 of 4-bit elements a flit) and out
    = `out_rows`; wider ones take turns (in + out). ValueError for columns that are not 8, 16 or 32.
    furiosa-opt book, "Transpose Engine", "Performance".
    """
    valid = 16 if bits == 4 else 8
    if in_cols not in (8, 16, 32) or in_cols < valid:
        raise ValueError(
            f"transpose in_cols={in_cols} is not one of {', '.join(str(n) for n in (8, 16, 32))}"
            f" that {bits}-bit elements can have"
        )
    come = in_rows * (in_cols // valid)
    if in_cols > 16:
        return turns * (come + out_rows)
    return come + (turns - 1) * max(come, out_rows) + out_rows


@typed
def reducer_depth(packet_bytes: int, bits: int) -> int:
    """Levels of the adder tree that sums a packet, and cycles until its first sum (unit: cycles):
    7 for 4-bit elements of 64 B, 6 for 8, 5 for 16. furiosa-opt book, "Packet Reducer".
    """
    return math.ceil(math.log2(max(1, 8 * packet_bytes // bits)))


@typed
def slots(mode: LaneMode, lanes: int, columns: int, cells: int = 1024) -> int:
    """Sums a lane that the Time Reducer can hold beside each other (unit: slots).

    Interleaved: cells / (8 columns), whatever the lanes; sequential: cells / (32 lanes).
    ValueError beyond 8 lanes or 32 columns. furiosa-opt book, "Time Reducer", "Constraints".
    """
    if not 1 <= lanes <= 8:
        raise ValueError(f"slots lanes={lanes} is outside 1..8")
    if not 1 <= columns <= 32:
        raise ValueError(f"slots columns={columns} is outside 1..32")
    return cells // (8 * columns if mode == "interleaved" else 32 * lanes)


@typed
def leave_cycles(mode: LaneMode, sums: int, lanes: int, columns: int) -> int:
    """Cycles in which `sums` slots of lanes x columns leave over the bus of 8 values (unit:
    cycles).

    Interleaved: one column of all lanes a cycle; sequential: 8 columns of one lane.
    furiosa-opt book, "Lane Folder".
    """
    return sums * (columns if mode == "interleaved" else lanes * -(-columns // 8))
