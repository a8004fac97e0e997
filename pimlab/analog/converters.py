"""What stands between digital codes and analog values? DAC and ADC: resolution, coding, range,
errors and noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from pimlab.analog.non_ideal import NonIdeal
from pimlab.analog.physics import count
from pimlab.arguments import typed
from pimlab.constants import Constant, assumed
from pimlab.values import Value, choice, integer, number, part, quantity

_MOST_LEVELS = 2**16 - 1
"""Levels of a converter above which they are not drawn one by one: a table of all of them is kept
for each converter.
"""


_PULSE_SLOTS = 127
"""Slots in a published integration time: HERMES's is that of 8-bit pulse widths."""


class DAC(NonIdeal):
    """Input drivers. Full scale is the largest calibrated input. No converter is `dac=None`.

    encoding: "amplitude", a voltage in one step; "pulse width", full voltage for a time; "bit
    serial", `slice_bits` bits a step, each read, converted and shifted on its own.
    accumulate: "digital", a step of several bits is one level; "analog", its bits follow each other
    as pulses of full voltage whose charges are weighted by repeated integration before the one
    conversion (NeuRRAM). Only times and energies differ: the sum is the same.
    codes: "symmetric", -top..top with top = 2^(bits-1) - 1 (sign and magnitude); "complement", the
    same in two's complement; "unsigned", 0..2^bits - 1; "offset binary", 2^bits levels from -1 to 1
    (it has no zero).
    """

    cause: ClassVar[str] = "dac"

    bits: int = integer(1, 16, hint="for no converter write dac=None")
    encoding: str = choice("amplitude", "pulse width", "bit serial", default="amplitude")
    codes: str = choice("symmetric", "complement", "unsigned", "offset binary", default="symmetric")
    slice_bits: int = integer(1, 16, default=1, doc="bits a step of a bit-serial input")
    accumulate: str = choice(
        "digital", "analog", default="digital", doc="how the bits of one step are added up"
    )
    slot: float | None = quantity(
        "s",
        above=0,
        default=None,
        doc="time slot of a pulse width; None: 127 of them take the macro's integration time",
    )
    gain_error: float = number(low=0, default=0.0, doc="standard deviation over drivers, relative")
    offset_error: float = number(low=0, default=0.0, doc="standard deviation over drivers, codes")
    dnl: float = number(
        low=0, high=1, default=0.0, doc="DNL: standard deviation of a code's step, codes"
    )
    inl: float = number(
        low=0, default=0.0, doc="standard deviation over drivers of the INL at mid-range, codes"
    )

    def check(self) -> None:
        """Signed codes need two bits; two's complement and offset binary exist only in some
        encodings.
        """
        if self.bits < 2 and self.codes in ("symmetric", "complement"):
            raise ValueError(
                f"DAC bits={self.bits} codes={self.codes!r} has no code but 0; allowed: 2 or more, "
                "or codes='unsigned'"
            )
        if self.codes == "complement" and self.encoding != "bit serial":
            raise ValueError(
                f"DAC codes='complement' needs encoding='bit serial', not {self.encoding!r}; "
                "allowed there: 'symmetric'"
            )
        if self.codes == "offset binary" and self.encoding == "bit serial":
            raise ValueError(
                "DAC codes='offset binary' is not for encoding='bit serial'; allowed there: "
                "symmetric, complement, unsigned"
            )
        if self.accumulate == "analog" and self.encoding != "bit serial":
            raise ValueError(
                f"DAC accumulate='analog' needs encoding='bit serial', not {self.encoding!r}; "
                "allowed there: 'digital'"
            )
        if self.slot is not None and self.encoding != "pulse width":
            raise ValueError(
                f"DAC slot={self.slot} s is of encoding='pulse width', not {self.encoding!r}; "
                "allowed there: None"
            )
        if (self.dnl or self.inl) and self.drive > _MOST_LEVELS:
            raise ValueError(
                f"DAC dnl={self.dnl} inl={self.inl} with {self.drive + 1} levels a driver; "
                f"allowed: up to {_MOST_LEVELS + 1}"
            )

    @property
    def top(self) -> int:
        """Code of a full-scale input (unit: codes). Offset binary counts half steps: odd codes
        -top..top.
        """
        return (
            2 ** (self.bits - 1) - 1
            if self.codes in ("symmetric", "complement")
            else 2**self.bits - 1
        )

    @property
    def drive(self) -> int:
        """Largest code in one step (unit: codes)."""
        return (
            self.top
            if self.encoding != "bit serial"
            else 2 ** min(self.slice_bits, self._magnitude_bits) - 1
        )

    @property
    def _magnitude_bits(self) -> int:
        return self.bits - 1 if self.codes in ("symmetric", "complement") else self.bits

    @property
    def steps(self) -> int:
        """Reads an input takes (unit: reads)."""
        if self.encoding != "bit serial":
            return 1
        return -(-self._magnitude_bits // self.slice_bits) + (self.codes == "complement")

    @property
    def slots(self) -> int:
        """Unit times of one step: a pulse-width step lasts `drive` of them."""
        return self.drive if self.encoding == "pulse width" else 1

    def pulse(self, integration_time: float) -> float:
        """Seconds [s] for which inputs stand across the cells in one step: the widest pulse, or
        `integration_time` [s] where voltages or bits drive them.
        """
        if self.encoding != "pulse width":
            return integration_time
        slot = integration_time / _PULSE_SLOTS if self.slot is None else self.slot
        return self.slots * slot

    @property
    def step_bits(self) -> tuple[int, ...]:
        """Magnitude bits of each step, the first one's first (unit: bits); a sign of two's
        complement is a step of one bit.
        """
        if self.encoding != "bit serial":
            return (self._magnitude_bits,)
        whole, rest = divmod(self._magnitude_bits, self.slice_bits)
        sign = (1,) if self.codes == "complement" else ()
        return (*([self.slice_bits] * whole), *((rest,) if rest else ()), *sign)

    @property
    def unit_times(self) -> int:
        """Unit times of all steps of an input (unit: slots): 1 a level, one a bit of pulses that
        are weighted in the analog domain, `drive` a pulse width.
        """
        if self.accumulate == "analog":
            return sum(self.step_bits)
        return self.steps * self.slots

    @property
    def varies(self) -> bool:
        """Whether drivers have gain, offset, DNL or INL errors, drawn once for each of them."""
        return max(self.gain_error, self.offset_error) > 0 or (
            max(self.dnl, self.inl) > 0 and self.drive > 1
        )

    def phases(self, codes: np.ndarray) -> list[tuple[float, np.ndarray]]:
        """(weight, codes) of each step, whose weighted sum is `codes`, float32,
        shape (batch, k).
        """
        if self.encoding != "bit serial":
            return [(1.0, codes)]
        radix = 2**self.slice_bits
        if self.codes != "complement":
            magnitude, sign = np.abs(codes), np.sign(codes)
            return [
                (float(radix**p), sign * (np.floor_divide(magnitude, radix**p) % radix))
                for p in range(self.steps)
            ]
        half = np.float32(2 ** (self.bits - 1))
        low = np.where(codes < 0, codes + half, codes)
        steps = [
            (float(radix**p), np.floor_divide(low, radix**p) % radix) for p in range(self.steps - 1)
        ]
        return [*steps, (-float(half), (codes < 0).astype(np.float32))]


class ConverterParts(Value):
    """Joules [J] of what an ADC's circuit does: one comparison, one step of its reference or one
    residue amplified, one cycle counted. `ADC.work` says how often a conversion does each; a part
    that is None costs nothing of its own.
    """

    comparison: float | None = quantity("J", low=0, default=None)
    residue: float | None = quantity("J", low=0, default=None)
    count: float | None = quantity("J", low=0, default=None)

    def conversion(self, work: Mapping[str, float], name: str) -> Constant:
        """Price [J] of a conversion that does `work`, named `name`: assumed, as its parts are."""
        joules = sum(times * (getattr(self, done) or 0.0) for done, times in work.items())
        return assumed(name, joules, "J", "energies stated for the parts of the ADC")


class ADC(NonIdeal):
    """Column converter: mid-tread, codes clip at both ends. No converter is `adc=None`.

    `range` names the rule that finds the full scale of a column's current from calibration rows
    (without calibration: from the weights, for inputs spread evenly over the DAC's range):
    "max": the largest magnitude seen; "percentile": the 99.9th percentile of the magnitude;
    "sigma": |mean| plus `margin` standard deviations; "worst case": the sum of all magnitudes,
    which never clips; "fixed": `margin` times the current of one cell at full input and full
    conductance; "lossless": one code is the product of input code 1 and weight digit 1 (integer
    weights and inputs only). `enob` below `bits` adds the white noise that leaves that many
    effective bits.

    kind : the circuit, which sets the time of a conversion, what its `parts` do in it, and what
    `mismatch` (relative standard deviation) is of: "sar", unit capacitors of a binary-weighted
    bank; "flash", resistors of a ladder; "ramp", steps of one ramp for all columns of an array;
    "pipeline", gains of stages that each decide one bit; "cyclic", the gain of the one stage that
    decides all bits; "cco", the gain of an oscillator whose cycles are counted.
    """

    cause: ClassVar[str] = "adc"

    bits: int = integer(1, 24, hint="for no converter write adc=None")
    range: str = choice(
        "max", "percentile", "sigma", "worst case", "fixed", "lossless", default="max"
    )
    margin: float = number(
        above=0, default=4.0, doc="standard deviations (sigma), or full scale in cells (fixed)"
    )
    share: str = choice(
        "column", "tile", "layer", default="tile", doc="which columns have one full scale"
    )
    codes: str = choice("symmetric", "twos complement", "unsigned", default="symmetric")
    enob: float | None = number(above=0, default=None, doc="effective bits; None: as many as bits")
    gain_error: float = number(low=0, default=0.0, doc="standard deviation over columns, relative")
    offset_error: float = number(low=0, default=0.0, doc="standard deviation over columns, codes")
    dnl: float = number(
        low=0, high=1, default=0.0, doc="DNL: standard deviation of a code's width, codes"
    )
    inl: float = number(
        low=0, default=0.0, doc="standard deviation over converters of the INL at mid-range, codes"
    )
    columns: int = integer(
        1, 2**16, default=1, doc="columns that share one converter, one after the other"
    )
    kind: str = choice("sar", "flash", "ramp", "pipeline", "cyclic", "cco", default="sar")
    mismatch: float = number(
        low=0, high=0.5, default=0.0, doc="standard deviation of one element of `kind`, relative"
    )
    parts: ConverterParts | None = part(
        ConverterParts, default=None, doc="None: a conversion costs what the macro says"
    )
    clock: float | None = quantity(
        "Hz", above=0, default=None, doc="None: the time is part of the macro's read time"
    )

    @property
    def low(self) -> int:
        """Smallest code (unit: codes)."""
        return {
            "symmetric": 1 - 2 ** (self.bits - 1),
            "twos complement": -(2 ** (self.bits - 1)),
            "unsigned": 0,
        }[self.codes]

    @property
    def high(self) -> int:
        """Largest code: what full scale stands for (unit: codes)."""
        return 2**self.bits - 1 if self.codes == "unsigned" else 2 ** (self.bits - 1) - 1

    @property
    def noise(self) -> float:
        """White noise at the input, rms codes: ENOB = bits - log2(1 + 12 noise^2) / 2. In the unit
        of codes.
        """
        return 0.0 if self.enob is None else math.sqrt((4.0 ** (self.bits - self.enob) - 1) / 12)

    @property
    def varies(self) -> bool:
        """Whether converters add noise, or have errors drawn once for each of them."""
        return self.noise > 0 or self.mismatched

    @property
    def mismatched(self) -> bool:
        """Whether converters have gain, offset, DNL or INL errors."""
        return max(self.gain_error, self.offset_error) > 0 or (
            max(self.dnl, self.inl, self.mismatch) > 0 and self.high - self.low > 2
        )

    @property
    def conversion_time(self) -> float:
        """Seconds [s] until all columns of one converter are done; 0.0 without a clock. Cycles a
        column: 1 (flash), bits (sar, cyclic), 2^bits (ramp, and cco, whose clock is the oscillator
        at full scale); a pipeline takes bits cycles for the first and 1 for each further one.
        """
        if self.clock is None:
            return 0.0
        if self.kind == "pipeline":
            return (self.bits + self.columns - 1) / self.clock
        cycles = {"flash": 1, "ramp": 2**self.bits, "cco": 2**self.bits}
        return cycles.get(self.kind, self.bits) * self.columns / self.clock

    @property
    def work(self) -> Mapping[str, float]:
        """What a conversion does (unit: times): "comparison", "residue" (a step of the reference,
        or a residue that is amplified) and "count" (a cycle that is counted; of an oscillator, at
        half of full scale).
        """
        steps = 2**self.bits
        return {
            "flash": {"comparison": steps - 1},
            "sar": {"comparison": self.bits, "residue": self.bits},
            "pipeline": {"comparison": self.bits, "residue": self.bits - 1},
            "cyclic": {"comparison": self.bits, "residue": self.bits - 1},
            "ramp": {"comparison": steps, "count": steps},
            "cco": {"count": steps / 2},
        }[self.kind]

    @property
    def conversion_price(self) -> Constant | None:
        """What one conversion costs by the ADC's own parts [J]; None where it states none."""
        if self.parts is None:
            return None
        return self.parts.conversion(self.work, f"{self.bits}-bit {self.kind} conversion")

    def check(self) -> None:
        """There is a positive code; enob is at most bits."""
        if self.high < 1:
            raise ValueError(
                f"ADC bits={self.bits} codes={self.codes!r} has no positive code; allowed: 2 or "
                "more, or codes='unsigned'"
            )
        if self.enob is not None and self.enob > self.bits:
            raise ValueError(
                f"ADC enob={self.enob} is more than bits={self.bits}; allowed: up to bits, or "
                "enob=None"
            )
        if max(self.dnl, self.inl, self.mismatch) and self.high - self.low > _MOST_LEVELS:
            raise ValueError(
                f"ADC dnl={self.dnl} inl={self.inl} mismatch={self.mismatch} with "
                f"{self.high - self.low + 1} codes; allowed: up to {_MOST_LEVELS + 1}"
            )

    def step(
        self, seen: list[np.ndarray], worst: list[np.ndarray], unit: float | None
    ) -> list[np.ndarray]:
        """Size of one code for every tile and column, float64, shape (n,) a tile, in cells at full
        drive and full conductance.

        seen : (rows, n) a tile, column currents of calibration rows, same unit.  worst : (n,) a
        tile, the largest magnitude each column can reach.  unit : what "lossless" makes one code;
        None where weights or inputs are no integers.
        """
        if self.range == "lossless":
            if unit is None:
                raise ValueError(
                    "ADC range='lossless' needs integer inputs and weights: a DAC and "
                    "slices=Slices(...)"
                )
            return [np.full(w.shape, unit) for w in worst]
        scales = [
            np.maximum(self._full_scale(y, w), 1e-6) for y, w in zip(seen, worst, strict=True)
        ]
        if self.share != "column":
            scales = [np.full_like(s, s.max()) for s in scales]
        if self.share == "layer":
            scales = [np.full_like(s, max(t.max() for t in scales)) for s in scales]
        return [np.asarray(s, np.float64) / self.high for s in scales]

    def _full_scale(self, y: np.ndarray, worst: np.ndarray) -> np.ndarray:
        if self.range == "fixed":
            return np.full(worst.shape, self.margin)
        if self.range == "worst case":
            return worst
        if self.range == "max":
            return np.abs(y).max(axis=0)
        if self.range == "percentile":
            return np.percentile(np.abs(y), 99.9, axis=0)
        return np.abs(y.mean(axis=0)) + self.margin * y.std(axis=0)


@typed
def lossless_bits(rows: int, weight_bits: int, input_bits: int, signed: bool = False) -> int:
    """ADC bits that tell apart every sum of `rows` products of digits of so many bits:
    ceil(log2(rows (2^w-1)(2^x-1) + 1)) (unit: bits).

    One more where the sums have a sign. ISAAC's w + v + log2(rows) (minus 1 for one-bit inputs or
    cells) is this for powers of two.
    """
    digits = (
        2 ** count(bits, name) - 1
        for name, bits in (("weight_bits", weight_bits), ("input_bits", input_bits))
    )
    return (count(rows, "rows") * math.prod(digits)).bit_length() + signed
