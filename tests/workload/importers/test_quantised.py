"""A quantised file runs on its own codes: equal to ONNX Runtime and to integers written out, and no dearer than its floats."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx_graphs import node, write

import pimlab as pim
from pimlab.machine.protocol import MacOp
from pimlab.plan import Plan
from pimlab.studies.execution import Execution
from pimlab.workload import calibrate
from pimlab.workload.importers.onnx_split import OnnxModel

X, HIDDEN, OUT = (0.02, 110), (0.05, 3), (0.11, 128)
"""(scale, zero point) of the input, of the convolution's result and of the last one."""


def network(seed, weights, activations, top):
    """Arrays of a quantised conv + Relu + max pool + Gemm; weights in -top..top less their zero points."""
    rng = np.random.default_rng(seed)
    kind, zero = np.dtype(weights), 3 if weights == "int8" else 131
    low, high = (-top, top + 1) if weights == "int8" else (0, top + 1)
    shift = 0 if activations == "uint8" else -128
    return {
        "w": rng.integers(low, high, (6, 3, 3, 3)).astype(kind),
        "sw": rng.uniform(0.002, 0.01, 6).astype(np.float32),
        "zw": np.full(6, 0 if weights == "int8" else 128, kind),
        "b": rng.integers(-3000, 3000, 6).astype(np.int32),
        "v": rng.integers(low, high, (54, 5)).astype(kind),
        "sv": np.float32(0.004),
        "zv": np.asarray(zero, kind),
        "c": rng.integers(-3000, 3000, 5).astype(np.int32),
        **{
            f"{part}{name}": value
            for name, (scale, point) in (("x", X), ("h", HIDDEN), ("y", OUT))
            for part, value in (
                ("s", np.float32(scale)),
                ("z", np.asarray(point + shift, np.dtype(activations))),
            )
        },
    }


def quantised_file(path, arrays, *, plain_output=False):
    """The network as an ONNX file in the form that quantisers write (QDQ)."""
    steps = {
        "sb": (arrays["sx"] * arrays["sw"]).astype(np.float32),
        "sc": np.float32(arrays["sh"] * arrays["sv"]),
        "zb": np.zeros(6, np.int32),
        "zc": np.zeros((), np.int32),
    }

    def back(codes, name, axis=None):
        attributes = {} if axis is None else {"axis": axis}
        return node("DequantizeLinear", [codes, f"s{name}", f"z{name}"], f"{codes}.f", name=f"{codes}.f", **attributes)  # fmt: skip

    nodes = [
        node("QuantizeLinear", ["x", "sx", "zx"], "qx", name="qx"),
        back("qx", "x"), back("w", "w", 0), back("b", "b", 0),
        node("Conv", ["qx.f", "w.f", "b.f"], "conv", pads=[1, 1, 1, 1], name="conv"),
        node("Relu", ["conv"], "relu"),
        node("QuantizeLinear", ["relu", "sh", "zh"], "qh", name="qh"),
        back("qh", "h"),
        node("MaxPool", ["qh.f"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["pool"], "flat"),
        back("v", "v"), back("c", "c"),
        node("Gemm", ["flat", "v.f", "c.f"], "y" if plain_output else "gemm", name="fc"),
    ]  # fmt: skip
    if not plain_output:
        nodes += [node("QuantizeLinear", ["gemm", "sy", "zy"], "qy", name="qy"),
                  node("DequantizeLinear", ["qy", "sy", "zy"], "y", name="dy")]  # fmt: skip
    return write(path, nodes, {"x": ("batch", 3, 6, 6)}, arrays | steps, opset=13)


def by_hand(x, arrays):
    """The same network, one integer at a time: the codes of the last result, float32."""

    def codes(value, name):
        zero = arrays[f"z{name}"]
        info = np.iinfo(zero.dtype)
        return np.clip(np.rint(value / arrays[f"s{name}"]) + int(zero), info.min, info.max)

    def again(acc, scale, name):
        zero = int(arrays[f"z{name}"])
        info = np.iinfo(arrays[f"z{name}"].dtype)
        return np.clip(np.rint(acc.astype(np.float32) * scale) + zero, info.min, info.max) - zero

    q = (codes(x, "x") - int(arrays["zx"])).astype(np.int64)
    q = np.pad(q, ((0, 0), (0, 0), (1, 1), (1, 1)))
    w = arrays["w"].astype(np.int64) - arrays["zw"].astype(np.int64)[:, None, None, None]
    windows = np.lib.stride_tricks.sliding_window_view(q, (3, 3), (2, 3))
    acc = np.einsum("bcijuv,ncuv->bnij", windows, w) + arrays["b"].astype(np.int64)[:, None, None]
    scale = (arrays["sx"] * arrays["sw"] / arrays["sh"]).astype(np.float32)
    hidden = again(np.maximum(acc, 0), scale[:, None, None], "h")
    pooled = hidden.reshape(*hidden.shape[:2], 3, 2, 3, 2).max((3, 5)).reshape(len(x), -1)
    v = arrays["v"].astype(np.int64) - int(arrays["zv"])
    acc = pooled.astype(np.int64) @ v + arrays["c"]
    return again(acc, np.float32(arrays["sh"] * arrays["sv"] / arrays["sy"]), "y").astype(np.float32) * arrays["sy"]  # fmt: skip


class Few:
    """Data for calibration: the inputs themselves."""

    def __init__(self, x):
        self.inputs, self.calibration, self.name = x, self, "few"


def run(model, machine, x):
    plan = Plan(model=model, machines=[machine])
    return Execution(plan, calibrate(model, Few(x)), 0).outputs(x, 0, 0.0)


def inputs(seed=9):
    return np.random.default_rng(seed).uniform(-3, 3, (4, 3, 6, 6)).astype(np.float32)


FORMS = [("int8", "uint8"), ("int8", "int8"), ("uint8", "uint8")]


@pytest.mark.parametrize(("weights", "activations"), FORMS)
def test_equals_integers_written_out_for_codes_of_the_whole_range(tmp_path, weights, activations):
    arrays = network(1, weights, activations, 127 if weights == "int8" else 255)
    model = OnnxModel(quantised_file(tmp_path / "q.onnx", arrays))
    assert {name: one.y is not None for name, one in model.quantised.items()} == {
        "conv": True,
        "fc": True,
    }
    assert np.array_equal(run(model, pim.target("warboy"), inputs()), by_hand(inputs(), arrays))


@pytest.mark.parametrize(("weights", "activations"), FORMS)
def test_equals_onnx_runtime_where_its_sums_do_not_saturate(tmp_path, weights, activations):
    """Weights of 7 bits: ONNX Runtime's byte product saturates beyond them on CPUs without VNNI."""
    arrays = network(2, weights, activations, 60 if weights == "int8" else 127)
    path = quantised_file(tmp_path / "q.onnx", arrays)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = run(OnnxModel(path), pim.target("warboy"), inputs())
    assert np.array_equal(found, session.run(None, {"x": inputs()})[0])


@pytest.mark.parametrize(("weights", "activations"), FORMS)
def test_equals_onnx_runtime_on_weights_of_8_bits_where_it_is_told_not_to_saturate(
    tmp_path, weights, activations
):
    """Its byte product adds pairs in 16 bits without VNNI: up to 10 % of the outputs of a U-Net."""
    path = quantised_file(tmp_path / "q.onnx", arrays := network(2, weights, activations, 127))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found = run(OnnxModel(path), pim.target("warboy"), inputs())
    assert np.array_equal(found, session.run(None, {"x": inputs()})[0])
    assert np.array_equal(found, by_hand(inputs(), arrays))


def test_a_file_in_codes_costs_no_more_than_its_floats(tmp_path):
    arrays = network(3, "int8", "uint8", 127)
    quantised = OnnxModel(quantised_file(tmp_path / "q.onnx", arrays))
    floats = write(
        tmp_path / "f.onnx",
        [
            node("Conv", ["x", "w", "b"], "conv", pads=[1, 1, 1, 1], name="conv"),
            node("Relu", ["conv"], "relu"),
            node("MaxPool", ["relu"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", ["pool"], "flat"),
            node("Gemm", ["flat", "v", "c"], name="fc"),
        ],
        {"x": ("batch", 3, 6, 6)},
        {name: arrays[name].astype(np.float32) for name in "wbvc"},
        opset=13,
    )
    plain = OnnxModel(floats)
    assert quantised.mac_ops == plain.mac_ops
    kinds = [op.kind for op in quantised.vector_ops]
    assert "quantizelinear" not in kinds
    assert "dequantizelinear" not in kinds
    ours, theirs = (pim.run(model, pim.target("warboy")) for model in (quantised, plain))
    assert float(ours.energy.sum()) <= float(theirs.energy.sum())
    assert float(ours.latency.sum()) <= float(theirs.latency.sum())


def test_a_result_that_leaves_as_floats_is_not_rounded_again(tmp_path):
    arrays = network(4, "int8", "uint8", 127)
    model = OnnxModel(quantised_file(tmp_path / "q.onnx", arrays, plain_output=True))
    assert model.quantised["fc"].y is None
    found, exact = run(model, pim.target("warboy"), inputs()), model.oracle(inputs())
    assert np.allclose(found, exact, atol=0.05 * float(np.ptp(exact)))
    assert len(np.unique(found)) > 16


def test_a_machine_that_does_not_hold_the_codes_chooses_its_own(tmp_path):
    arrays = network(5, "int8", "uint8", 127)
    model = OnnxModel(quantised_file(tmp_path / "q.onnx", arrays))
    warboy, x = pim.target("warboy"), inputs()
    symmetric = warboy.but(arithmetic=warboy.arithmetic.but(zero_point="symmetric"))
    exact = model.oracle(x)
    for machine in (warboy.in_format("int4"), warboy.in_format("fp16"), symmetric):
        assert not np.array_equal(run(model, machine, x), by_hand(x, arrays))
    near = run(model, warboy.in_format("fp16"), x)
    assert np.abs(near - exact).max() <= 1.01 * float(arrays["sy"])


def test_changed_weights_do_not_run_on_the_codes_of_the_file(tmp_path):
    arrays = network(6, "int8", "uint8", 127)
    model = OnnxModel(quantised_file(tmp_path / "q.onnx", arrays))
    conv = calibrate(model, Few(inputs()))["conv"]
    programmed = pim.target("warboy").program(model.weights["conv"][0] * 1.5, calibration=conv)
    assert programmed.stored is None
    block = conv.columns(slice(2, 4))
    assert block.stored.codes.shape == (1, 27, 2)
    assert block.stored.bias.shape == (1, 2)
    assert isinstance(model.mac_ops[0], MacOp)


def test_blocks_of_columns_run_on_the_codes_too(tmp_path):
    arrays = network(7, "int8", "uint8", 127)
    model = OnnxModel(quantised_file(tmp_path / "q.onnx", arrays))
    machine = pim.streamed(pim.target("warboy"), columns=4)
    assert np.array_equal(run(model, machine, inputs()), by_hand(inputs(), arrays))


@pytest.mark.parametrize(
    ("scale", "fits"), [(0.0, False), (-1.0, False), (np.nan, False), (0.5, True)]
)
def test_a_scale_that_divides_is_above_zero(tmp_path, scale, fits):
    from pimlab.workload.model import ModelError

    constants = {"s": np.float32(scale), "z": np.int8(0), "w": np.ones((4, 3), np.float32)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], "q", name="codes"),
        node("DequantizeLinear", ["q", "s", "z"], "f", name="floats"),
        node("MatMul", ["f", "w"], "y", name="product"),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": ("n", 4)}, constants)
    if fits:
        assert len(OnnxModel(path).mac_ops) == 1
    else:
        with pytest.raises(ModelError, match=r"node 'codes' \(QuantizeLinear\) has the scale"):
            OnnxModel(path)
