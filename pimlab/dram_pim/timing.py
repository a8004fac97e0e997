"""How far apart must two DRAM commands be? A table of timing symbols in clock cycles, and the
spacings that follow.

Symbols are JEDEC's; S and L are "different" and "same bank group". Where a standard writes one
number (tFAW, tRTP), the S and L symbols are equal here.
"""

from __future__ import annotations

from pimlab.arguments import named
from pimlab.catalogue import Entry, entry, naming
from pimlab.values import Value, choice, integer, quantity

_CYCLES = 1 << 40


class Timing(Value):
    """Timing of one DRAM channel, in cycles of tCK. ValueError names the rule that a contradictory
    table breaks.
    """

    name: str
    sources: tuple[str, ...] = ()
    """Keys in `sources.bib` of the publications behind the table."""
    tCK: float = quantity("s", above=0, doc="clock period")
    BL: int = integer(2, 64, doc="burst length, in half cycles")
    RL: int = integer(1, _CYCLES, doc="read command to first data")
    WL: int = integer(1, _CYCLES, doc="write command to first data")
    tCCDS: int = integer(1, _CYCLES, doc="column to column, other bank group")
    tCCDL: int = integer(1, _CYCLES, doc="column to column, same bank group")
    tCCDR: int = integer(1, _CYCLES, doc="column to column, other rank")
    tRCDRD: int = integer(1, _CYCLES, doc="activate to read")
    tRCDWR: int = integer(1, _CYCLES, doc="activate to write")
    tRAS: int = integer(1, _CYCLES, doc="activate to precharge")
    tRC: int = integer(1, _CYCLES, doc="activate to activate, same bank")
    tRP: int = integer(1, _CYCLES, doc="precharge to activate")
    tRRDS: int = integer(1, _CYCLES, doc="activate to activate, other bank group")
    tRRDL: int = integer(1, _CYCLES, doc="activate to activate, same bank group")
    tRTPS: int = integer(1, _CYCLES, doc="read to precharge, short")
    tRTPL: int = integer(1, _CYCLES, doc="read to precharge, same bank")
    tWR: int = integer(1, _CYCLES, doc="end of write data to precharge")
    tWTRS: int = integer(1, _CYCLES, doc="end of write data to read, other bank group")
    tWTRL: int = integer(1, _CYCLES, doc="end of write data to read, same bank group")
    XAW: int = integer(1, 64, doc="activates allowed in one window tXAW")
    tXAW: int = integer(1, _CYCLES, doc="window of XAW activates (tFAW)")
    tRTRS: int = integer(0, _CYCLES, doc="bus turn-around")
    tREFI: int = integer(1, _CYCLES, doc="mean interval of refreshes")
    tRFC: int = integer(1, _CYCLES, doc="refresh to any command")
    tCCDLW: int | None = integer(
        1,
        _CYCLES,
        default=None,
        hint="for one symbol for both directions write tCCDLW=None",
        doc="write to write, same bank group; None: tCCDL holds for both directions",
    )
    BL_group: int | None = integer(
        2,
        128,
        default=None,
        doc="burst as its bank group holds it, at least BL, in half cycles; None: BL",
    )
    tPPD: int = integer(1, _CYCLES, default=1, doc="precharge to precharge, any banks")
    tRFCpb: int | None = integer(
        1, _CYCLES, default=None, doc="refresh of one bank to any command to it; None: not given"
    )
    tRREFD: int | None = integer(
        1, _CYCLES, default=None, doc="refresh of one bank to activate of another"
    )
    tPBR2PBR: int | None = integer(
        1, _CYCLES, default=None, doc="refresh of one bank to that of another; None: tRREFD"
    )
    act_cycles: int = integer(1, 8, default=1, doc="cycles that an activate occupies its bus")
    column_cycles: int = integer(
        1, 8, default=1, doc="cycles that a read or a write occupies its bus"
    )
    tAAD: int | None = integer(
        1,
        60,
        default=None,
        doc="cycles by which the first half of an activate may come before the second; None: an "
        "activate is one command",
    )
    WCK: int | None = integer(
        1,
        _CYCLES,
        default=None,
        doc="cycles from the first data of a read or a write to the last cycle in which the write "
        "clock runs (BL/n_max + tWCKPST): a later one needs a command before it that starts the "
        "clock; None: no such clock, or one that always runs",
    )
    buses: str = choice(
        "one", "row and column", default="one", doc="command buses: one, or one for each kind"
    )
    read_precharge: str = choice(
        "command",
        "burst",
        doc="what tRTP counts from: the read command, or the last prefetch of its burst",
    )

    def check(self) -> None:
        """A table must not contradict itself: tRC >= tRAS + tRP, L >= S, and refreshes leave time
        for a row between them.
        """
        rules = (
            (
                "tRC >= tRAS + tRP",
                self.tRC >= self.tRAS + self.tRP,
                f"tRC={self.tRC}, tRAS={self.tRAS}, tRP={self.tRP}",
            ),
            ("BL is even", self.BL % 2 == 0, f"BL={self.BL}"),
            (
                "WCK goes with one command bus",
                self.WCK is None or self.buses == "one",
                f"WCK={self.WCK}, buses={self.buses!r}",
            ),
            ("tRAS >= tRCDRD", self.tRAS >= self.tRCDRD, f"tRAS={self.tRAS}, tRCDRD={self.tRCDRD}"),
            ("tRAS >= tRCDWR", self.tRAS >= self.tRCDWR, f"tRAS={self.tRAS}, tRCDWR={self.tRCDWR}"),
            ("tXAW >= tRRDS", self.tXAW >= self.tRRDS, f"tXAW={self.tXAW}, tRRDS={self.tRRDS}"),
            ("tCCDL >= tCCDS", self.tCCDL >= self.tCCDS, f"tCCDL={self.tCCDL}, tCCDS={self.tCCDS}"),
            (
                "tCCDLW >= tCCDS",
                self.write_to_write >= self.tCCDS,
                f"tCCDLW={self.tCCDLW}, tCCDS={self.tCCDS}",
            ),
            ("tCCDS >= BL / 2", 2 * self.tCCDS >= self.BL, f"tCCDS={self.tCCDS}, BL={self.BL}"),
            ("tRRDL >= tRRDS", self.tRRDL >= self.tRRDS, f"tRRDL={self.tRRDL}, tRRDS={self.tRRDS}"),
            ("tWTRL >= tWTRS", self.tWTRL >= self.tWTRS, f"tWTRL={self.tWTRL}, tWTRS={self.tWTRS}"),
            # one row must close, and another open and answer, between two refreshes: else nothing
            # but refresh ever happens
            (
                "tREFI > tRFC + tRC + tRCD",
                self.tREFI > self.tRFC + self.tRC + max(self.tRCDRD, self.tRCDWR),
                f"tREFI={self.tREFI}, tRFC={self.tRFC}, tRC={self.tRC}, tRCDRD={self.tRCDRD}, "
                f"tRCDWR={self.tRCDWR}",
            ),
        )
        for rule, holds, values in rules:
            if not holds:
                raise ValueError(f"Timing {self.name}: {values} break the rule {rule}")

    @property
    def burst(self) -> int:
        """Cycles that one burst holds the data bus: BL / 2 (double data rate) (unit: cycles)."""
        return self.BL // 2

    @property
    def write_to_write(self) -> int:
        """Write command to write command, same bank group (unit: cycles)."""
        return self.tCCDL if self.tCCDLW is None else self.tCCDLW

    @property
    def read_to_write(self) -> int:
        """Read command to write command: the read's data leave the bus, and it turns round (unit:
        cycles).
        """
        return max(self.RL + self.burst - self.WL + self.tRTRS, self.tCCDS)

    @property
    def write_to_read(self) -> int:
        """Write command to read command, same bank group: WL + BL/2 + tWTRL, with the burst as the
        group holds it. Unit: cycles.
        """
        return self.WL + max(self.BL_group or 0, self.BL) // 2 + self.tWTRL

    @property
    def write_to_read_other(self) -> int:
        """Write command to read command, other bank group: WL + BL/2 + tWTRS. Unit: cycles."""
        return self.WL + self.burst + self.tWTRS

    @property
    def read_to_precharge(self) -> int:
        """Read command to precharge: tRTP, or BL/2 + max(tRTP, tCCD) - tCCD where tRTP counts from
        the last prefetch. Unit: cycles.
        """
        if self.read_precharge == "command":
            return self.tRTPL
        return self.burst + max(self.tRTPL, self.tCCDL) - self.tCCDL

    @property
    def write_to_precharge(self) -> int:
        """Write command to precharge: WL + BL/2 + tWR. Unit: cycles."""
        return self.WL + self.burst + self.tWR

    @property
    def row_to_row(self) -> int:
        """Last read of a row to the first read of the next one in the same bank (unit: cycles)."""
        return self.read_to_precharge + self.tRP + self.tRCDRD


class AimTiming(Timing):
    """Timing of a channel whose banks compute together, commands broadcast to all of them."""

    tRCDMAC: int = integer(
        1, _CYCLES, default=1, doc="activate of all banks to their first multiply-accumulate"
    )
    tRCDEW: int = integer(
        1, _CYCLES, default=1, doc="activate of all banks to an element-wise product"
    )
    tRCDAF: int = integer(
        1,
        _CYCLES,
        default=1,
        doc="activate of the tables' row in all banks to an activation function",
    )
    tRCDRDCP: int = integer(
        1, _CYCLES, default=1, doc="activate of a bank to a copy of its columns to the buffer"
    )
    tRCDWRCP: int = integer(
        1, _CYCLES, default=1, doc="activate of a bank to a copy of the buffer to its columns"
    )
    tMOD: int = integer(
        1,
        _CYCLES,
        default=1,
        doc="change between commands to the buffers and commands to the banks",
    )
    tREG: int = integer(
        1,
        _CYCLES,
        default=1,
        doc="read of the accumulators to the next write of buffers or accumulators",
    )


@named
def timing(name: str) -> Timing:
    """The timing table `name` of the catalogue, such as "hbm2"; ValueError with the nearest
    name. Its times are in the unit of the table's clock, cycles.
    """
    table = entry("dram", name)
    kind = AimTiming if "tRCDMAC" in table else Timing
    papers = {key for constant in table.values() for key in constant.sources}
    with naming(table.name):
        return kind(
            name=name,
            sources=tuple(sorted(papers)),
            tCK=table["tCK"].value,
            read_precharge=table.meta["read_precharge"],
            buses=table.meta.get("buses", "one"),
            **_symbols(table, kind),
        )


def _symbols(table: Entry, kind: type[Timing]) -> dict[str, int]:
    fields = [field for field in kind.fields() if field in table and field != "tCK"]
    return {field: int(table[field].value) for field in fields}
