"""Codings, slices and input encodings: with converters that lose nothing, every one is the integer product."""

from pathlib import Path

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, device, lossless_bits
from pimlab.analog.devices import Device, GaussianReadNoise
from pimlab.analog.mapping import planes
from pimlab.machine.protocol import MacOp

DATA = Path(__file__).parents[2] / "datasets" / "reference" / "analog"
CODINGS = [
    ("differential", "analog"),
    ("differential", "digital"),
    ("offset", "analog"),
    ("offset column", "analog"),
    ("complement", "analog"),
]
INPUTS = [
    DAC(bits=5),
    DAC(bits=5, encoding="pulse width"),
    DAC(bits=5, encoding="bit serial"),
    DAC(bits=5, encoding="bit serial", slice_bits=3),
    DAC(bits=5, encoding="bit serial", codes="complement"),
    DAC(bits=4, encoding="bit serial", codes="unsigned", slice_bits=2),
]


def _integers(dac, seed=0):
    rng = np.random.default_rng(seed)
    low = 0 if dac.codes == "unsigned" else -dac.top
    w, x = rng.integers(-31, 32, (70, 9)), rng.integers(low, dac.top + 1, (20, 70))
    w[0], x[:, 0] = 31, dac.top
    return w, x


@pytest.mark.parametrize("dac", INPUTS, ids=lambda d: f"{d.encoding}-{d.codes}-{d.slice_bits}")
@pytest.mark.parametrize(("coding", "subtract"), CODINGS)
@pytest.mark.parametrize("per_cell", [1, 2, 5])
def test_lossless_converters_give_the_integer_product(dac, coding, subtract, per_cell):
    w, x = _integers(dac)
    leaky = Device(name="on/off 10", g_min="1 uS", g_max="10 uS")
    machine = Crossbar(
        rows=32,
        cols=4,
        cell=leaky,
        dac=dac,
        adc=ADC(bits=16, range="lossless"),
        coding=coding,
        subtract=subtract,
        slices=Slices(bits=6, per_cell=per_cell),
        scaling="layer",
    )
    assert np.array_equal(np.rint(machine.program(w).matmul(x.astype(np.float32))), x @ w)


def test_one_bit_fewer_loses():
    w, x = np.full((128, 2), 3), np.ones((1, 128))
    bits = lossless_bits(128, 2, 1, signed=True)
    exact = [
        np.rint(
            Crossbar(
                rows=128,
                dac=DAC(bits=1, codes="unsigned"),
                adc=ADC(bits=b, range="lossless"),
                slices=Slices(bits=3, per_cell=2),
            )
            .program(w)
            .matmul(x)
        )[0, 0]
        == 384
        for b in (bits, bits - 1)
    ]
    assert exact == [True, False]


@pytest.mark.parametrize(
    ("rows", "w", "x", "bits"), [(128, 2, 1, 9), (512, 3, 1, 12), (256, 1, 1, 9)]
)
def test_lossless_bits(rows, w, x, bits):
    assert lossless_bits(rows, w, x) == bits


def test_the_offset_taken_off_digitally_adds_no_error():
    """8-bit codes of an offset array are off by 1/sqrt(12) of a code, within 2 %; a rounded offset made it 0.40."""
    rng = np.random.default_rng(2)
    w, x = rng.uniform(-1, 1, (64, 40)), rng.uniform(-1, 1, (400, 64))
    machine = Crossbar(
        rows=64,
        coding="offset",
        scaling="layer",
        adc=ADC(bits=8, range="worst case", share="layer"),
    )
    programmed = machine.program(w.astype(np.float32))
    reader = programmed.readers.at(0.0)
    plane = reader.planes[0]
    code = plane.weight * float(plane.tiles[0].value[0]) * reader.scale[0]
    x = x.astype(np.float32) / np.abs(x).max(axis=1, keepdims=True).astype(np.float32)
    error = programmed.matmul(x) - machine.but(adc=None).program(w.astype(np.float32)).matmul(x)
    assert (error / code).std() == pytest.approx(1 / np.sqrt(12), rel=0.02)
    assert np.abs((error / code).mean(axis=1)).mean() < 0.06


@pytest.mark.parametrize("coding", ["differential", "offset", "offset column"])
def test_analog_weights_in_every_coding(coding):
    rng = np.random.default_rng(2)
    w, x = (
        rng.standard_normal((90, 7)).astype(np.float32),
        rng.standard_normal((11, 90)).astype(np.float32),
    )
    cell = device("pcm-joshi2020").but(
        g_min="0.25 uS", programming=None, drift=None, read_noise=None
    )
    y = Crossbar(rows=40, cols=3, cell=cell, coding=coding).program(w).matmul(x)
    assert np.abs(y - x @ w).max() < 2e-5 * np.abs(x @ w).max()


def test_planes_by_hand():
    cell = Device(name="plain", g_min=0, g_max=1e-5)
    low, high = planes(
        np.array([[11 / 15, -6 / 15]]),
        "differential",
        Slices(bits=5, per_cell=2),
        "analog",
        256,
        cell,
    )
    assert (low.weight, high.weight) == pytest.approx((3 / 15, 12 / 15))
    assert np.allclose(
        [low.plus, low.minus, high.plus, high.minus],
        [[[1, 0]], [[0, 2 / 3]], [[2 / 3, 0]], [[0, 1 / 3]]],
    )
    sign = planes(np.array([[-1.0]]), "complement", Slices(bits=3, per_cell=1), "analog", 256, cell)
    assert [float(plane.plus[0, 0]) for plane in sign] == [1, 0, 1]
    assert [plane.weight for plane in sign] == pytest.approx([1 / 3, 2 / 3, -4 / 3])


def test_counts_of_slices_by_hand():
    from pimlab.analog import macro

    machine = Crossbar(
        rows=64,
        cols=64,
        dac=DAC(bits=9, encoding="bit serial"),
        adc=ADC(bits=8),
        costs=macro("pcm-hermes"),
        slices=Slices(bits=9, per_cell=2),
    )
    op = MacOp(name="fc", m=3, k=100, n=20)
    assert (machine.steps, machine.columns_a_weight, machine.arrays(op)) == (8, 4, (2, 2))
    assert machine.events(op) == {
        "array slot": 3 * 8 * 4 * 4,  # four phases
        "row slot": 3 * 8 * 4 * 100 * 2,
        "column slot": 3 * 8 * 4 * 2 * 80,
        "digital add": 3 * 20 * (2 * 4 * 8 - 1),
        "digital scale": 60,
    }


def test_each_plane_converts_its_own_references():
    machine = Crossbar(
        rows=64, cols=64, adc=ADC(bits=8), coding="offset column", slices=Slices(bits=8, per_cell=4)
    )
    op = MacOp(name="fc", m=3, k=100, n=70)
    held = machine.program(np.ones((100, 70), np.float32)).written.planes
    assert [plane.plus.shape for plane in held] == [(100, 72)] * 2
    assert machine.events(op)["ADC conversion"] == 3 * 2 * 2 * 72


@pytest.mark.parametrize(
    ("name", "machine", "gain"),
    [
        (
            "BALANCED",
            Crossbar(
                rows=96,
                dac=DAC(bits=8, codes="offset binary"),
                slices=Slices(bits=8, per_cell=7),
                scaling="layer",
            ),
            1.0,
        ),
        (
            "BITSLICED",
            Crossbar(
                rows=96,
                dac=DAC(bits=8),
                slices=Slices(bits=8, per_cell=2),
                coding="offset",
                scaling="layer",
            ),
            1.0,
        ),
        (
            "OFFSET",
            Crossbar(
                rows=96,
                dac=DAC(bits=8, codes="offset binary"),
                slices=Slices(bits=8, per_cell=8),
                coding="offset",
                scaling="layer",
            ),
            254 / 255,
        ),
    ],
)
def test_crosssim_cores(name, machine, gain):
    """CrossSim 3.2.0, on/off 100, 8-bit weights and inputs. Its offset core answers 254/255 of its own stored weights' product."""
    from pimlab.machine.protocol import Calibration, Range

    with np.load(DATA / f"crosssim_core_{name}_ir0.npz") as core:
        w, x, y = core["W"].T.astype(np.float32), core["X"].T.astype(np.float32), core["Y"].T
    calibration = Calibration(
        x=Range(low=-1, high=1), y=Range(low=-2, high=2), sample=x, rule="minmax"
    )
    cell = Device(name="CrossSim", g_min=1e-6, g_max=1e-4)
    ours = machine.but(cell=cell).program(w, calibration=calibration).matmul(x)
    assert np.abs(gain * ours - y).max() < 3e-6 * np.abs(y).max()


def test_two_devices_a_polarity_halve_the_variance():
    cell = device("pcm-joshi2020").but(drift=None, read_noise=None)
    w = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
    x = np.eye(200, dtype=np.float32)
    errors = [(Crossbar(cell=cell, devices=d).program(w, 3).matmul(x) - w).std() for d in (1, 4)]
    assert errors[1] / errors[0] == pytest.approx(0.5, rel=0.05)


def test_zero_weight_has_the_spread_of_two_empty_cells():
    cell = Device(
        name="noisy", g_min="2 uS", g_max="12 uS", read_noise=GaussianReadNoise(absolute="0.1 uS")
    )
    w = np.array([[1.0, 0.0]], np.float32)
    y = (
        Crossbar(cell=cell, scaling="layer")
        .program(w)
        .matmul(np.ones((100_000, 1), np.float32), 1)[:, 1]
    )
    assert y.std() == pytest.approx(np.sqrt(2) * 0.1 / 10, rel=0.01)


def test_saturating_the_largest_weights_spends_the_range_on_the_rest():
    w = np.linspace(-1, 1, 201, dtype=np.float32)[:, None]
    programmed = Crossbar(coverage=0.5, scaling="layer").program(w)
    y = programmed.matmul(np.eye(201, dtype=np.float32))[:, 0]
    assert y.max() == pytest.approx(0.5, abs=0.01)
    assert y[110] == pytest.approx(w[110, 0], rel=1e-5)


def test_errors_teach():
    with pytest.raises(ValueError, match=r"allowed: 3 \(capacity\)"):
        Crossbar(rows=10, cols=10, capacity=3).program(np.ones((20, 20)))
    with pytest.raises(ValueError, match="write slices=Slices"):
        Crossbar(coding="complement")
    with pytest.raises(ValueError, match="needs integer inputs and weights"):
        Crossbar(adc=ADC(bits=8, range="lossless")).program(np.ones((2, 2)))
    assert Slices(bits=2, per_cell=1).bits == 2  # the sign and one bit
    with pytest.raises(ValueError, match="for analog weights write slices=None"):
        Slices(bits=0, per_cell=1)
    with pytest.raises(ValueError, match="cannot drive"):
        Crossbar(dac=DAC(bits=4, codes="unsigned")).program(np.ones((2, 2))).matmul(
            -np.ones((1, 2), np.float32)
        )
    with pytest.raises(ValueError, match="no code but 0"):
        DAC(bits=1)
    with pytest.raises(ValueError, match="bit serial"):
        DAC(bits=4, codes="complement")


def test_bias_in_word_lines_is_the_bias():
    from pimlab.machine.protocol import Calibration, Range

    rng = np.random.default_rng(3)
    w, x, bias = (
        rng.standard_normal((30, 5)),
        rng.uniform(0, 2, (40, 30)).astype(np.float32),
        rng.standard_normal(5) * 3,
    )
    calibration = Calibration(
        x=Range(low=0, high=2), y=Range(low=-9, high=9), sample=x, rule="minmax"
    )
    machine = Crossbar(rows=16, bias_rows=2)
    programmed = machine.program(w, bias=bias.astype(np.float32), calibration=calibration)
    assert programmed.matmul(x) == pytest.approx(x @ w + bias, abs=2e-5)
    assert (
        programmed.integrals(x)["cell read"]
        > machine.but(bias_rows=None).program(w, calibration=calibration).integrals(x)["cell read"]
    )
    assert machine.arrays(MacOp(name="fc", m=1, k=31, n=5)) == (3, 1)
    with pytest.raises(ValueError, match="needs a calibration"):
        machine.program(w, bias=bias)
    with pytest.raises(ValueError, match="cannot hold bias"):
        machine.program(w, bias=100 * bias, calibration=calibration)
