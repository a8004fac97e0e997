"""A lossless ADC is the integer product: random codings, sizes and bits, and the largest sums float32 can count."""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, lossless_bits
from pimlab.analog.devices import Device
from pimlab.machine.protocol import Calibration, Range

CODINGS = [
    ("differential", "analog"),
    ("differential", "digital"),
    ("offset", "analog"),
    ("offset column", "analog"),
    ("complement", "analog"),
]
ENCODINGS = [
    (encoding, codes)
    for encoding in ("amplitude", "pulse width", "bit serial")
    for codes in ("symmetric", "unsigned", "complement")
    if codes != "complement" or encoding == "bit serial"
]


def _machine(rng, coding, subtract, encoding, codes):
    dac = DAC(
        bits=int(rng.integers(1 if codes == "unsigned" else 2, 9)),
        encoding=encoding,
        codes=codes,
        slice_bits=int(rng.integers(1, 9)),
    )
    bits = int(rng.integers(2, 9))
    slices = Slices(bits=bits, per_cell=int(rng.integers(1, bits + 1)))
    rows, cols = (int(v) for v in rng.integers(1, 50, 2))
    least = lossless_bits(rows, slices.per_cell, (dac.drive + 1).bit_length() - 1, signed=True)
    adc = ADC(bits=least, range="lossless", codes="twos complement")
    return Crossbar(
        rows=rows,
        cols=cols,
        dac=dac,
        adc=adc,
        slices=slices,
        coding=coding,
        subtract=subtract,
        devices=int(rng.integers(1, 3)),
        scaling=str(rng.choice(["layer", "column", "tile"])),
    )


def _operands(rng, machine, k, n):
    """Integers that use the whole range, w[first row of every tile] at full scale so that codes are the integers themselves."""
    top, full = machine.slices.top, machine.dac.top
    w, x = (
        rng.integers(-top, top + 1, (k, n)),
        rng.integers(-full if machine.signed_inputs else 0, full + 1, (7, k)),
    )
    w[:: machine.rows], x[:, 0] = top, full
    return w, x


@pytest.mark.parametrize(("coding", "subtract"), CODINGS)
@pytest.mark.parametrize(("encoding", "codes"), ENCODINGS)
def test_every_coding_and_odd_size(coding, subtract, encoding, codes):
    rng = np.random.default_rng(
        CODINGS.index((coding, subtract)) * 100 + ENCODINGS.index((encoding, codes))
    )
    for _ in range(3):
        machine = _machine(rng, coding, subtract, encoding, codes)
        w, x = _operands(rng, machine, *(int(v) for v in rng.integers(1, 120, 2)))
        full = machine.dac.top
        known = Calibration(
            x=Range(low=-full, high=full),
            y=Range(low=-1, high=1),
            sample=x[:2].astype(np.float32),
            rule="minmax",
        )
        for calibration in (None, known):
            y = machine.program(w, calibration=calibration).matmul(x.astype(np.float32))
            assert np.array_equal(y, (x @ w).astype(np.float32)), machine


@pytest.mark.parametrize("coding", ["differential", "offset", "offset column"])
def test_large_sums_of_many_bit_cells(coding):
    """Sums near 2^23 of equal products: one cell's rounding would add up over the rows."""
    dac, slices = DAC(bits=6), Slices(bits=8, per_cell=8)
    machine = Crossbar(
        rows=512, dac=dac, adc=ADC(bits=24, range="lossless"), slices=slices, coding=coding
    )
    w, x = np.full((512, 3), 126), np.full((2, 512), 31)
    w[0], x[1, 1::7] = 127, -30
    assert np.array_equal(machine.program(w).matmul(x.astype(np.float32)), x @ w)


@pytest.mark.parametrize("coding", ["differential", "offset", "offset column", "complement"])
@pytest.mark.parametrize(("levels", "per_cell"), [(2, 1), (8, 1), (8, 2), (8, 3), (6, 2), (30, 3)])
def test_digits_stand_on_levels_of_the_cell(coding, levels, per_cell):
    rng = np.random.default_rng(levels)
    w, x = (
        rng.integers(-127, 128, (20, 5)).astype(np.float32),
        rng.integers(-7, 8, (4, 20)).astype(np.float32),
    )
    w[0], x[:, 0] = 127, 7
    cell = Device(name="stepped", g_min="1 uS", g_max="10 uS", levels=levels)
    machine = Crossbar(
        cell=cell,
        coding=coding,
        slices=Slices(bits=8, per_cell=per_cell),
        dac=DAC(bits=4, encoding="bit serial"),
        adc=ADC(bits=20, range="lossless"),
    )
    assert np.array_equal(machine.program(w).matmul(x), x @ w)
