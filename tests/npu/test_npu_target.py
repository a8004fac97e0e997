"""The NPU target: exact integers, counted events, and causes that switch one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from pimlab import npu
from pimlab.cost import price
from pimlab.npu import integers
from pimlab.protocol import Calibration, MacOp, Range, VectorOp


@pytest.fixture(scope="module")
def warboy():
    return npu.TARGETS["warboy"]()


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(3)
    x, w, bias = (rng.standard_normal(s).astype(np.float32) for s in ((64, 300), (300, 40), (40,)))
    y = x @ w + bias
    spans = [Range(low=float(a.min()), high=float(a.max())) for a in (x, y)]
    return x, w, bias, Calibration(x=spans[0], y=spans[1], sample=x[:4], rule="minmax")


def by_hand(x, w, bias, calibration):
    """Jacob et al.'s integer layer, one integer at a time."""
    low, high = min(calibration.x.low, 0), max(calibration.x.high, 0)
    sx = np.float32((high - low) / 255)
    zx = int(np.rint(-128 - low / sx))
    low, high = min(calibration.y.low, 0), max(calibration.y.high, 0)
    sy = np.float32((high - low) / 255)
    zy = int(np.rint(-128 - low / sy))
    sw = (np.abs(w).max(axis=0).astype(np.float64) / 127).astype(np.float32)
    qx = np.clip(np.rint(x / sx) + zx, -128, 127).astype(np.int64) - zx
    qw = np.clip(np.rint(w / sw), -128, 127).astype(np.int64)
    acc = qx @ qw + np.rint(bias / (np.float64(sx) * sw)).astype(np.int64)
    code = np.clip(np.rint(acc.astype(np.float32) * (sx * sw / sy)) + zy, -128, 127)
    return (code - zy).astype(np.float32) * sy


def test_equals_the_integer_layer_written_out(warboy, layer):
    x, w, bias, calibration = layer
    y = warboy.program(w, 0, bias=bias, calibration=calibration).matmul(x)
    expected = by_hand(x, w, bias, calibration)
    assert y.dtype == np.float32
    assert np.array_equal(y, expected)


def test_rows_do_not_depend_on_their_neighbours(warboy, layer):
    x, w, bias, calibration = layer
    for known in (calibration, None):
        programmed = warboy.program(w, 0, bias=bias, calibration=known)
        assert np.array_equal(programmed.matmul(x), np.concatenate([programmed.matmul(x[:5]), programmed.matmul(x[5:])]))


def test_no_cause_is_float32(warboy, layer):
    x, w, bias, calibration = layer
    ideal = warboy.with_causes(())
    assert ideal.causes == ()
    assert np.array_equal(ideal.program(w, bias=bias, calibration=calibration).matmul(x), x @ w + bias)


def test_each_cause_alone_errs_less_than_all(warboy, layer):
    x, w, bias, calibration = layer
    error = {}
    for causes in (warboy.causes, *((one,) for one in warboy.causes)):
        y = warboy.with_causes(causes).program(w, bias=bias, calibration=calibration).matmul(x)
        error[causes] = float(np.square(y - (x @ w + bias)).mean())
    total = error.pop(warboy.causes)
    assert all(0 < one < total for one in error.values())
    assert sum(error.values()) == pytest.approx(total, rel=0.1)


def test_unknown_cause_names_the_nearest(warboy):
    with pytest.raises(ValueError, match="did you mean 'weight quantisation'"):
        warboy.with_causes(("weight quantization",))


def test_clipped_values_are_counted(warboy, layer):
    x, w, bias, calibration = layer
    programmed = warboy.program(w, bias=bias, calibration=calibration)
    assert programmed.faults(x)["inputs clipped"] == 0
    step = np.float32((calibration.x.high - calibration.x.low) / 255)
    code = np.rint(2 * x / step) + np.rint(-128 - calibration.x.low / step)
    assert programmed.faults(2 * x)["inputs clipped"] == np.count_nonzero((code < -128) | (code > 127)) > 0
    assert programmed.faults(2 * x)["outputs clipped"] > 0


def test_accumulators_that_wrap_are_counted(warboy):
    k = 140_000
    programmed = warboy.program(np.ones((k, 2), np.float32))
    assert programmed.faults(np.ones((3, k), np.float32))["accumulators wrapped"] == 6


def test_counts_by_hand(warboy):
    array = warboy.array.but(rows=4, cols=8, count=1)
    small = warboy.but(array=array)
    counts = small.events(MacOp(name="fc", m=3, k=10, n=9))
    assert counts == {
        "mac.int8": 270, "sram.read": 8 * (30 * 2 + 90), "sram.write": 8 * 27, "psum.read": 32 * 27 * 2, "psum.write": 32 * 27 * 3,
        "vector.op": 27, "dram.read": 0, "dram.write": 0,
    }  # fmt: skip
    fetched = small.but(memory=small.memory.but(weights_in="dram")).events(MacOp(name="fc", m=3, k=10, n=9))
    assert fetched["dram.read"] == 8 * 90
    assert small.latency(MacOp(name="fc", m=3, k=10, n=9))["compute"] == pytest.approx(6 * (8 + 8 + 3 - 2) / 2e9)


def test_groups_multiply_every_count(warboy):
    one, many = MacOp(name="a", m=9, k=9, n=1), MacOp(name="b", m=9, k=9, n=1, groups=32)
    assert {event: 32 * count for event, count in warboy.events(one).items()} == warboy.events(many)


def test_every_event_has_a_price(warboy):
    for op in (
        MacOp(name="a", m=1, k=784, n=10),
        VectorOp(name="s", kind="softmax", elements=10),
        VectorOp(name="r", kind="flatten", elements=10),
    ):
        energy = price(warboy.events(op), warboy.prices)
        assert all(energy.low[c] <= energy.nominal[c] <= energy.high[c] for c in energy.nominal)
    price(warboy.standing, warboy.prices)


def test_a_model_larger_than_the_sram_is_fetched(warboy):
    fits, exceeds = MacOp(name="a", m=1, k=4096, n=4096), MacOp(name="b", m=1, k=4096, n=10_000)
    assert warboy.placed((fits,)).memory.weights_in == "sram"
    assert warboy.placed((fits, exceeds)).memory.weights_in == "dram"


def test_array_peak_is_the_published_one_within_rounding(warboy):
    assert warboy.array.peak == pytest.approx(64e12, rel=0.03)


def test_misspelt_fields_are_refused(warboy):
    with pytest.raises(TypeError, match="did you mean 'array'"):
        warboy.but(arrays=warboy.array)
    with pytest.raises(ValueError, match="for float32 write None"):
        npu.Arithmetic(weights="q4_0")


def test_without_the_byte_path_blas_gives_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.integers(-128, 128, (5, 70)).astype(np.int8), rng.integers(-128, 128, (70, 6)).astype(np.int8)
    fastest = integers.gemm(x, w)
    monkeypatch.setattr(integers, "bytes_path_is_exact", lambda: False)
    assert np.array_equal(integers.gemm(x, w), fastest)
    assert np.array_equal(fastest, x.astype(np.int64) @ w)


def test_a_saturating_byte_path_is_found_out(monkeypatch):
    monkeypatch.setattr(integers, "_by_bytes", lambda x, w: np.clip(x.astype(np.int64) @ w, -(2**15), 2**15 - 1).astype(np.int32))
    integers.bytes_path_is_exact.cache_clear()
    assert not integers.bytes_path_is_exact()
    integers.bytes_path_is_exact.cache_clear()
