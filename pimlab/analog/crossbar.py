"""What is an analog machine? Arrays of cells with converters at their edges, and a digital host for
the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from pimlab.analog.circuit.wires import Wires
from pimlab.analog.compensation import COMPENSATIONS, Compensation, Refresh
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.costs import MacroCosts, macro
from pimlab.analog.devices import Device
from pimlab.analog.mapping import Slices
from pimlab.analog.programmed import BiasInRows, ProgrammedCrossbar, bias_inputs
from pimlab.cost import Prices
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import Calibration, MacOp, Target, VectorOp, checked_weights
from pimlab.values import choice, integer, number, part, unknown

CAUSES = (
    "dac",
    "i-v curve",
    "programming",
    "defects",
    "drift",
    "temperature",
    "wires",
    "read noise",
    "adc",
)
_CELL_PARTS = {
    "i-v curve": "current",
    "programming": "programming",
    "defects": "defects",
    "drift": "drift",
    "temperature": "temperature",
    "read noise": "read_noise",
}
_MACHINE_PARTS = {"dac": "dac", "wires": "wires", "adc": "adc"}
SUM_BITS = 16
"""Bits of a partial sum as it moves between arrays and buffer."""
IDEAL_CELL = Device(name="ideal", g_min=0.0, g_max=1e-5)
"""Takes any conductance in its range exactly and keeps it."""


class Crossbar(Target):
    """Arrays of rows x cols cells (pairs, in differential coding); an absent part is ideal.

    Inputs longer than `rows` are split over arrays whose digitised partial sums are added in order
    of the rows. Outputs wider than `cols` go to further arrays that convert the inputs again.
    Biases are added digitally, or held by `bias_rows` word lines. coding: "differential", a pair of
    cells a weight whose currents subtract before the ADC (`subtract="digital"`: each is converted);
    "offset", one cell a weight, the middle of the range being 0, taken off digitally from the sum
    of the inputs; "offset column", the same taken off by a column of reference cells in each array,
    with its own conversion; "complement", two's complement, the sign bit a plane of its own
    (integer weights). Behind wires read noise is Gaussian, of the cells' moments and first-order
    sensitivities, also where few inputs are active. Without calibration each input row is scaled by
    its own largest magnitude, and ADC ranges follow from the weights.

    >>> cell, dac, adc = pim.device("reram-wan2022"), pim.DAC(bits=8), pim.ADC(bits=8)
    >>> small = pim.Crossbar(rows=128, cols=128, cell=cell, dac=dac, adc=adc)
    >>> small.but(adc=pim.ADC(bits=6)).adc.bits
    6
    """

    stage: ClassVar[int] = 3

    name: str = "crossbar"
    rows: int = integer(1, 2**16, default=256, doc="word lines: inputs an array takes at once")
    cols: int = integer(
        1, 2**16, default=256, doc="columns: outputs of one weight plane an array gives at once"
    )
    cell: Device | None = part(Device, default=None)
    dac: DAC | None = part(DAC, default=None)
    adc: ADC | None = part(ADC, default=None)
    wires: Wires | None = part(Wires, default=None)
    coding: str = choice(
        "differential", "offset", "offset column", "complement", default="differential"
    )
    subtract: str = choice(
        "analog", "digital", default="analog", doc="where a differential pair is subtracted"
    )
    slices: Slices | None = part(
        Slices, default=None, doc="integer weights spread over cells; None: analog weights"
    )
    devices: int = integer(1, 64, default=1, doc="cells side by side that share each conductance")
    scaling: str = choice(
        "layer", "tile", "column", default="column", doc="which weights share the full-scale weight"
    )
    coverage: float = number(
        above=0,
        high=1,
        default=1.0,
        doc="quantile of |w| that becomes full scale; larger ones saturate",
    )
    bias_rows: int | None = integer(
        1, default=None, doc="word lines that hold the bias, driven at full scale; None: digital"
    )
    capacity: int | None = integer(
        1, default=None, doc="arrays there are; None: as many as a layer takes"
    )
    compensation: Compensation | None = part(*COMPENSATIONS, default=None)
    refresh: Refresh | None = part(Refresh, default=None, doc="None: weights are written once")
    costs: MacroCosts = part(
        MacroCosts, default=macro("generic-22nm"), doc="a published macro, or parts put together"
    )

    def check(self) -> None:
        """Two's complement holds integers; digital subtraction is of pairs."""
        if self.coding == "complement" and self.slices is None:
            raise ValueError(
                f"{self.name}: coding='complement' needs integer weights; write "
                "slices=Slices(bits=8, per_cell=1)"
            )
        levels = self.pair_cell.levels
        if levels is not None and (self.slices is None or self.slices.largest_digit >= levels):
            asked = (
                "any conductance (slices=None)"
                if self.slices is None
                else f"{self.slices.largest_digit + 1} (slices={self.slices})"
            )
            bits = levels.bit_length() - 1
            raise ValueError(
                f"{self.name}: cell {self.pair_cell.name} holds {levels} levels, not {asked}; "
                "write for example "
                f"slices=Slices(bits=8, per_cell={bits})"
            )
        if (
            self.wires is not None
            and not self.wires.linear
            and (self.dac is None or self.dac.drive != 1)
        ):
            raise ValueError(
                f"{self.name}: wires of topology {self.wires.topology!r} switch cells by single "
                "bits; write "
                "dac=DAC(bits=8, encoding='bit serial')"
            )
        if (
            self.wires is not None
            and self.wires.differential
            and (self.coding != "differential" or self.subtract != "analog")
        ):
            raise ValueError(
                f"{self.name}: wires of topology {self.wires.topology!r} carry pairs; write "
                "coding='differential', "
                "subtract='analog', or topology 'A' or 'B'"
            )
        if self.subtract == "digital" and self.coding != "differential":
            raise ValueError(
                f"{self.name}: subtract='digital' is for coding='differential', not {self.coding!r}"
            )

    @property
    def pair_cell(self) -> Device:
        """The cell, or the ideal one."""
        return IDEAL_CELL if self.cell is None else self.cell

    @property
    def background(self) -> float:
        """What an empty cell conducts, relative to the conductance range."""
        return self.pair_cell.g_min / (self.pair_cell.g_max - self.pair_cell.g_min)

    @property
    def signed_inputs(self) -> bool:
        """Whether the drivers can give negative inputs."""
        return self.dac is None or self.dac.codes != "unsigned"

    @property
    def array_columns(self) -> int:
        """Columns on the input lines of one array: `cols`, and its reference column where there is
        one.
        """
        return self.cols + (self.coding == "offset column")

    @property
    def gated(self) -> bool:
        """Whether inputs switch cells, so that what drivers add to their level does not matter."""
        return self.wires is not None and not self.wires.linear

    @property
    def steps(self) -> int:
        """Reads an input takes."""
        return 1 if self.dac is None else self.dac.steps

    @property
    def input_bits(self) -> int:
        """Bits of one input as it is stored; 16 where there is no DAC."""
        return SUM_BITS if self.dac is None else self.dac.bits

    @property
    def read_voltage(self) -> float:
        """Voltage of a full input, V."""
        return self.costs.read_voltage

    @property
    def columns_a_weight(self) -> int:
        """Converted columns each weight column takes."""
        if self.slices is None:
            count = 1
        elif self.coding == "complement":
            count = 1 - (-(self.slices.bits - 1) // self.slices.per_cell)
        else:
            count = -(-(self.slices.bits - (self.coding == "differential")) // self.slices.per_cell)
        return 2 * count if self.subtract == "digital" else count

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Products with constant weights; everything else is the host's."""
        return isinstance(op, MacOp) and op.kind == "weights"

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> ProgrammedCrossbar | BiasInRows:
        """Weights w float32 (k, n) written to cells; bias float32 (n,) is added digitally, or held
        by bias rows.

        ValueError for weights that are not finite or not two-dimensional.
        """
        w, bias = checked_weights(w, bias, self.name)
        down, across = self.arrays(MacOp(name="weights", m=1, k=w.shape[0], n=w.shape[1]))
        if self.capacity is not None and down * across > self.capacity:
            raise ValueError(
                f"{self.name}: weights {w.shape} take {down} x {across} arrays; allowed: "
                f"{self.capacity} (capacity)"
            )
        if bias is None or self.bias_rows is None:
            return ProgrammedCrossbar(self, w, as_key(key), bias, calibration)
        return self._with_bias_rows(w, as_key(key), bias, self.bias_rows, calibration)

    def _with_bias_rows(
        self, w: np.ndarray, key: Key, bias: np.ndarray, rows: int, calibration: Calibration | None
    ) -> BiasInRows:
        if calibration is None:
            raise ValueError(
                f"{self.name}: bias_rows={rows} needs a calibration: the drivers' full scale must "
                "be fixed"
            )
        full_scale = max(abs(calibration.x.low), abs(calibration.x.high)) or 1.0
        share = bias / (rows * full_scale)
        needed = np.abs(share).max() / (np.abs(w).max() or 1.0)
        if needed > 1:
            raise ValueError(
                f"{self.name}: bias_rows={rows} cannot hold bias {np.abs(bias).max()}; allowed: "
                f"{int(np.ceil(needed * rows))} or more"
            )
        held = np.vstack([w, np.tile(share.astype(np.float32), (rows, 1))])
        sample = bias_inputs(np.asarray(calibration.sample, np.float32), rows, full_scale)
        driven = Calibration(x=calibration.x, y=calibration.y, sample=sample, rule=calibration.rule)
        return BiasInRows(ProgrammedCrossbar(self, held, key, None, driven), rows, full_scale)

    def _word_lines(self, op: MacOp) -> int:
        return op.k + (self.bias_rows or 0)

    def arrays(self, op: MacOp) -> tuple[int, int]:
        """How many arrays one group's weights take along inputs and along outputs."""
        return -(-self._word_lines(op) // self.rows), -(-op.n * self.columns_a_weight // self.cols)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Counts of one inference: reads of an array, conversions, digital adds of partial sums,
        scalings, bits moved.

        Only events that the macro prices are counted: what a published total already holds is not
        charged twice.
        """
        if not isinstance(op, MacOp) or not self.serves(op):
            return {}
        down, across = self.arrays(op)
        reads = op.groups * op.m * self.steps
        references = (
            self.columns_a_weight * -(-op.n // self.cols) if self.coding == "offset column" else 0
        )
        sums = down * self.columns_a_weight * self.steps
        inputs, outputs = op.groups * op.m * op.k, op.groups * op.m * op.n
        counts = {
            "array read": reads * down * across,
            "DAC conversion": reads * self._word_lines(op) * across if self.dac is not None else 0,
            "ADC conversion": reads * down * (op.n * self.columns_a_weight + references)
            if self.adc is not None
            else 0,
            "sample": reads * down * (op.n * self.columns_a_weight + references)
            if self.adc is not None
            else 0,
            "digital add": outputs * (sums - 1) + (outputs * sums if references else 0),
            "digital scale": outputs,
            "buffer bit": inputs * self.input_bits * across + outputs * SUM_BITS,
            "network bit": inputs * self.input_bits * across + outputs * SUM_BITS * down,
        }
        return {event: count for event, count in counts.items() if event in self.prices}

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds of one inference: the m input rows of an operator follow each other through its
        arrays, which all work at once.
        """
        if not isinstance(op, MacOp) or not self.serves(op):
            return {}
        phases = {"array read": op.m * self.steps * self.costs.read_time}
        if self.adc is not None and self.adc.clock is not None:
            phases["ADC conversion"] = op.m * self.steps * self.adc.conversion_time
        return phases

    @property
    def prices(self) -> Prices:
        """Energy of one event, by the macro's constants; an ADC without one is priced by the survey
        at its effective bits.
        """
        return self.costs.prices(
            None if self.adc is None else (self.adc.enob or float(self.adc.bits))
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the cells."""
        return self.pair_cell.sources

    @property
    def varies(self) -> bool:
        """Whether cells or converters have any randomness or drift."""
        return (
            self.pair_cell.varies
            or (self.dac is not None and self.dac.uneven and not self.gated)
            or (self.adc is not None and (self.adc.uneven or self.adc.noise > 0))
        )

    @property
    def causes(self) -> tuple[str, ...]:
        """The non-idealities present, in the order in which a signal meets them."""
        return tuple(cause for cause in CAUSES if self._part(cause) is not None)

    def _part(self, cause: str) -> object:
        owner = self if cause in _MACHINE_PARTS else self.pair_cell
        return getattr(owner, _MACHINE_PARTS.get(cause) or _CELL_PARTS[cause])

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named non-idealities. ValueError for one it does not have."""
        for cause in causes:
            if cause not in self.causes:
                raise ValueError(f"{self.name}: {unknown('non-ideality', cause, self.causes)}")
        cell = self.pair_cell.but(
            **{name: None for cause, name in _CELL_PARTS.items() if cause not in causes}
        )
        return self.but(
            cell=cell,
            **{name: None for cause, name in _MACHINE_PARTS.items() if cause not in causes},
        )
