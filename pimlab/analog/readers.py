"""How do written cells become something that can be read at a given time? Conductances, noise and
converters of every tile.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pimlab.analog.cells import Reading, TileMoments, tile_moments
from pimlab.analog.converter_errors import converter_errors, driver_errors
from pimlab.analog.design import ArrayDesign
from pimlab.analog.devices import SteepCurrent
from pimlab.analog.mapping import reference_columns, tiles
from pimlab.analog.process import Part
from pimlab.analog.read import PlaneTiles, Reader, Tile, packed
from pimlab.analog.recent import recent
from pimlab.analog.variances import coarse_variance
from pimlab.analog.written import WrittenCells
from pimlab.kernels.threads import each

_MOST_READS = 2**62
"""Reads since programming up to which those of any batch have an address."""


class Readers:
    """Readers of the same cells at different times.

    code_sizes : from `ranges.code_sizes`;  positive : the inputs have one sign.
    """

    def __init__(
        self,
        design: ArrayDesign,
        written: WrittenCells,
        code_sizes: list[list[np.ndarray]] | None,
        positive: bool,
    ):
        self.design, self.written = design, written
        self.code_sizes, self.positive = code_sizes, positive
        self._recent = recent(self._reader, 4)

    def at(self, seconds: float, programming_temperature: bool = False) -> Reader:
        """The reader `seconds` [s] after programming, at the temperature of use (or of
        programming); the last four are kept.
        """
        return self._recent(seconds, programming_temperature)  # type: ignore[no-any-return]

    def _reader(self, seconds: float, programming_temperature: bool) -> Reader:
        design, key = self.design, self.written.key
        first = _reads_before(seconds, design)
        references = None
        if design.coding == "offset column":
            references = reference_columns(self.written.n, design.cols)
        planes = [
            self._plane(index, seconds, programming_temperature)
            for index in range(len(self.written.layout))
        ]
        self.written.forget()
        return Reader(
            planes=planes,
            scale=self._shared_scale(),
            references=references,
            divisor=design.final_divisor,
            dac=design.dac,
            adc=design.adc,
            drivers=None
            if design.gated  # a switch is open or closed, whatever its driver's errors
            else driver_errors(design.dac, key.child("dac"), self.written.k),
            parts=self._parts(seconds),
            first=first,
            effective_input=design.effective_input if self.steep else None,
            combined=design.combined,
        )

    @property
    def steep(self) -> bool:
        """Whether steep cells bend inputs before they are multiplied: behind wires each cell has a
        voltage of its own, which the circuit finds.
        """
        return isinstance(self.design.pair_cell.current, SteepCurrent) and self.design.wires is None

    def _parts(self, seconds: float) -> tuple[Part, ...]:
        """How the noise of reads at that time is related from read to read."""
        noise = self.design.pair_cell.read_noise
        if noise is None:
            return ()
        return noise.parts(self.written.age(seconds)[1], self.design.read_interval)

    def _shared_scale(self) -> np.ndarray:
        """Weight of code 1 of each output where all tiles have the same; ones where each tile
        brings its own.
        """
        if self.design.scaling == "tile":
            return np.ones(self.written.n, np.float32)
        scale = np.broadcast_to(self.written.scale, (1, self.written.n))[0]
        return (scale / self.design.weight_top).astype(np.float32)

    def _plane(self, index: int, seconds: float, programming_temperature: bool) -> PlaneTiles:
        design, plane = self.design, self.written.layout[index]
        cycle, age = self.written.age(seconds)
        signed = self.written.polarities(cycle)[index]
        cell = design.pair_cell
        reading = Reading(
            seconds=age,
            volts=design.read_voltage,
            wires=design.wires,
            place=design.place,
            positive=self.positive,
            drive=design.drive,
            width=design.pulse_width,
            unit=cell.window(design.read_voltage) / plane.digit,
            programming=programming_temperature,
        )
        parts = tiles(self.written.k, design.rows)
        if design.wires is None and len(signed[0][1].chunks(parts[0])) > 1:
            moments = [tile_moments(signed, part, reading) for part in parts]  # threads share each
        else:
            moments = each(lambda part: tile_moments(signed, part, reading), parts)
        return PlaneTiles(
            weight=plane.weight * design.weight_top / plane.digit,
            offset=plane.offset * plane.digit,
            limit=design.relative_limit(plane.digit),
            tiles=[
                self._tile(index, number, part, one)
                for number, (part, one) in enumerate(zip(parts, moments, strict=True))
            ],
        )

    def _tile(self, plane: int, number: int, part: slice, moments: TileMoments) -> Tile:
        design = self.design
        own = 1.0
        if design.scaling == "tile":
            own = self.written.scale[part][0, 0] / design.weight_top
        own *= design.final_divisor / design.input_top
        mean, nonlinear = self._currents(moments)
        variance = self._variance(moments)
        coarse = None
        if isinstance(variance, np.ndarray) and moments.solved is None and not self.steep:
            coarse = coarse_variance(variance, part, design)
        tile = Tile(
            rows=part,
            columns=mean.shape[1],
            mean=packed(mean),
            variance=variance,
            coarse=coarse,
            cells=moments.cells,
            nonlinear=nonlinear,
            solved=moments.solved,
            third=None if moments.third is None else packed(moments.third),
            load=moments.load,
            value=np.full(mean.shape[1], own, np.float32),
        )
        if self.code_sizes is None or (design.combined and plane):
            return tile
        digit = design.weight_top if design.combined else self.written.layout[plane].digit
        lsb = self.code_sizes[plane][number] * (design.drive * digit)
        errors = converter_errors(
            design.adc, self.written.key.child("adc", plane, number), lsb.size
        )
        return dataclasses.replace(
            tile, lsb=lsb.astype(np.float32), value=(lsb * own).astype(np.float32), errors=errors
        )

    def _currents(self, moments: TileMoments) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
        """Linear term and higher powers of the input. Where every active input is at full voltage
        (bits, pulses), all powers are the same and add to one matrix.
        """
        bits = self.design.dac is not None and self.design.drive == 1
        if bits or self.design.pulse_width:
            total = moments.mean + sum(term for _, term in moments.nonlinear)
            return np.asarray(total).astype(np.float32), []
        return moments.mean.astype(np.float32), [
            (power, packed(term)) for power, term in moments.nonlinear
        ]

    def _variance(self, moments: TileMoments) -> np.ndarray | float | None:
        """Panels, or the one value all cells have where every read draws anew (a product less), or
        None.
        """
        if moments.variance is None:
            return None
        first = moments.variance.flat[0]
        noise = self.design.pair_cell.read_noise
        white = noise is not None and not noise.lasts
        if white and moments.third is None and (moments.variance == first).all():
            return float(first)
        return packed(moments.variance)


def _reads_before(seconds: float, design: ArrayDesign) -> int:
    """Reads, back to back or `interval` apart, in `seconds` [s] since programming; ValueError where
    counters end.
    """
    first = round(seconds / design.read_interval)
    if first >= _MOST_READS:
        most = _MOST_READS * design.read_interval
        raise ValueError(
            f"{design.name}: at={seconds:g} s; allowed: below {most:.2g} s (2^62 reads)"
        )
    return first
