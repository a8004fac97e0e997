"""What is an analog machine made of? Arrays of cells, converters at their edges, a way of coding
weights, and the prices of a read.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pimlab.analog.circuit.wired import Place
from pimlab.analog.circuit.wires import Wires
from pimlab.analog.compensation import COMPENSATIONS, Compensation, Refresh
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.costs import MacroCosts, macro
from pimlab.analog.devices import Device, SelectedCurrent, SteepCurrent
from pimlab.analog.digital import DigitalUnits
from pimlab.analog.faults import ArrayFaults
from pimlab.analog.mapping import Slices
from pimlab.machine.protocol import MacOp, Target, VectorOp
from pimlab.values import choice, integer, number, part, quantity

SUM_BITS = 16
"""Bits of a partial sum as it moves between arrays and buffer."""
IDEAL_CELL = Device(name="ideal", g_min=0.0, g_max=1e-5)
"""Takes any conductance in its range exactly and keeps it."""


class ArrayDesign(Target):
    """The parts of a `Crossbar` and what follows from them alone; `Crossbar` says what they
    mean.
    """

    stage: ClassVar[int] = 3

    name: str = "crossbar"
    rows: int = integer(1, 2**16, default=256, doc="word lines: inputs an array takes at once")
    cols: int = integer(
        1, 2**16, default=256, doc="columns: outputs of one weight plane an array gives at once"
    )
    cell: Device | None = part(Device, default=None)
    dac: DAC | None = part(DAC, default=None)
    wires: Wires | None = part(Wires, default=None)
    corner: str = choice(
        "near",
        "far",
        default="near",
        doc="where a matrix smaller than its array stands: beside drivers and senses, or away",
    )
    faults: ArrayFaults | None = part(
        ArrayFaults, default=None, doc="shorts, opens, broken lines, unequal segments; None: none"
    )
    adc: ADC | None = part(ADC, default=None)
    coding: str = choice(
        "differential", "offset", "offset column", "complement", default="differential"
    )
    pairs: str = choice(
        "one-sided",
        "balanced",
        default="one-sided",
        doc="differential pair of a weight w: its magnitude beside an empty cell, or both halves "
        "of the range moved apart, (1 + w) / 2 and (1 - w) / 2",
    )
    subtract: str = choice(
        "analog", "digital", default="analog", doc="where a differential pair is subtracted"
    )
    current_limit: float | None = quantity(
        "A", above=0, default=None, doc="of a column (pair) before its converter; None: no limit"
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
    carry_columns: int = integer(
        0, 64, default=0, doc="columns beside each weight that take a digital adder's carries"
    )
    capacity: int | None = integer(
        1, default=None, doc="arrays there are; None: as many as a layer takes"
    )
    interval: float | None = quantity(
        "s",
        above=0,
        default=None,
        doc="from one read of a matrix to the next; None: back to back, the macro's read time",
    )
    compensation: Compensation | None = part(*COMPENSATIONS, default=None)
    refresh: Refresh | None = part(Refresh, default=None, doc="None: weights are written once")
    digital: DigitalUnits | None = part(
        DigitalUnits, default=None, doc="None: the host computes what is no product"
    )
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
        if self.columns_a_weight + self.carry_columns > self.cols > 1 and self.carry_columns:
            raise ValueError(
                f"{self.name}: a weight takes {self.columns_a_weight} columns and carry_columns="
                f"{self.carry_columns}; allowed: cols={self.cols} together"
            )
        self._check_levels()
        self._check_wires()
        self._check_converters()
        if self.subtract == "digital" and self.coding != "differential":
            raise ValueError(
                f"{self.name}: subtract='digital' is for coding='differential', not {self.coding!r}"
            )
        if self.pairs == "balanced" and (self.coding != "differential" or self.slices is not None):
            raise ValueError(
                f"{self.name}: pairs='balanced' holds analog weights in coding='differential', not "
                f"slices={self.slices} in {self.coding!r}; allowed there: 'one-sided'"
            )

    def _check_levels(self) -> None:
        """The cell has a level for each digit."""
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

    def _check_wires(self) -> None:
        """Wires fit the drivers and the coding, and faults of lines the wires."""
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
        self._check_selectors()
        if self.faults is not None:
            self.faults.check_wires(self.wires, self.name)
            if self.faults.in_lines and self.wires is not None and self.pair_cell.current:
                raise ValueError(
                    f"{self.name}: faults of lines behind wires are solved for linear cells, not "
                    f"for those of {self.pair_cell.name}; allowed: wires=None, or shorts and opens"
                )

    def _check_selectors(self) -> None:
        """Selectors stand in pairs, and one a cell."""
        if not isinstance(self.pair_cell.current, SelectedCurrent):
            return
        if self.coding != "differential":
            raise ValueError(
                f"{self.name}: what an empty cell conducts through its selector hangs on the "
                f"voltage, so that coding={self.coding!r} cannot take it off; allowed: "
                "'differential'"
            )
        if self.devices > 1 and self.wires is not None:
            raise ValueError(
                f"{self.name}: devices={self.devices}, each behind a selector of its own, are not "
                "solved with wires; allowed: 1, or wires=None"
            )

    def _check_converters(self) -> None:
        """Converters fit the macro's prices and the coding."""
        if (
            self.dac is not None
            and self.dac.slot is not None
            and "slot" in dict(self.costs.step_times)
        ):
            raise ValueError(
                f"{self.name}: DAC slot={self.dac.slot} s beside the slots that macro "
                f"{self.costs.name!r} states; allowed: None"
            )
        if self.adc is not None and self.adc.parts is not None and self.costs.holds_the_adc:
            raise ValueError(
                f"{self.name}: ADC parts={self.adc.parts} beside macro {self.costs.name!r}, whose "
                "own prices hold the conversions; allowed: parts=None, or another costs"
            )
        if self.current_limit is not None and self.pulse_width:
            raise ValueError(
                f"{self.name}: current_limit={self.current_limit} A of pulse widths would differ "
                "from slot to slot; allowed: amplitudes or bits, or None"
            )
        if self.combined and (self.coding == "complement" or self.subtract == "digital"):
            raise ValueError(
                f"{self.name}: slices combine='analog' adds columns of one sign, or of pairs that "
                f"are subtracted before, not coding={self.coding!r} subtract={self.subtract!r}; "
                "allowed there: 'digital'"
            )

    @property
    def pair_cell(self) -> Device:
        """The cell, or the ideal one."""
        return IDEAL_CELL if self.cell is None else self.cell

    @property
    def background(self) -> float:
        """What an empty cell conducts, relative to the conductance range (unit 1)."""
        return self.pair_cell.g_min / (self.pair_cell.g_max - self.pair_cell.g_min)

    @property
    def signed_inputs(self) -> bool:
        """Whether the drivers can give negative inputs."""
        return self.dac is None or self.dac.codes != "unsigned"

    @property
    def array_columns(self) -> int:
        """Columns on the input lines of one array: `cols`, and its reference column where there is
        one (unit: columns).
        """
        return self.cols + (self.coding == "offset column")

    @property
    def place(self) -> Place:
        """Where in its array a matrix stands."""
        return Place(self.rows, self.array_columns, self.corner == "far")

    @property
    def gated(self) -> bool:
        """Whether inputs switch cells, so that what drivers add to their level does not matter."""
        return self.wires is not None and not self.wires.linear

    @property
    def steps(self) -> int:
        """Reads an input takes (unit: reads)."""
        return 1 if self.dac is None else self.dac.steps

    @property
    def pulse_width(self) -> bool:
        """Whether inputs are pulses of full voltage."""
        return self.dac is not None and self.dac.encoding == "pulse width"

    def effective_input(self, relative: np.ndarray) -> np.ndarray:
        """What drives the conductance of cells at an input `relative` to full scale, float32,
        shape (...): the input itself, or as much more as steep cells conduct, or as much less as a
        full cell does through its selector.
        """
        curve, volts = self.pair_cell.current, self.read_voltage
        if isinstance(curve, SelectedCurrent) and not self.pulse_width:
            full = np.array(self.pair_cell.g_max)
            through = curve.current(full, np.asarray(relative, float) * volts)
            return (through / curve.current(full, np.array(volts))).astype(np.float32)
        if not isinstance(curve, SteepCurrent):
            return relative
        if self.pulse_width:
            return relative * np.float32(curve.effective_voltage(np.array(volts)) / volts)
        return (curve.effective_voltage(np.asarray(relative, float) * volts) / volts).astype(
            np.float32
        )

    @property
    def drive(self) -> int:
        """Code of a full input in one step (unit: codes); 1 without a DAC."""
        return 1 if self.dac is None else self.dac.drive

    def relative_limit(self, digit: float) -> float | None:
        """`current_limit` as sums of a plane count: in input codes times digits, of which a full
        conductance is `digit` (unit 1), shared by the devices side by side.
        """
        if self.current_limit is None:
            return None
        cell = self.pair_cell
        window = cell.window(self.read_voltage)
        full = window / digit * self.devices * self.read_voltage / self.drive
        return self.current_limit / full

    @property
    def input_top(self) -> int:
        """Code of a full input (unit: codes); 1 without a DAC."""
        return 1 if self.dac is None else self.dac.top

    @property
    def weight_top(self) -> int:
        """Code of a full-scale weight (unit: codes); 1 for analog weights."""
        return 1 if self.slices is None else self.slices.top

    @property
    def final_divisor(self) -> int:
        """What sums are divided by at the end of a read: `input_top` where weights are integers, so
        that sums of integer products stay integers until then (unit: codes); 1 for analog weights.
        """
        return 1 if self.slices is None else self.input_top

    @property
    def read_interval(self) -> float:
        """Seconds [s] from one read of a matrix to the next: back to back, or `interval`."""
        return self.steps * self.costs.read_time if self.interval is None else self.interval

    @property
    def settling_time(self) -> float:
        """Seconds [s] until the wires of an array are within half a step of its converters (without
        any: 8 bits); 0.0 without wires or capacitance.
        """
        if self.wires is None:
            return 0.0
        bits = 8 if self.adc is None else self.adc.bits
        return self.wires.settling(self.rows, self.array_columns, bits)

    @property
    def integration_time(self) -> float:
        """Seconds [s] that the voltage stands across the cells in one read at full input: all slots
        of a pulse width, the macro's `integration_time` otherwise.
        """
        time, slot = self.costs.integration_time, dict(self.costs.step_times).get("slot")
        if self.dac is None or not self.pulse_width:
            return time
        if slot is None:
            return self.dac.pulse(time)
        return self.costs.phases * self.drive * slot.value

    @property
    def conducts(self) -> bool:
        """Whether the macro prices what cells conduct; in charge-domain and digital ones none
        does.
        """
        return "cell read" in dict(self.costs.constants)

    def phases(self, codes: np.ndarray) -> list[tuple[float, np.ndarray]]:
        """(weight, codes) of each step of a read, whose weighted sum is `codes`, float32, shape
        (batch, k).
        """
        return [(1.0, codes)] if self.dac is None else self.dac.phases(codes)

    @property
    def input_bits(self) -> int:
        """Bits of one input as it is stored (unit: bits); 16 where there is no DAC."""
        return SUM_BITS if self.dac is None else self.dac.bits

    @property
    def read_voltage(self) -> float:
        """Voltage of a full input [V]."""
        return self.costs.read_voltage

    @property
    def columns_a_weight(self) -> int:
        """Converted columns each weight column takes (unit: columns)."""
        if self.slices is None:
            count = 1
        elif self.coding == "complement":
            count = 1 - (-(self.slices.bits - 1) // self.slices.per_cell)
        else:
            count = -(-(self.slices.bits - (self.coding == "differential")) // self.slices.per_cell)
        return 2 * count if self.subtract == "digital" else count

    @property
    def combined(self) -> bool:
        """Whether the columns of a weight are added before the one conversion they have."""
        return self.slices is not None and self.slices.combine == "analog"

    @property
    def conversions_a_weight(self) -> int:
        """Conversions each weight column takes in one step of an input."""
        return 1 if self.combined else self.columns_a_weight

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Products with constant weights, and what the chip's digital units do; everything else is
        the host's.
        """
        if isinstance(op, VectorOp):
            return self.digital is not None and self.digital.serves(op)
        return op.kind == "weights"

    def word_lines(self, op: MacOp) -> int:
        """Inputs of one product, bias rows included (unit: word lines)."""
        return op.k + (self.bias_rows or 0)

    def arrays(self, op: MacOp) -> tuple[int, int]:
        """How many arrays one group's weights take along inputs and along outputs (unit:
        arrays).
        """
        down, taken = -(-self.word_lines(op) // self.rows), self.columns_a_weight
        if self.carry_columns:
            held = self.cols // (taken + self.carry_columns)
            return down, -(-op.n // held)
        return down, -(-op.n * taken // self.cols)
