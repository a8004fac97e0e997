"""The NPU target: exact integers, counted events, and causes that switch one at a time."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab import catalogue, formats, npu
from pimlab.constants import assumed
from pimlab.cost import price
from pimlab.cost.technology import relative_energy
from pimlab.machine.protocol import Calibration, MacOp, Range, VectorOp
from pimlab.npu import integers
from pimlab.npu.accumulators import integer_product
from pimlab.npu.pricing import mac


@pytest.fixture(scope="module")
def warboy():
    """Warboy's numbers on systolic arrays that never wait."""
    chip = npu.TARGETS["warboy"]()
    array = npu.MacArray(rows=64, cols=128, count=2, clock="2 GHz")
    return chip.but(array=array, efficiency=None, memory=chip.memory.but(together=None))


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
    for machine, known in itertools.product(
        (warboy, warboy.with_causes(()), warboy.with_causes(("weight quantisation",))),
        (calibration, None),
    ):
        programmed = machine.program(w, 0, bias=bias, calibration=known)
        assert np.array_equal(
            programmed.matmul(x),
            np.concatenate([programmed.matmul(x[:5]), programmed.matmul(x[5:])]),
        )


def test_no_cause_is_float32(warboy, layer):
    x, w, bias, calibration = layer
    ideal = warboy.with_causes(())
    assert ideal.causes == ()
    y = ideal.program(w, bias=bias, calibration=calibration).matmul(x)
    assert np.allclose(y, x.astype(np.float64) @ w + bias, rtol=0, atol=4e-5)


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
    assert programmed.counted(x)[1]["inputs clipped"] == 0
    step = np.float32((calibration.x.high - calibration.x.low) / 255)
    code = np.rint(2 * x / step) + np.rint(-128 - calibration.x.low / step)
    assert (
        programmed.counted(2 * x)[1]["inputs clipped"]
        == np.count_nonzero((code < -128) | (code > 127))
        > 0
    )
    assert programmed.counted(2 * x)[1]["outputs clipped"] > 0


def test_accumulators_that_wrap_are_counted(warboy):
    k = 140_000
    programmed = warboy.program(np.ones((k, 2), np.float32))
    assert programmed.counted(np.ones((3, k), np.float32))[1]["sums overflowed"] == 6


def test_counts_by_hand(warboy):
    array = warboy.array.but(rows=4, cols=8, count=1)
    small = warboy.but(array=array)
    counts = small.events(MacOp(name="fc", m=3, k=10, n=9))
    assert counts == {
        "mac.int8": 270,
        "delivery": 270,
        "sram.read": 8 * (30 * 2 + 90),
        "sram.write": 8 * 27,
        "psum.read": 32 * 27 * 2,
        "psum.write": 32 * 27 * 3,
        "vector.op": 27,
        "dram.read": 0,
        "dram.write": 0,
    }
    fetched = small.but(memory=small.memory.but(weights_in="dram")).events(
        MacOp(name="fc", m=3, k=10, n=9)
    )
    assert fetched["dram.read"] == 8 * 90
    assert small.latency(MacOp(name="fc", m=3, k=10, n=9))["compute"] == pytest.approx(
        (5 * 4 + (8 + 8 + 3 - 2)) / 2e9
    )
    alone = small.but(array=array.but(overlap=False))
    assert alone.latency(MacOp(name="fc", m=3, k=10, n=9))["compute"] == pytest.approx(
        6 * (8 + 8 + 3 - 2) / 2e9
    )


def test_groups_multiply_every_count(warboy):
    warboy = warboy.but(lanes=1)  # a slow vector unit: the arrays do depthwise products
    one, many = MacOp(name="a", m=90, k=9, n=1), MacOp(name="b", m=90, k=9, n=1, groups=32)
    single = warboy.but(array=warboy.array.but(count=1))
    assert {event: 32 * count for event, count in single.events(one).items()} == warboy.events(many)
    for alone in (True, False):
        machine = warboy.but(array=warboy.array.but(overlap=not alone))
        shared = 16 if alone else 1 + 15 * 90 / (2 * 64 + 128 + 90 - 2)
        assert machine.latency(many)["compute"] == pytest.approx(
            shared * single.latency(one)["compute"]
        )


def test_every_event_has_a_price(warboy):
    for op in (
        MacOp(name="a", m=1, k=784, n=10),
        VectorOp(name="s", kind="softmax", elements=10),
        VectorOp(name="r", kind="flatten", elements=10),
    ):
        energy = price(warboy.events(op), warboy.prices)
        assert all(energy.low[c] <= energy.nominal[c] <= energy.high[c] for c in energy.nominal)
    price(warboy.static, warboy.prices)


def test_a_model_larger_than_the_sram_is_fetched(warboy):
    fits, exceeds = MacOp(name="a", m=1, k=4096, n=4096), MacOp(name="b", m=1, k=4096, n=10_000)
    assert warboy.placed((fits,)).memory.weights_in == "sram"
    assert warboy.placed((fits, exceeds)).memory.weights_in == "dram"
    assert warboy.placed(()) == warboy


def test_weights_stay_only_beside_the_activations_that_are_alive(warboy):
    whole = warboy.but(memory=warboy.memory.but(sram=8 * (64 * 64 + 2 * 64 * 100)))
    ops = (MacOp(name="a", m=100, k=64, n=64), MacOp(name="b", m=100, k=64, n=1))
    assert whole.placed(ops[:1]).memory.weights_in == "sram"
    assert whole.placed(ops).memory.weights_in == "dram"
    away = whole.but(memory=whole.memory.but(activations_in="dram"))
    assert away.placed(ops).memory.weights_in == "sram"


def test_overlapping_windows_are_fetched_once(warboy):
    """A 3 x 3 convolution of 64 channels at 56 x 56: nine inputs a pixel on the arrays, one in DRAM and on chip."""
    matrix = MacOp(name="conv", m=56 * 56, k=9 * 64, n=64)
    windows = matrix.but(distinct=56 * 56 * 64)
    away = warboy.but(memory=warboy.memory.but(activations_in="dram"))
    assert away.events(windows)["dram.read"] == 8 * 56 * 56 * 64
    assert away.events(matrix)["dram.read"] == 9 * away.events(windows)["dram.read"]
    assert warboy.events(windows)["sram.read"] == warboy.events(matrix)["sram.read"]
    small = warboy.but(memory=warboy.memory.but(sram=8 * (2 * 56 * 56 * 64 + 9 * 64 * 64)))
    assert small.events(windows)["dram.read"] == 0 < small.events(matrix)["dram.read"]
    with pytest.raises(ValueError, match="distinct=10 is outside 1..9"):
        MacOp(name="c", m=3, k=3, n=1, distinct=10)


def test_a_batch_shares_weights_and_nothing_else(warboy):
    away = warboy.but(memory=warboy.memory.but(weights_in="dram"))
    fc, attention = (
        MacOp(name="fc", m=1, k=784, n=10),
        MacOp(name="qk", m=5, k=8, n=7, groups=4, kind="activations"),
    )
    one, eight = away.events(fc), away.events(fc.batched(8))
    assert eight["dram.read"] == one["dram.read"] == 8 * 784 * 10
    assert eight["mac.int8"] == 8 * one["mac.int8"]
    assert sum(away.latency(fc.batched(8)).values()) < 2 * sum(away.latency(fc).values())
    assert away.events(attention.batched(8)) == {
        event: 8 * count for event, count in away.events(attention).items()
    }
    assert VectorOp(name="r", kind="relu", elements=3).batched(2).elements == 6
    assert fc.but(distinct=784).batched(2).inputs == fc.batched(2).inputs == 2 * 784
    for count in (0, True, 1.5):
        with pytest.raises(ValueError, match="allowed: an integer, 1 or more"):
            fc.batched(count)


def test_ranges_are_chosen_for_the_codes_of_the_machine(warboy):
    assert (warboy.codes, warboy.in_format("int4").codes, warboy.in_format("fp16").codes) == (
        "int8",
        "int4",
        "int8",
    )


def test_attention_counts_its_overflows(warboy):
    narrow = warboy.but(arithmetic=warboy.arithmetic.but(accumulator=npu.Accumulator(bits=16)))
    x, w = np.ones((2, 3, 40), np.float32), np.ones((2, 40, 5), np.float32)
    y, counts = narrow.counted_product(x, w)
    assert counts == {"inputs clipped": 0, "sums overflowed": 30, "outputs clipped": 0}
    np.testing.assert_array_equal(y, narrow.product(x, w))
    assert warboy.counted_product(x, w)[1]["sums overflowed"] == 0


def test_array_peak_is_the_published_one_within_rounding(warboy):
    assert warboy.array.peak == pytest.approx(64e12, rel=0.03)


def test_misspelt_fields_are_refused(warboy):
    with pytest.raises(TypeError, match="did you mean 'array'"):
        warboy.but(arrays=warboy.array)
    with pytest.raises(ValueError, match="width=88 is outside 2..16"):
        npu.Arithmetic(weights="int88")


def test_without_the_byte_path_blas_gives_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    x, w = (
        rng.integers(-128, 128, (5, 70)).astype(np.int8),
        rng.integers(-128, 128, (70, 6)).astype(np.int8),
    )
    fastest = integers.gemm(x, w)
    monkeypatch.setattr(integers, "bytes_path_is_exact", lambda: False)
    assert np.array_equal(integers.gemm(x, w), fastest)
    assert np.array_equal(fastest, x.astype(np.int64) @ w)


def test_a_saturating_byte_path_is_found_out(monkeypatch):
    monkeypatch.setattr(
        integers,
        "_by_bytes",
        lambda x, w: np.clip(x.astype(np.int64) @ w, -(2**15), 2**15 - 1).astype(np.int32),
    )
    integers.bytes_path_is_exact.cache_clear()
    assert not integers.bytes_path_is_exact()
    integers.bytes_path_is_exact.cache_clear()


@pytest.mark.parametrize("name", sorted(npu.TARGETS))
def test_every_published_machine_stands(name):
    machine = npu.TARGETS[name]()
    entry = catalogue.entry("npu", name)
    assert machine.array.peak == pytest.approx(entry["peak.int8"].value, rel=0.03)
    op = MacOp(name="fc", m=64, k=512, n=512)
    assert 0 < machine.utilisation(op) <= 1
    assert price(machine.events(op), machine.prices).nominal["MAC"] > 0
    assert all(seconds >= 0 for seconds in machine.latency(op).values())


def test_another_format_runs_at_the_ratio_of_the_peaks():
    narrow, wide = npu.chip("t4", "int4"), npu.chip("t4", "fp16")
    assert (narrow.array.rate, wide.array.rate) == (2.0, 0.5)
    assert narrow.events(MacOp(name="a", m=1, k=8, n=8))["mac.int4"] == 64
    op = MacOp(name="a", m=512, k=512, n=512)
    assert wide.latency(op)["compute"] == 4 * narrow.latency(op)["compute"]
    with pytest.raises(ValueError, match="warboy: format 'int4' is not known.*int8"):
        npu.chip("warboy", "int4")
    with pytest.raises(ValueError, match="did you mean 'warboy'"):
        npu.chip("warbouy")


def test_narrower_and_smaller_macs_cost_less():
    ladder = [mac(f"int{width}").value for width in (2, 4, 8, 16)]
    assert ladder == sorted(ladder)
    assert mac("fp8_e4m3").value < mac("fp16").value < mac("fp32").value
    assert mac("int8").low == pytest.approx(0.3e-12)
    assert mac("int8").high == pytest.approx(1.1536553e-12)
    assert mac("int4").low < 0.34882970e-12 < mac("int4").high
    assert mac("fp16").status == "derived"
    assert mac("bf16").status == "assumed"
    with pytest.raises(ValueError, match="format of blocks"):
        mac("mxfp8_e4m3")


def test_a_price_of_the_users_own_wins(warboy):
    mine = warboy.but(
        energy=warboy.prices.with_price(
            "mac.int8", assumed("my MAC", 1e-12, "J", "measured on my bench")
        )
    )
    op = MacOp(name="fc", m=1, k=10, n=10)
    assert price(mine.events(op), mine.prices).nominal["MAC"] == pytest.approx(100e-12)


def test_two_of_four_halves_macs_and_weights_and_reads_an_index(warboy):
    op = MacOp(name="fc", m=16, k=64, n=128)
    away = warboy.but(memory=warboy.memory.but(weights_in="dram"), array=warboy.array.but(count=1))
    dense, sparse = away.events(op), away.but(sparsity="2:4").events(op)
    assert sparse["mac.int8"] * 2 == dense["mac.int8"]
    assert sparse["dram.read"] * 2 == dense["dram.read"] == 8 * 64 * 128
    assert sparse["dram.index"] == sparse["sram.index"] == 2 * 32 * 128
    assert sparse["sram.read"] == 8 * (16 * 64 + 32 * 128)
    assert away.but(sparsity="2:4").events(op.but(kind="activations")) == away.events(
        op.but(kind="activations")
    )
    big = MacOp(name="fc", m=4096, k=4096, n=4096)
    assert warboy.but(sparsity="2:4").latency(big)["compute"] == pytest.approx(
        warboy.latency(big)["compute"] / 2, rel=1e-3
    )


def test_weights_that_are_not_two_of_four_are_refused(warboy):
    w = np.zeros((10, 3), np.float32)
    w[4:7, 1] = 1
    with pytest.raises(ValueError, match=r"rows 4\.\.7 of column 1 hold 3 non-zeros"):
        warboy.but(sparsity="2:4").program(w)
    w[5, 1] = 0
    assert warboy.but(sparsity="2:4").program(w).matmul(np.ones((1, 10), np.float32)).shape == (
        1,
        3,
    )
    with pytest.raises(ValueError, match="sparsity='1:4' is not one of 2:4"):
        warboy.but(sparsity="1:4")


def test_traffic_that_double_buffering_cannot_hide_stalls(warboy):
    slow = warboy.but(memory=warboy.memory.but(weights_in="dram", bandwidth="1 GB/s"))
    op = MacOp(name="fc", m=1, k=4096, n=4096)
    phases = slow.latency(op)
    assert sum(phases.values()) == pytest.approx(4096 * 4096 / 1e9)
    assert phases["fill"] == pytest.approx(64 * 128 / 1e9)
    assert warboy.latency(op)["memory"] == warboy.latency(op)["fill"] == 0


@pytest.mark.parametrize(
    ("bits", "overflow", "chunk"),
    [(16, "wrap", None), (16, "saturate", None), (18, "saturate", 1), (17, "saturate", 64)],
)
def test_narrow_accumulators_by_hand(bits, overflow, chunk):
    rng = np.random.default_rng(5)
    x, w = rng.integers(-128, 128, (6, 200)), rng.integers(-128, 128, (200, 5))
    start = rng.integers(-100, 100, 5)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    held = np.repeat(start[None].copy(), 6, axis=0)
    step = chunk or 200
    for first in range(0, 200, step):
        held = held + x[:, first : first + step] @ w[first : first + step]
        held = np.clip(held, low, high) if overflow == "saturate" else (held - low) % 2**bits + low
    got, changed = integer_product(
        x.astype(np.int8),
        w.astype(np.int8),
        start,
        npu.Accumulator(bits=bits, overflow=overflow, chunk=chunk),
    )
    assert np.array_equal(got, held)
    assert changed == np.count_nonzero(held != x @ w + start) > 0


def test_the_accumulators_width_reaches_the_output(warboy, layer):
    x, w, bias, calibration = layer
    narrow = warboy.but(
        arithmetic=warboy.arithmetic.but(accumulator=npu.Accumulator(bits=16, overflow="saturate"))
    )
    assert (
        narrow.program(w, bias=bias, calibration=calibration).counted(x)[1]["sums overflowed"] > 0
    )
    assert (
        warboy.program(w, bias=bias, calibration=calibration).counted(x)[1]["sums overflowed"] == 0
    )
    with pytest.raises(ValueError, match="for all of k write chunk=None"):
        npu.Accumulator(chunk=0)


@pytest.mark.parametrize("width", [2, 3, 4, 6, 8, 12, 16])
def test_more_bits_never_err_more(warboy, layer, width):
    x, w, bias, calibration = layer
    exact = x.astype(np.float64) @ w + bias

    def error(bits):
        name = f"int{bits}"
        machine = warboy.but(
            arithmetic=warboy.arithmetic.but(
                weights=name, activations=name, outputs=None, accumulator=npu.Accumulator(bits=48)
            )
        )
        return float(
            np.square(
                machine.program(w, bias=bias, calibration=calibration).matmul(x) - exact
            ).mean()
        )

    assert error(width) < error(width - 1 if width > 2 else 2) or width == 2
    assert error(width) < 1e4 * 4.0**-width


def test_one_thread_and_two_give_the_same_bits(warboy, layer):
    x, w, bias, calibration = layer
    machines = (
        warboy,
        warboy.in_format("fp16"),
        warboy.in_format("mxfp8_e4m3"),
        warboy.in_format("fp16", "int4"),
        warboy.with_causes(()),
    )
    answers = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        answers.append(
            [
                machine.program(w, bias=bias, calibration=calibration).matmul(x)
                for machine in machines
            ]
        )
    assert all(np.array_equal(one, two) for one, two in zip(*answers, strict=True))


def test_a_machine_in_another_format(warboy):
    assert warboy.in_format("int4").arithmetic.mac == "int4"
    mixed = warboy.in_format("fp16", "q4_0")
    assert (mixed.arithmetic.weights, mixed.arithmetic.activations, mixed.arithmetic.mac) == (
        "q4_0",
        "fp16",
        "fp16",
    )
    assert warboy.in_format("mxfp4").arithmetic.outputs == "fp16"
    with pytest.raises(ValueError, match="did you mean 'mxfp8_e4m3'"):
        warboy.in_format("mxfp8_e4m33")


def outcome(make):
    """What `make` answers, or the message of its refusal."""
    try:
        return make(), ""
    except (TypeError, ValueError) as error:
        return None, str(error)


@settings(deadline=None)
@given(
    st.sampled_from(["rows", "cols", "count", "clock", "rate", "dataflow"]),
    st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans()),
)
def test_a_mac_array_takes_what_can_be_or_says_why_not(field, value):
    array = npu.MacArray(rows=4, cols=4, clock="1 GHz")
    changed, message = outcome(lambda: array.but(**{field: value}))
    assert changed.peak > 0 if changed else field in message and repr(value) in message


@settings(deadline=None)
@given(st.sampled_from(["weights", "activations", "outputs"]), st.text(max_size=8))
def test_a_format_that_does_not_exist_is_an_error_with_its_name(field, name):
    arithmetic, message = outcome(lambda: npu.Arithmetic(**{field: name}))
    assert formats.format(name).bits > 0 if arithmetic else name in message or repr(name) in message


def test_what_a_fused_relu_drops_does_not_count_as_clipped():
    rng = np.random.default_rng(5)
    x, w = (
        rng.normal(size=(64, 32)).astype(np.float32),
        rng.normal(size=(32, 16)).astype(np.float32),
    )
    y = np.maximum(x @ w, 0)
    ranges = {
        "x": Range(low=float(x.min()), high=float(x.max())),
        "y": Range(low=0.0, high=float(y.max()) * 1.1),
    }
    plain, fused = (
        npu.TARGETS["warboy"]()
        .program(w, calibration=Calibration(**ranges, sample=x, rule="minmax", rectified=rectified))
        .counted(x)
        for rectified in (False, True)
    )
    assert np.array_equal(plain[0], fused[0])
    assert plain[1]["outputs clipped"] > 0
    assert fused[1] == {"inputs clipped": 0, "sums overflowed": 0, "outputs clipped": 0}


def test_prices_follow_node_voltage_memory_and_format(warboy):
    """Every scaled energy moves by the ratio of Stillmaker and Baas' polynomials, not the MAC's alone."""
    old = warboy.prices
    for changed, at in (({"node": "45 nm"}, (45, 0.8)), ({"voltage": "0.5 V"}, (14, 0.5))):
        ratio = relative_energy(*at) / relative_energy(14, 0.8)
        new = warboy.but(**changed).prices
        for event in ("mac.int8", "sram.read", "sram.write", "psum.read", "vector.op", "static"):
            assert new[event].constant.value == pytest.approx(ratio * old[event].constant.value)
        assert new["dram.read"] == old["dram.read"]
        assert new["static"].constant.status == "assumed"
    small = warboy.but(memory=warboy.memory.but(sram="64 kB", dram="hbm3")).prices
    assert small["dram.read"].constant == catalogue.entry("energy", "memory")["hbm3"]
    assert small["sram.read"].constant.value < old["sram.read"].constant.value / 4
    assert small["sram.read"].constant.high < old["sram.read"].constant.value
    assert "mac.fp16" in warboy.in_format("fp16").prices
    assert warboy.but(node="45 nm").but(node="14 nm").prices == old


def test_static_power_of_ones_own_does_not_move(warboy):
    mine = warboy.but(node="45 nm", static_power="12 W").prices["static"].constant
    assert (mine.value, mine.low, mine.high, mine.status) == (12.0, 12.0, 12.0, "assumed")
    for bad, words in (("-1 W", "outside 0..inf W"), ("a lot", "W"), (None, "static_power=None")):
        with pytest.raises((TypeError, ValueError), match=words):
            warboy.but(static_power=bad)


def test_a_changed_machine_no_longer_cites_its_vendor_for_what_was_changed(warboy):
    assert {"furiosa-warboy", "samnews2023warboy"} <= set(warboy.sources)
    assert "samnews2023warboy" not in warboy.but(node="45 nm").sources
    other = warboy.but(
        array=warboy.array.but(rows=32, cols=32, count=1, clock="1 GHz"),
        memory=npu.Memory(sram="1 MB", dram="hbm3", bandwidth="100 GB/s"),
    )
    assert other.sources == (
        "furiosa-docs", "furiosa-sdk-docs", "google-tpu-v4", "patel2024", "samnews2023warboy",
    )  # fmt: skip
    assert other.but(node="7 nm", static_power="1 W", limit=None).sources == ()
    assert npu.chip("t4", "fp16").sources == npu.chip("t4").sources


def test_what_cannot_be_scaled_to_is_refused_by_its_own_value(warboy):
    for changed, words in (
        ({"voltage": "0.45 V"}, "Npu warboy: voltage=0.45 V is outside 0.5..1.5 V"),
        ({"node": "1 nm"}, "Npu warboy: node=1 nm is outside 2..130 nm"),
    ):
        with pytest.raises(ValueError, match=words):
            warboy.but(**changed)
    with pytest.raises(ValueError, match="DRAM type|dram 'hbm5' is not known; did you mean 'hbm3'"):
        npu.Memory(sram="1 MB", dram="hbm5", bandwidth="1 GB/s")


def test_a_memory_behind_slower_pins_takes_longer(warboy):
    streaming = warboy.but(memory=warboy.memory.but(weights_in="dram"))
    own = streaming.memory.bandwidth
    assert streaming.behind(2 * own) is streaming
    slow = streaming.behind(own / 8)
    assert slow.memory == streaming.memory.but(bandwidth=own / 8)
    op = MacOp(name="fc", m=1, k=4096, n=4096)
    assert sum(slow.latency(op).values()) > sum(streaming.latency(op).values())


def test_operators_of_equal_sizes_are_costed_once(monkeypatch):
    """What a caller does to an answer changes no other; an operator of another size is another."""
    counted = []
    cycles = npu.Npu.cycles
    monkeypatch.setattr(
        npu.Npu, "cycles", lambda self, op: counted.append(op.name) or cycles(self, op)
    )
    chip = npu.chip("warboy").but(lanes=17)
    ops = [MacOp(name=name, m=8, k=64, n=32) for name in "abc"]
    first = chip.events(ops[0])
    first.clear()
    assert chip.events(ops[1]) == chip.events(ops[2]) != {}
    assert chip.latency(ops[0]) == chip.latency(ops[2])
    assert set(counted) == {"a"}
    assert chip.events(ops[0].but(m=16)) != chip.events(ops[0])
    assert chip.but(lanes=18).events(ops[0]) == chip.events(ops[0])
    assert chip == chip.but(lanes=17)


@pytest.mark.parametrize(("weights", "activations"), [
    ("int4_g32", "fp16"), ("nvfp4", "fp16"), ("int4_g32", "int8"), ("int4", "uint8"),
    ("fp8_e4m3", "fp8_e4m3"),
])  # fmt: skip
def test_products_of_two_activations_have_no_format_of_weights(weights, activations):
    """Attention of a model with 4-bit weights: its keys and values are activations."""
    rng = np.random.default_rng(2)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((3, 5, 32), (3, 32, 7)))
    warboy = npu.chip("warboy")
    numbers = warboy.arithmetic.but(activations=activations, outputs=None)
    mixed = warboy.but(arithmetic=numbers.but(weights=weights))
    own = {"uint8": "int8"}.get(activations, activations)
    plain = warboy.but(arithmetic=numbers.but(weights=own))
    np.testing.assert_array_equal(mixed.counted_product(x, w)[0], plain.counted_product(x, w)[0])
    assert not np.array_equal(mixed.counted_product(x, w)[0], x @ w)
