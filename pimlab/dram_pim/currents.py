"""What does a DRAM command cost? From the currents of a data sheet or of measured chips (IDD), by
the equations of Micron's technical note TN-41-01, which DRAMPower and DRAMsim3 use too.

Each supply rail adds its own part. V is the rail's voltage; the currents are IDD0 (rows opened and
closed in turn), IDD2N (all rows closed), IDD3N (rows open), IDD4R and IDD4W (reads and writes
without pause), IDD5B (refreshes without pause):

    activation  V (IDD0 tRC - I1 tRAS - IDD2N tRP),  I1 = IDD2N + (IDD3N - IDD2N) / banks open
    read        V (IDD4R - IDD3N) burst
    write       V (IDD4W - IDD3N) burst
    refresh     V (IDD5B - IDD3N) tRFC
    standby     V IDD2N, and V IDD3N while rows are open

Where a sheet prints limits, the low end is what modules of the vendor that drew least did draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.catalogue import Entry, entry
from pimlab.constants import Constant, derive

ACTIVATE, READ_BIT, WRITE_BIT, PIN_READ_BIT, PIN_WRITE_BIT, REFRESH, STANDBY, OPEN_STANDBY = (
    "activation",
    "read bit",
    "write bit",
    "read bit at the pins",
    "write bit at the pins",
    "refresh",
    "standby",
    "standby with open rows",
)
"""One row of one bank opened and closed; bits between the bank and the periphery; what the pins add
to them where the source tells them apart; one all-bank refresh of one channel; power of one channel
with all rows closed, and with rows open.
"""
_CORE = ("core", "second", "pump")
_LAW = "IDD equation of pimlab.dram_pim.currents"


def _times(product: Constant, *factors: Constant) -> Constant:
    for factor in factors:
        product = derive(
            product.name, lambda a, b: a * b, product, factor, unit=product.unit, reason=_LAW
        )
    return product


def _total(name: str, unit: str, rails: list[Constant]) -> Constant:
    total = rails[0]
    for rail in rails[1:]:
        total = derive(name, lambda a, b: a + b, total, rail, unit=unit, reason=_LAW)
    return total


class _Sheet:
    """The rails and times of one file of catalogue room `currents`."""

    def __init__(self, table: Entry):
        self.table = table
        drawn = table.meta.get("drawn")
        self.drawn = None if drawn is None else entry("energy", f"drawn-{drawn}")

    def sum(
        self,
        name: str,
        rule: Callable[..., float],
        currents: tuple[str, ...],
        times: tuple[str, ...],
        unit: str,
        rails: tuple[str, ...] = _CORE,
    ) -> Constant:
        """`rule(voltage, *currents, *times)` over the rails that have these currents, for one
        channel; MissingError where none has.
        """
        parts = []
        for rail in rails:
            keys = (f"{rail}.voltage", *(f"{rail}.{current}" for current in currents), *times)
            if all(key in self.table for key in keys):
                parts.append(
                    derive(name, rule, *(self.table[key] for key in keys), unit=unit, reason=_LAW)
                )
        if not parts:
            self.table[f"{rails[0]}.{currents[0]}"]
        channels = self.table["channels"]
        total = _total(name, unit, parts)
        return derive(name, lambda all_, n: all_ / n, total, channels, unit=unit, reason=_LAW)

    def as_drawn(self, kind: str, energy: Constant) -> Constant:
        """The energy with what modules drew of a printed limit as its low end."""
        return energy if self.drawn is None else _times(energy, self.drawn[kind])


def _activation(sheet: _Sheet) -> Constant:
    """Energy of one activation and precharge [J]; its high end is the IDD7 loop's where the file
    has that current.
    """
    one = sheet.sum(
        ACTIVATE,
        lambda v, i0, i2, i3, ras, rp, banks: (
            v * (i0 * (ras + rp) - (i2 + (i3 - i2) / banks) * ras - i2 * rp)
        ),
        ("i0", "i2n", "i3n"),
        ("tRAS", "tRP", "banks_open"),
        "J",
    )
    one = sheet.as_drawn("activate", one)
    if "core.i7" not in sheet.table:
        return one
    many = sheet.sum(
        ACTIVATE,
        lambda v, i7, i4r, time: v * (i7 - i4r) * time,
        ("i7", "i4r"),
        ("interleave",),
        "J",
    )
    return one.but(high=max(one.high, many.value))


def _column(sheet: _Sheet, kind: str, current: str, name: str, rails: tuple[str, ...]) -> Constant:
    energy = sheet.sum(
        name,
        lambda v, i4, i3, burst, bits: v * max(i4 - i3, 0.0) * burst / bits,
        (current, "i3n"),
        ("burst", "access_bits"),
        "J",
        rails,
    )
    return sheet.as_drawn(kind, energy)


def _columns(sheet: _Sheet) -> dict[str, Constant]:
    """Energy of a bit read and written [J], on the die and at the pins."""
    table, found = sheet.table, {}
    for kind, current, name, pins in (
        ("read", "i4r", READ_BIT, PIN_READ_BIT),
        ("write", "i4w", WRITE_BIT, PIN_WRITE_BIT),
    ):
        die = _column(sheet, kind, current, name, _CORE)
        if "pattern" in table:
            die = _times(die, table["pattern"])
        if "pins_share" in table:
            share = table["pins_share"]
            found[pins] = derive(pins, lambda a, s: a * s, die, share, unit="J", reason=_LAW)
            die = derive(name, lambda a, s: a * (1 - s), die, share, unit="J", reason=_LAW)
        if "pins.voltage" in table:
            found[pins] = _column(sheet, kind, current, pins, ("pins",))
        found[name] = die
    return found


@typed
def command_energies(currents: str | Entry) -> dict[str, Constant]:
    """What the commands of one channel cost by the currents of a name of catalogue room `currents`,
    such as "ddr5", "gddr6", "lpddr5x", "hbm2" or "hbm3e", or of a file that `catalogue.load` read:
    activation and refresh [J], bits read and written [J], and standby with rows closed and open
    [W]. ValueError with the nearest name.

    >>> energies = command_energies("hbm2")
    >>> f"{energies['activation'].value:.2e} {energies['activation'].unit}"
    '9.48e-10 J'
    """
    sheet = _Sheet(entry("currents", currents) if isinstance(currents, str) else currents)
    refresh = sheet.sum(
        REFRESH, lambda v, i5, i3, rfc: v * (i5 - i3) * rfc, ("i5b", "i3n"), ("tRFC",), "J"
    )
    closed = sheet.sum(STANDBY, lambda v, i: v * i, ("i2n",), (), "W")
    opened = sheet.sum(OPEN_STANDBY, lambda v, i: v * i, ("i3n",), (), "W")
    return {
        ACTIVATE: _activation(sheet),
        **_columns(sheet),
        REFRESH: sheet.as_drawn("refresh", refresh),
        STANDBY: sheet.as_drawn("standby", closed),
        OPEN_STANDBY: sheet.as_drawn("standby", opened),
    }


_COMPONENTS = ("activation", "read", "write", "pins", "refresh", "standby")


@typed
def trace_energy(
    trace: xr.Dataset, currents: str | Entry, *, clock: float, access_bits: int
) -> xr.Dataset:
    """Energy of the commands of one channel, as `schedule` returns them, by currents of the
    catalogue.

    clock : seconds a cycle [s];  access_bits : bits that one column command moves.
    Dataset over `component`: energy, energy_low, energy_high [J]; `open_share` of the time some row
    is open (unit 1), and `power` [W]. ValueError for unknown currents.
    """
    if not {"command", "cycle"} <= set(trace) or "cycles" not in trace.attrs:
        raise ValueError(
            "trace_energy trace has no command, cycle and attrs['cycles']; allowed: what "
            "pimlab.dram_pim.schedule returns"
        )
    for name, value in (("clock", clock), ("access_bits", access_bits)):
        if not 0 < value < math.inf:
            raise ValueError(f"trace_energy {name}={value!r}; allowed: above 0, and finite")
    counts = {
        command: int((trace.command.values == command).sum())
        for command in ("ACT", "RD", "WR", "REF")
    }
    opened = _open_cycles(trace)
    seconds = (opened * clock, (int(trace.attrs["cycles"]) - opened) * clock)
    return counted_energy(counts, seconds, currents, access_bits=access_bits)


@typed
def counted_energy(
    counts: Mapping[str, int],
    seconds: tuple[float, float],
    currents: str | Entry,
    *,
    access_bits: int,
) -> xr.Dataset:
    """As `trace_energy`, of commands that are only counted.

    counts : commands of one channel by "ACT", "RD", "WR" and "REF";  seconds : with some row open,
    and with all closed [s].
    """
    energies, (opened, closed) = command_energies(currents), seconds
    read, written = counts["RD"] * access_bits, counts["WR"] * access_bits
    uses: dict[str, list[tuple[str, float]]] = {
        "activation": [(ACTIVATE, counts["ACT"])],
        "read": [(READ_BIT, read)],
        "write": [(WRITE_BIT, written)],
        "pins": [(PIN_READ_BIT, read), (PIN_WRITE_BIT, written)],
        "refresh": [(REFRESH, counts["REF"])],
        "standby": [(STANDBY, closed), (OPEN_STANDBY, opened)],
    }
    answer, total = _spent(uses, energies), opened + closed
    return answer.assign(
        open_share=((), opened / total, {"units": "1", "long_name": "time with open rows"}),
        power=((), float(answer.energy.sum()) / total, {"units": "W"}),
    ).assign_attrs(
        currents=currents if isinstance(currents, str) else currents.name,
        sources=",".join(sorted({key for one in energies.values() for key in one.sources})),
    )


def _spent(
    uses: Mapping[str, list[tuple[str, float]]], energies: Mapping[str, Constant]
) -> xr.Dataset:
    """Joules by component, nominal and both ends."""
    ends = {"energy": "value", "energy_low": "low", "energy_high": "high"}
    return xr.Dataset(
        {
            variable: (
                "component",
                [
                    sum(n * getattr(energies[key], end) for key, n in uses[part] if key in energies)
                    for part in _COMPONENTS
                ],
                {"units": "J", "long_name": "energy of one channel"},
            )
            for variable, end in ends.items()
        },
        {"component": list(_COMPONENTS)},
    )


def _open_cycles(trace: xr.Dataset) -> int:
    """Cycles in which at least one bank has an open row, up to the last command."""
    step = np.select([trace.command.values == "ACT", trace.command.values == "PRE"], [1, -1], 0)
    open_rows = np.cumsum(step)
    until = np.append(trace.cycle.values[1:], int(trace.attrs["cycles"]))
    return int((until - trace.cycle.values)[open_rows > 0].sum())
