"""Which machine is stage 2? A DRAM whose banks multiply and accumulate, beside a host that does the
rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from pimlab.constants import Constant, derive
from pimlab.cost import Energy, Prices, price
from pimlab.dram_pim import prices as events
from pimlab.dram_pim.arithmetic import Arithmetic
from pimlab.dram_pim.machine import NOTHING, Organisation, Schedule, Summary
from pimlab.dram_pim.timing import Timing
from pimlab.kernels.dram_timing import WRITE
from pimlab.keys import Key
from pimlab.machine.links import Link
from pimlab.machine.protocol import (
    Calibration,
    MacOp,
    Programmed,
    Target,
    VectorOp,
    checked_operands,
    checked_weights,
)
from pimlab.machine.work import BANKS, CHIP, DRAM, MEMORY
from pimlab.values import choice, integer, part, unknown

_CACHE_BITS = 16


class DramPim(Target):
    """A DRAM whose banks multiply and accumulate.

    Serves products with constant weights that bring at most `widest` input vectors an inference:
    each vector reads the weights from the banks again, while a host reads them once, so the banks
    lose their lead where the number of vectors nears their bandwidth over that of the pins
    (`organisation.bandwidth_ratio`, the `widest` of the presets). Convolutions and prefill run on
    `host`, as do vector operators and the addition of the bias in float32. Products of two
    activations run there too, unless attention="banks": then the right operand is a cache that
    grows in the banks, groups lie side by side over the channels, and appending one vector a group
    is charged. With activations="banks" the time and energy of the banks' activation functions are
    charged here (GDDR6-AiM: five by table, HBM-PIM: ReLU); a model's run computes their values in
    float32 like those of every vector operator, `activate` answers what the table gives.

    Where every bank at once would draw more than the packages may dissipate, the column commands to
    all banks come further apart (`paced`), as a memory controller would hold them back.
    """

    stage: ClassVar[int] = 2

    organisation: Organisation = part(
        Organisation, doc="banks, units and registers, or scalar cores"
    )
    timing: Timing | None = part(
        Timing, default=None, doc="DRAM timing table; None where cores count their own clock"
    )
    arithmetic: Arithmetic = part(Arithmetic, doc="what the banks compute with")
    energies: Prices = part(Prices, doc="energy of each event")

    channel_limit: Constant | None = part(
        Constant,
        default=None,
        doc="power that a channel's share of its package may dissipate, W; None: any power",
    )
    attention: str = choice("host", "banks", default="host", doc="who multiplies two activations")
    activations: str = choice(
        "host",
        "banks",
        default="host",
        doc="who computes the activation functions that the banks have",
    )
    widest: int | None = integer(
        1, default=None, doc="input vectors an inference a product may bring; None: any number"
    )
    row_buffers: str = choice(
        "one",
        "two",
        default="one",
        doc="two: others read through the pins while the banks compute, as in NeuPIMs",
    )
    link: Link | None = part(
        Link, default=None, doc="what leads to the machines beside it; None: it is their memory"
    )

    def check(self) -> None:
        """The organisation works by the timing table, and has what it is asked to compute."""
        try:
            self.organisation.check_timing(self.timing)
        except (TypeError, ValueError) as error:
            raise type(error)(f"DramPim {self.name}: {error}") from None
        if self.activations == "banks" and not self.organisation.activations:
            raise ValueError(
                f"DramPim {self.name} activations='banks': {type(self.organisation).__name__} has "
                "no activation function; "
                "allowed: activations='host'"
            )

        self._within_limit()

    def _within_limit(self) -> None:
        """Standby and refresh alone stay below the limit of the packages."""
        limit = self.power_limit
        still = sum(price(self._packages, self.prices).nominal.values())
        if limit is not None and still >= limit.value:
            raise ValueError(
                f"DramPim {self.name}: standby and refresh draw {still:.3g} W of the "
                f"{limit.value:.3g} W that its {self.organisation.channels} channels may "
                "dissipate; allowed: a higher channel_limit, or None for any power"
            )

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Products of at most `widest` vectors with constant weights, and with a cache in the banks
        where attention="banks"; activation functions of the banks where activations="banks".
        """
        if isinstance(op, VectorOp):
            return self.activations == "banks" and op.kind in self.organisation.activations
        if self.widest is not None and op.m > self.widest:
            return False
        return op.kind == "weights" or self.attention == "banks"

    def searched(self) -> Self:
        """Without the presets' `widest`, which compares the banks with a host that computes in no
        time and reads through the same pins: a search compares them with the hosts that are there.
        Another `widest` stays.
        """
        ratio = self.organisation.bandwidth_ratio(self.timing)
        preset = ratio is not None and self.widest == int(ratio)
        return self.but(widest=None) if preset else self

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the banks that the weights of `op`, or its cache, take up (unit 1)."""
        if not isinstance(op, MacOp) or not self.serves(op):
            return 0.0
        if op.kind == "activations":
            return self.organisation.occupancy(op.n * op.groups, op.k)
        return op.groups * self.organisation.occupancy(op.n, op.k)

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> BankWeights:
        """Weights laid out in the banks on their grid; `key` does not matter, nothing is random.

        ValueError for weights that are not finite, of a wrong shape, beyond the format or too many
        for the banks. w : float32, shape (k, n).
        """
        w, bias = checked_weights(w, bias, self.name)
        self.organisation.macs_done(w.shape[1], w.shape[0], 1)
        return BankWeights(self, w, bias, calibration)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Rows, bits by path, MACs and host additions of one inference over all channels, padding
        included. Unit: events.
        """
        if isinstance(op, VectorOp):
            return self._looked_up(op).events
        product, read, append, times = self._parts(op)
        total = dict(product.events)
        for more in (read, append):
            for name, count in more.events.items():
                total[name] = total.get(name, 0) + count
        if events.HOST_ADD in self.energies:
            outputs = op.n * op.groups // times
            total[events.HOST_ADD] = self.organisation.host_additions(outputs, op.m)
        return {name: count * times for name, count in total.items()}

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds [s] by phase, refresh included: mode switching, input broadcast, in-bank MAC,
        result write and read, and cache append; of an activation function: broadcast, row opening,
        table look-up, result read.
        """
        each = self.organisation.cycle(self.timing)
        if isinstance(op, VectorOp):
            return {phase: count * each for phase, count in self._looked_up(op).phases().items()}
        product, read, append, times = self._parts(op)
        cycles = product.phases()
        for name, more in (("result read", read), ("cache append", append)):
            if more.cycles:
                cycles[name] = cycles.get(name, 0) + more.cycles
        return {phase: times * count * each for phase, count in cycles.items()}

    def _looked_up(self, op: VectorOp) -> Schedule:
        """The schedule of an activation function by table."""
        self._refuse(op)
        return self.organisation.elementwise(self.paced, op.kind, op.elements, True, None)

    def _parts(self, op: MacOp) -> tuple[Summary, Summary, Summary, int]:
        """The product, reading its results, appending to the cache, and how often all of it
        happens.
        """
        self._refuse(op)
        together = op.groups if op.kind == "activations" else 1
        outputs, org, t = op.n * together, self.organisation, self.timing
        append = NOTHING
        if op.kind == "activations":
            bits = together * _appended(op) * _CACHE_BITS
            append = org.host_summary(
                t, -(-bits // (org.access_bits * org.channels)), WRITE, True, None
            )
        product = org.gemv_summary(self.paced, outputs, op.k, op.m, True, None)
        return product, org.results(t, outputs, op.k, op.m), append, op.groups // together

    def _refuse(self, op: MacOp | VectorOp) -> None:
        if not self.serves(op):
            raise ValueError(
                f"{self.name} does not serve {op.name!r} ({op}); allowed: products with constant "
                "weights (and of "
                f"activations with attention='banks') and m at most widest={self.widest}, and with "
                "activations='banks' "
                f"{', '.join(self.organisation.activations) or 'nothing else'}; the host does the "
                "rest"
            )

    def resources(self, op: MacOp | VectorOp) -> Mapping[str, str]:
        """Every phase blocks the DRAM channels, since all banks of a channel work together; with
        two row buffers only what passes the pins does.
        """
        inside = BANKS if self.row_buffers == "two" else DRAM
        return {phase: DRAM if phase in _PINS else inside for phase in self.latency(op)}

    @property
    def pins(self) -> float | None:
        """Bits a second through the pins of all channels, less the share of refresh (unit: bit/s);
        None for an organisation without a timing table.
        """
        t, org = self.timing, self.organisation
        if t is None:
            return None
        return org.channels * org.access_bits / (t.tCCDS * t.tCK) * (1 - t.tRFC / t.tREFI)

    @property
    def handover(self) -> float:
        """The last write of another machine reaches its row and the rows close, tWR + tRP after its
        data; then, after the banks, its row opens again, tRCD [s].
        """
        t = self.timing
        return 0.0 if t is None else (t.write_to_precharge + t.tRP + t.tRCDRD) * t.tCK

    @property
    def static_owners(self) -> Mapping[str, str]:
        """Refresh and standby are the memory's, a controller of its own is the chip's."""
        return {event: CHIP if event == events.CONTROLLER else MEMORY for event in self.static}

    @property
    def prices(self) -> Prices:
        """Energy of one event (catalogue room `pim`). Unit: J an event."""
        return self.energies

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the organisation, the timing table, the prices and the
        package.
        """
        keys = {*self.organisation.sources, *self.energies.sources}
        keys.update(() if self.timing is None else self.timing.sources)
        keys.update(() if self.channel_limit is None else self.channel_limit.sources)
        return tuple(sorted(keys))

    @property
    def static(self) -> Mapping[str, float]:
        """All-bank refreshes of every channel and rank, standby of every channel, and of the
        controller that a card has, a second (unit: 1/s).
        """
        rates = {events.BACKGROUND: float(self.organisation.channels)}
        if events.REFRESH in self.energies:
            rates[events.REFRESH] = self.organisation.refreshes_a_second(self.timing)
        if events.CONTROLLER in self.energies:
            rates[events.CONTROLLER] = 1.0
        return rates

    @property
    def _packages(self) -> dict[str, float]:
        """What the packages of the memory draw of `static`: all but a controller beside them."""
        return {name: rate for name, rate in self.static.items() if name != events.CONTROLLER}

    def all_bank_power(self) -> Energy:
        """Power (W) by component while every bank that computes streams rows through its unit,
        standby and refresh included.
        """
        return self._streaming(self.paced)

    def _streaming(self, t: Timing | None) -> Energy:
        """Power (W) by component of all banks by the timing table `t`."""
        counts, cycles = self.organisation.all_banks(t)
        seconds = cycles * self.organisation.cycle(t)
        return price(
            {**{name: count / seconds for name, count in counts.items()}, **self._packages},
            self.prices,
        )

    @property
    def power_limit(self) -> Constant | None:
        """What the packages of all channels may dissipate, W; None where no limit is known."""
        if self.channel_limit is None:
            return None
        channels = self.organisation.channels
        return derive(
            "package limit",
            lambda watt: watt * channels,
            self.channel_limit,
            unit="W",
            reason=f"limit of a channel x {channels} channels",
        )

    @property
    def paced(self) -> Timing | None:
        """The timing table by which all banks work together: tCCDL is stretched until their nominal
        power is within `power_limit`. Unit: cycles.
        """
        limit, t = self.power_limit, self.timing
        if limit is None or t is None or self._watts(t) <= limit.value:
            return t
        slow = t.tCCDL
        while self._watts(t.but(tCCDL=slow)) > limit.value:
            slow *= 2
        fast = slow // 2
        while slow - fast > 1:
            middle = (slow + fast) // 2
            if self._watts(t.but(tCCDL=middle)) > limit.value:
                fast = middle
            else:
                slow = middle
        return t.but(tCCDL=slow)

    def _watts(self, t: Timing) -> float:
        return sum(self._streaming(t).nominal.values())

    @property
    def causes(self) -> tuple[str, ...]:
        """Roundings of the arithmetic."""
        return self.arithmetic.causes

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named roundings, the others in float32; ValueError for an
        unknown name.
        """
        known_causes = tuple(self.arithmetic.rounded) or self.causes
        for name in causes:
            if name not in known_causes:
                raise ValueError(unknown(f"{self.name}: non-ideality", name, known_causes))
        return self.but(arithmetic=self.arithmetic.with_causes(causes))


_PINS = {"mode switching", "input broadcast", "result read", "result write", "cache append"}
"""Phases that pass commands or data over the pins."""


def _appended(op: MacOp) -> int:
    """Values that an inference appends to the cache of one group: the width of a head.

    Where the operator does not say, scores grow along n and values along k; of others the shorter
    side is taken for the head.
    """
    if op.appended is not None:
        return op.appended
    widths = {"scores": op.k, "qk": op.k, "values": op.n, "pv": op.n}
    return widths.get(op.name.rsplit(".", 1)[-1], min(op.k, op.n))


class BankWeights(Programmed):
    """Weights (k, n) in the banks of a `DramPim`."""

    def __init__(
        self,
        target: DramPim,
        w: np.ndarray,
        bias: np.ndarray | None,
        calibration: Calibration | None,
    ):
        self.target, self.bias, self.inputs = target, bias, w.shape[0]
        try:
            self.laid = target.arithmetic.lay(w, target.organisation, calibration)
        except ValueError as error:
            raise ValueError(f"{target.name}: {error}") from None
        self.weights_as = self.laid.weights_as
        if np.any(w) and not np.any(self.laid.w):
            raise ValueError(
                f"{target.name}: all weights vanish, the largest is {np.abs(w).max():.3g}; "
                f"allowed: weights that {type(target.arithmetic).__name__} tells from zero"
            )

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k), plus bias; a sum beyond the
        format's range is infinite.
        """
        y = self.target.arithmetic.multiply(
            checked_operands(x, self.inputs, self.target.name), self.laid
        )
        return y if self.bias is None else y + self.bias

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`matmul`, and how many sums left the range of the banks' format: they are infinite, or no
        number after that, or have wrapped in integer registers. x : float32, shape (batch, k);  y :
        float32, shape (batch, n).
        """
        y = self.matmul(x, key, at)
        x = checked_operands(x, self.inputs, self.target.name)
        return y, {"sums overflowed": self.target.arithmetic.overflowed(x, self.laid, y)}

    def lanes(self, x: np.ndarray) -> np.ndarray:
        """float32, shape (batch, n, lanes): what each lane holds before the host adds them;
        ValueError where there are no lanes.
        """
        return self.target.arithmetic.lanes(
            checked_operands(x, self.inputs, self.target.name), self.laid
        )
