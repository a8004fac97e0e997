"""What does an analog machine answer? Products of weights that stand in arrays of cells, their
events, times and prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from pimlab.analog.bias_rows import BiasInRows
from pimlab.analog.counts import adc_steps, counts, integrations, slots_a_product
from pimlab.analog.design import ArrayDesign
from pimlab.analog.digital import DIGITAL_OP
from pimlab.analog.non_ideal import NonIdeal, non_idealities
from pimlab.analog.physics import numbers
from pimlab.analog.programmed import ProgrammedCrossbar
from pimlab.constants import Constant
from pimlab.cost import Prices
from pimlab.keys import Key, as_key
from pimlab.machine.power import CELLS, scaled, total
from pimlab.machine.protocol import Calibration, MacOp, VectorOp, checked_weights
from pimlab.machine.work import ARRAY, CHIP
from pimlab.values import unknown


class Crossbar(ArrayDesign):
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

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> ProgrammedCrossbar | BiasInRows:
        """Weights w float32, shape (k, n) written to cells; bias float32, shape (n,) is added
        digitally, or held by bias rows.

        ValueError for weights that are not finite or not two-dimensional.
        """
        for name, array in (("weights", w), ("bias", bias)):
            if array is not None:
                numbers(array, f"{self.name}: {name}")
        w, bias = checked_weights(w, bias, self.name)
        down, across = self.arrays(MacOp(name="weights", m=1, k=w.shape[0], n=w.shape[1]))
        if self.capacity is not None and down * across > self.capacity:
            raise ValueError(
                f"{self.name}: weights {w.shape} take {down} x {across} arrays; allowed: "
                f"{self.capacity} (capacity)"
            )
        if bias is None or self.bias_rows is None:
            return ProgrammedCrossbar(self, w, as_key(key), bias, calibration)
        return BiasInRows(self, w, as_key(key), bias, self.bias_rows, calibration)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Counts of one inference, as `analog.counts` says: reads of an array, conversions, slots
        of rows and columns, digital adds of partial sums, scalings, bits moved.

        Only events that the macro prices are counted: what a published total already holds is not
        charged twice. Unit: events.
        """
        if not self.serves(op):
            return {}
        found = {DIGITAL_OP: op.elements} if isinstance(op, VectorOp) else counts(self, op)
        prices = self.prices  # made anew at each look
        return {event: count for event, count in found.items() if event in prices}

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds [s] of one inference: the m input rows of an operator follow each other through
        its arrays, which all work at once.
        """
        if not self.serves(op):
            return {}
        if isinstance(op, VectorOp):
            assert self.digital is not None
            return {DIGITAL_OP: self.digital.seconds(op)}
        phases = {"array read": op.m * self.product_time}
        if self.adc is not None and self.adc.clock is not None:
            phases["ADC conversion"] = op.m * self.steps * self.adc.conversion_time
        return phases

    def resources(self, op: MacOp | VectorOp) -> Mapping[str, str]:
        """Weights stay, so each operator has arrays and converters of its own."""
        units = {
            "array read": f"arrays of {op.name}",
            "ADC conversion": f"ADCs of {op.name}",
            DIGITAL_OP: "digital units",
        }
        return {phase: units[phase] for phase in self.latency(op)}

    @property
    def product_time(self) -> float:
        """Seconds [s] of all reads of one product, conversions included unless the ADC has a clock
        of its own: as the macro says, longer or shorter by what pulses differ from its integration
        time (where it states no slot's time), and by how long wires settle.
        """
        dac, adc = self.dac, self.adc
        taken = self.costs.steps_time(
            {
                "slot": slots_a_product(self),
                "integration": integrations(dac),
                "ADC step": adc_steps(dac, adc),
                "step": self.costs.phases * self.steps,
            }
        )
        settled = self.costs.phases * self.steps * self.settling_time
        if taken is None:
            pulses = self.integration_time - self.costs.integration_time
            taken = self.steps * (self.costs.read_time + pulses)
        return taken + settled

    @property
    def read_interval(self) -> float:
        """Seconds [s] from one read of a matrix to the next: back to back, or `interval`."""
        return self.product_time if self.interval is None else self.interval

    def at_supply(self, voltage: str | float) -> Self:
        """This machine at another supply (V or text), as `MacroCosts.at_supply` says.

        >>> slow = pim.target("jia2020")
        >>> slow.latency(op)["array read"] > slow.at_supply("1.2 V").latency(op)["array read"]
        True
        """
        return self.but(costs=self.costs.at_supply(voltage))

    @property
    def area(self) -> Mapping[str, Constant]:
        """Square metres [m^2] of one array by part, as far as the macro states them: cells, drivers
        (one a row), converters and their shift-add (one for `adc.columns` columns), what else an
        array has; {} where no area is known.
        """
        joined = self.columns_a_weight if self.combined else 1
        converters = 0 if self.adc is None else -(-self.array_columns // joined // self.adc.columns)
        counts = {
            "cells": self.rows * self.array_columns,
            "DAC": self.rows,
            "ADC": converters,
            "shift_add": converters,
            "array": 1,
        }
        known = dict(self.costs.areas)
        return {
            part: scaled(known[part], number, "m^2")
            for part, number in counts.items()
            if part in known and number
        }

    @property
    def chip_area(self) -> Constant | None:
        """Square metres [m^2] of all arrays, and of what else the chip has where that is stated;
        None where no area is known or arrays are not counted (capacity=None).
        """
        if self.capacity is None or not self.area:
            return None
        array = total("area of an array", self.area.values())
        parts = [scaled(array, self.capacity, "m^2")]
        rest = dict(self.costs.areas).get("chip")
        return total(f"area of {self.name}", [*parts, *([] if rest is None else [rest])])

    def streams(self, op: MacOp | VectorOp) -> bool:
        """The rows of an operator follow each other through its arrays."""
        return True

    @property
    def array_count(self) -> int | None:
        """`capacity` (unit: arrays)."""
        return self.capacity

    def arrays_of(self, op: MacOp | VectorOp) -> int:
        """Arrays of all groups of `op` (unit: arrays)."""
        if not isinstance(op, MacOp) or not self.serves(op):
            return 0
        down, across = self.arrays(op)
        return op.groups * down * across

    def cells_of(self, op: MacOp | VectorOp) -> int:
        """Cells that are written to hold the weights of `op`, devices side by side counted one by
        one (unit: cells).
        """
        if not isinstance(op, MacOp) or not self.serves(op):
            return 0
        pair = 2 if self.coding == "differential" and self.subtract == "analog" else 1
        references = -(-op.n // self.cols) if self.coding == "offset column" else 0
        columns = self.columns_a_weight * (op.n + references)
        return op.groups * self.word_lines(op) * columns * pair * self.devices

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the chip's arrays that the weights of `op` take up (unit 1); 0 where their
        number is not stated.
        """
        return 0.0 if self.capacity is None else self.arrays_of(op) / self.capacity

    def spread(self, chips: int) -> Self:
        """Layers larger than one chip lie over several, so the arrays count as one machine's. Unit
        of `chips`: chips.
        """
        return self if self.capacity is None else self.but(capacity=chips * self.capacity)

    @property
    def holds(self) -> str:
        """Non-volatile cells."""
        return CELLS

    @property
    def stands_alone(self) -> bool:
        """A chip with digital units of its own."""
        return self.digital is not None

    @property
    def static(self) -> Mapping[str, float]:
        """Arrays and their converters, and the chip around them, where the macro states what they
        draw; a machine whose arrays are not counted (capacity=None) draws nothing that could be
        charged. Unit: s of an array, or of a chip, by second.
        """
        if self.capacity is None:
            return {}
        rates = {"static array": float(self.capacity), "static chip": 1.0}
        return {event: rate for event, rate in rates.items() if event in self.prices}

    @property
    def static_owners(self) -> Mapping[str, str]:
        """Arrays and their converters, and the chip around them."""
        owners = {"static array": ARRAY, "static chip": CHIP}
        return {event: owners[event] for event in self.static}

    @property
    def prices(self) -> Prices:
        """Energy of one event, by the macro's constants [J]; an ADC without one is priced by the
        survey at its effective bits, or by its own parts.
        """
        adc = self.adc
        if adc is None:
            return self.costs.prices(None)
        return self.costs.prices(adc.enob or float(adc.bits), adc.conversion_price)

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the cells, the macro's numbers and the rules of
        compensation.
        """
        rule = () if self.compensation is None else self.compensation.sources
        return tuple(sorted({*self.pair_cell.sources, *self.costs.sources, *rule}))

    @property
    def varies(self) -> bool:
        """Whether cells or converters have any randomness or drift."""
        parts = self._parts()
        if self.gated:  # inputs open or close switches: errors of a driver's level have no effect
            parts.pop("dac", None)
        return self.pair_cell.varies or any(held.varies for held in parts.values())

    @property
    def causes(self) -> tuple[str, ...]:
        """The non-idealities present: of the input drivers, the cells, the wires, the ADC, and of
        parts that a subclass adds.
        """
        parts = self._parts()
        first = [held.cause for name, held in parts.items() if name == "dac"]
        rest = [held.cause for name, held in parts.items() if name != "dac"]
        return tuple(dict.fromkeys([*first, *self.pair_cell.causes, *rest]))

    def _parts(self) -> dict[str, NonIdeal]:
        """Field -> the machine's own non-ideal part, without those of the cell."""
        return non_idealities(self)

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named non-idealities. ValueError for one it does not have."""
        for cause in causes:
            if cause not in self.causes:
                raise ValueError(f"{self.name}: {unknown('non-ideality', cause, self.causes)}")

        def absent(parts: Mapping[str, NonIdeal]) -> dict[str, None]:
            return {name: None for name, held in parts.items() if held.cause not in causes}

        cell = self.pair_cell.but(**absent(self.pair_cell.parts))
        return self.but(cell=cell, **absent(self._parts()))
