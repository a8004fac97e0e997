"""How many cycles does an all-bank matrix-vector product take when nothing interrupts it? Sums of
timing symbols.

Every term is a spacing of `Timing`; the sums follow the command order of `streams`. It is the
scheduler's count by hand, for tables in which activates and row cycles (tRAS, tRC) do not bind; the
scheduler needs no such condition.
"""

from __future__ import annotations

from pimlab.dram_pim.geometry import BankPairs
from pimlab.dram_pim.timing import Timing

MODE, INPUT, MAC, RESULT = "mode switching", "input broadcast", "in-bank MAC", "result write"


def park(t: Timing, org: BankPairs) -> int:
    """Cycles from the first activate to the last read when every bank is opened once, the last one
    alone. Unit: cycles of the memory's clock.
    """
    return (org.banks - 2) * max(t.tRRDS, -(-t.tXAW // t.XAW)) + 2 * t.tRCDRD + 1


def _mode(t: Timing, org: BankPairs) -> int:
    enter = t.read_to_write + 2 * t.tCCDS + t.write_to_precharge + t.tRP + 2 * t.tRCDWR + 1
    leave = (
        2 * t.tRCDWR + 1 + t.write_to_precharge + t.tRP + 1 + t.tRCDWR + t.write_to_precharge + 1
    )
    return 2 * park(t, org) + enter + leave + t.RL + t.burst + 3


def _reads(t: Timing, org: BankPairs) -> int:
    rows = -(-org.reads_per_tile // org.columns)
    return (org.reads_per_tile - rows) * t.tCCDL + (rows - 1) * t.row_to_row


def gemv_cycles(t: Timing, org: BankPairs, outputs: int, inputs: int, batch: int) -> dict[str, int]:
    """Memory cycles by phase, without refresh, of `batch` products with an `inputs` x `outputs`
    matrix.

    Includes parking, the switch to all-bank mode, programming and the switch back; excludes loading
    weights and reading results. Unit: cycles of the memory's clock.
    """
    out, even, odd = org.tiles(outputs, inputs)
    burst = (org.registers - 1) * t.tCCDL
    reopen = t.write_to_precharge + t.tRP
    first = max(t.tCCDL + burst + t.write_to_read, reopen + t.tRCDRD)
    turn = t.read_to_precharge + t.tRP + t.tRCDWR
    to_odd = t.read_to_write + burst + reopen + t.tRCDRD
    passes = out * batch
    load = (even - 1) * (t.read_to_write + burst + t.write_to_read)
    load += (to_odd + (odd - 1) * (turn + burst + reopen + t.tRCDRD)) if odd else 0
    store = (turn if odd else t.read_to_write) + burst
    again = reopen + t.tRCDWR + burst + t.write_to_read
    return {
        MODE: _mode(t, org),
        INPUT: first + passes * load + (passes - 1) * again,
        MAC: passes * (even + odd) * _reads(t, org),
        RESULT: passes * store,
    }
