"""What is an analog machine? Arrays of cells with converters at their edges, and a digital host for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from pimlab.analog.compensation import GlobalDriftCompensation
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.costs import MacroCosts
from pimlab.analog.devices import Device
from pimlab.analog.programmed import ProgrammedCrossbar
from pimlab.cost import Prices
from pimlab.keys import Key, as_key
from pimlab.protocol import Calibration, MacOp, Target, VectorOp, checked_weights
from pimlab.values import choice, integer, part, unknown

CAUSES = ("dac", "programming", "drift", "read noise", "adc")
IDEAL_CELL = Device(name="ideal", g_min=0.0, g_max=1e-5)
"""Takes any conductance in its range exactly and keeps it."""


class Crossbar(Target):
    """Arrays of rows x cols differential pairs; an absent part is ideal.

    Each weight is one pair in one column; inputs longer than `rows` are split over arrays whose digitised partial sums
    are added in order of the rows. Outputs wider than `cols` go to further arrays that convert the inputs again.
    Without calibration each input row is scaled by its own largest magnitude, and ADC ranges follow from the weights.
    """

    stage: ClassVar[int] = 3

    name: str = "crossbar"
    rows: int = integer(1, 2**16, default=256, doc="word lines: inputs an array takes at once")
    cols: int = integer(1, 2**16, default=256, doc="columns of pairs: outputs an array gives at once")
    cell: Device | None = part(Device, default=None)
    dac: DAC | None = part(DAC, default=None)
    adc: ADC | None = part(ADC, default=None)
    scaling: str = choice("layer", "tile", "column", default="column", doc="which weights share the full-scale weight")
    compensation: GlobalDriftCompensation | None = part(GlobalDriftCompensation, default=None)
    costs: MacroCosts | None = part(MacroCosts, default=None)

    @property
    def pair_cell(self) -> Device:
        """The cell, or the ideal one."""
        return IDEAL_CELL if self.cell is None else self.cell

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Products with constant weights; everything else is the host's."""
        return isinstance(op, MacOp) and op.kind == "weights"

    def program(self, w: np.ndarray, key: int | Key = 0, *, bias: np.ndarray | None = None,
                calibration: Calibration | None = None) -> ProgrammedCrossbar:  # fmt: skip
        """Weights w float32 (k, n) written to cells; bias float32 (n,) is added digitally.

        ValueError for weights that are not finite or not two-dimensional.
        """
        w, bias = checked_weights(w, bias, self.name)
        return ProgrammedCrossbar(self, w, as_key(key), bias, calibration)

    def arrays(self, op: MacOp) -> tuple[int, int]:
        """How many arrays one group's weights take along inputs and along outputs."""
        return -(-op.k // self.rows), -(-op.n // self.cols)

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Counts of one inference: reads of an array, conversions, digital adds of partial sums, digital scalings."""
        if not isinstance(op, MacOp) or not self.serves(op):
            return {}
        down, across = self.arrays(op)
        reads = op.groups * op.m
        counts = {
            "array read": reads * down * across,
            "DAC conversion": reads * op.k * across if self.dac is not None else 0,
            "ADC conversion": reads * op.n * down if self.adc is not None else 0,
            "digital add": reads * op.n * (down - 1),
            "digital scale": reads * op.n,
        }
        return counts if self.costs is not None else {}

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds of one inference: the m input rows of an operator follow each other through its arrays, which all work at once."""
        if not isinstance(op, MacOp) or not self.serves(op) or self.costs is None:
            return {}
        return {"array read": op.m * self.costs.read_time}

    @property
    def prices(self) -> Prices:
        """Energy of one event; none where no costs are stated."""
        return Prices({}) if self.costs is None else self.costs.prices

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the cells."""
        return self.pair_cell.sources

    @property
    def varies(self) -> bool:
        """Whether the cells have any randomness or drift."""
        cell = self.pair_cell
        return any(noise is not None for noise in (cell.programming, cell.drift, cell.read_noise))

    @property
    def causes(self) -> tuple[str, ...]:
        """The non-idealities present, in the order in which a signal meets them."""
        cell = self.pair_cell
        present = {"dac": self.dac, "programming": cell.programming, "drift": cell.drift, "read noise": cell.read_noise, "adc": self.adc}
        return tuple(cause for cause in CAUSES if present[cause] is not None)

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named non-idealities. ValueError for one it does not have."""
        for cause in causes:
            if cause not in self.causes:
                raise ValueError(f"{self.name}: {unknown('non-ideality', cause, self.causes)}")
        keep = set(causes)
        cell = self.pair_cell.but(
            programming=self.pair_cell.programming if "programming" in keep else None,
            drift=self.pair_cell.drift if "drift" in keep else None,
            read_noise=self.pair_cell.read_noise if "read noise" in keep else None,
        )
        return self.but(cell=cell, dac=self.dac if "dac" in keep else None, adc=self.adc if "adc" in keep else None)
