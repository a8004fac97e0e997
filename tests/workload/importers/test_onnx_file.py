"""What cannot be split is refused at load, by name."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_graphs import node, write

from pimlab.workload import ModelError, load_model
from pimlab.workload.files import ROOT

W = np.ones((4, 4), np.float32)


def test_an_lstm_is_refused_by_name(tmp_path):
    layer = helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="lstm_1", hidden_size=2)
    constants = {"w": np.zeros((1, 8, 4), np.float32), "r": np.zeros((1, 8, 2), np.float32)}
    path = write(tmp_path / "fashion.onnx", [layer], {"x": (3, "n", 4)}, constants)
    expected = (
        "fashion.onnx: node 'lstm_1' is an LSTM, which no target executes; "
        "supported MAC operators: Conv, ConvInteger, ConvTranspose, Gemm, MatMul, MatMulInteger"
    )
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert str(caught.value) == expected


@pytest.mark.parametrize("kind", ["GRU", "RNN", "Einsum"])
def test_other_operators_that_hold_products_are_refused(tmp_path, kind):
    if kind == "Einsum":
        layer = node(kind, ["x", "w"], equation="nk,km->nm", name="e")
    else:
        layer = node(kind, ["x", "w", "w"], hidden_size=2, name="e")
    shape, w = ((("n", 4)), W) if kind == "Einsum" else ((3, "n", 4), W.reshape(1, 4, 4))
    with pytest.raises(ModelError, match=f"node 'e' is an? {kind}, which no target executes"):
        load_model(write(tmp_path / "m.onnx", [layer], {"x": shape}, {"w": w}))


def test_a_branch_that_holds_a_product_is_refused(tmp_path):
    inner = helper.make_node("MatMul", ["x", "w"], ["o"], name="hidden")
    graph = helper.make_graph([inner], "b", [], [helper.make_tensor_value_info("o", 1, None)])
    layer = node("If", ["p"], then_branch=graph, else_branch=graph, name="choice")
    with pytest.raises(ModelError, match="node 'choice' is an If that holds the MatMul 'hidden'"):
        load_model(
            write(tmp_path / "m.onnx", [layer], {"x": ("n", 4)}, {"w": W, "p": np.array(True)})
        )


def test_operators_outside_the_standard_are_refused(tmp_path):
    layer = node("FusedMatMul", ["x", "w"], domain="com.microsoft", name="fused")
    with pytest.raises(
        ModelError,
        match="node 'fused' is com.microsoft.FusedMatMul, an operator outside the ONNX standard",
    ):
        load_model(
            write(
                tmp_path / "m.onnx", [layer], {"x": ("n", 4)}, {"w": W}, domains=("com.microsoft",)
            )
        )


def test_a_damaged_file_is_refused(tmp_path):
    whole = (ROOT / "models" / "fashion-cnn.onnx").read_bytes()
    for name, content in {
        "cut": whole[: len(whole) // 2],
        "noise": b"\xff" * 100,
        "empty": b"",
        "text": b"not a model",
    }.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}\.onnx"):
            load_model(path)


def test_flipped_bytes_are_refused_or_harmless_but_never_another_error(tmp_path):
    whole = (ROOT / "models" / "digits-mlp.onnx").read_bytes()
    rng, path = np.random.default_rng(0), tmp_path / "flipped.onnx"
    refused = 0
    for _ in range(60):
        content = np.frombuffer(whole, np.uint8).copy()
        places = np.concatenate(
            [rng.integers(0, 300, 2), len(whole) - 1 - rng.integers(0, 300, 2)]
        )  # the graph, not the weights
        content[places] = rng.integers(0, 256, 4)
        path.write_bytes(content.tobytes())
        try:
            load_model(path)
        except ModelError:
            refused += 1
    assert refused > 20


def test_weights_that_are_not_finite_are_refused(tmp_path):
    w = W.copy()
    w[1, 2] = np.nan
    with pytest.raises(ModelError, match=r"m\.onnx: 'matmul_1' holds 1 non-finite weights"):
        load_model(
            write(tmp_path / "m.onnx", [node("MatMul", ["x", "w"])], {"x": ("n", 4)}, {"w": w})
        )


def test_a_product_without_a_batch_is_refused(tmp_path):
    nodes = [
        node("ReduceSum", ["x", "axes"], "s", keepdims=1),
        node("Transpose", ["s"], "t"),
        node("MatMul", ["s", "t"]),
    ]
    with pytest.raises(ModelError, match=r"m.onnx: output 'y' does not follow the batch \(shape"):
        load_model(write(tmp_path / "m.onnx", nodes, {"x": ("n", 4)}, {"axes": np.array([0])}))


def test_an_unknown_model_answers_with_the_nearest():
    with pytest.raises(
        ModelError, match=r"model 'fashon-cnn' is not known; did you mean 'fashion-cnn'\?"
    ):
        load_model("fashon-cnn")


def test_a_path_that_is_no_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nothing\.onnx is not a file"):
        load_model(tmp_path / "nothing.onnx")


def test_values_that_are_no_number_are_refused_wherever_they_are(tmp_path):
    bad = np.full(4, np.nan, np.float32)
    path = write(
        tmp_path / "scale.onnx",
        [node("MatMul", ["x", "w"], "h"), node("Mul", ["h", "c"])],
        {"x": ("n", 4)},
        {"w": W, "c": bad},
    )
    with pytest.raises(
        ModelError, match=r"scale.onnx: constant 'c' holds 4 values that are no number"
    ):
        load_model(path)
    kernel = np.ones((3, 4, 2, 2), np.float32)
    path = write(
        tmp_path / "up.onnx",
        [node("ConvTranspose", ["x", "w", "c"])],
        {"x": ("n", 3, 5, 5)},
        {"w": kernel, "c": bad},
    )
    with pytest.raises(
        ModelError, match=r"up.onnx: 'bias of convtranspose_1' holds 4 non-finite weights"
    ):
        load_model(path)


def test_what_holds_no_numbers_or_no_batch_is_refused(tmp_path):
    text = write(
        tmp_path / "text.onnx",
        [node("StringNormalizer", ["x"])],
        {"x": (TensorProto.STRING, ("n",))},
        kind=TensorProto.STRING,
    )
    with pytest.raises(
        ModelError,
        match=r"text.onnx: input 'x' holds values of type string; allowed: bool, integers",
    ):
        load_model(text)
    still = write(
        tmp_path / "still.onnx",
        [node("Relu", ["x"], "r"), node("Identity", ["w"])],
        {"x": ("n", 4)},
        {"w": W},
    )
    with pytest.raises(ModelError, match=r"still.onnx: output 'y' does not follow the batch"):
        load_model(still)


def test_weights_beside_the_file_that_are_short_are_refused(tmp_path):
    path = tmp_path / "beside.onnx"
    write(path, [node("MatMul", ["x", "w"])], {"x": ("n", 4)}, {"w": W})
    onnx.save(
        onnx.load(path), path, save_as_external_data=True, location="beside.bin", size_threshold=0
    )
    assert load_model(path).weights["matmul_1"].shape == (1, 4, 4)
    os.truncate(tmp_path / "beside.bin", 10)
    with pytest.raises(ModelError, match=r"beside.onnx is damaged or no valid ONNX file"):
        load_model(path)
