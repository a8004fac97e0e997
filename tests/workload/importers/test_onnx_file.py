"""Files are read whole, valid ones of any age; damage and what cannot be split are refused at load, by name."""

import hashlib
import os
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import node, write

from pimlab.workload import ModelError, load_model
from pimlab.workload.files import ROOT
from pimlab.workload.importers.onnx_split import OnnxModel

W = np.ones((4, 4), np.float32)


def test_an_operator_that_is_not_split_is_refused_by_name(tmp_path):
    layer = node("DeformConv", ["x", "w", "o"], "y", name="bent", kernel_shape=[1, 1])
    inputs = {"x": (1, 4, 3, 3), "o": (1, 2, 3, 3)}
    path = write(tmp_path / "fashion.onnx", [layer], inputs, {"w": W[:, :, None, None]}, opset=19)
    expected = (
        "fashion.onnx: node 'bent' is a DeformConv, which no target executes; supported MAC "
        "operators: Conv, ConvInteger, ConvTranspose, Gemm, MatMul, MatMulInteger, Einsum, GRU, "
        "LSTM, MatMulNBits, QGemm, QLinearConv, QLinearMatMul, RNN"
    )
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert str(caught.value) == expected


def test_a_body_that_holds_what_is_not_split_is_refused(tmp_path):
    inner = helper.make_node("FusedMatMul", ["x", "w"], ["o"], name="in", domain="com.microsoft")
    graph = helper.make_graph([inner], "b", [], [helper.make_tensor_value_info("o", 1, None)])
    layer = node("If", ["p"], then_branch=graph, else_branch=graph, name="choice")
    constants = {"w": W, "p": np.array(True)}
    path = write(tmp_path / "m.onnx", [layer], {"x": ("n", 4)}, constants,
                 domains=("com.microsoft",))  # fmt: skip
    with pytest.raises(ModelError, match="node 'choice' is an If that holds the FusedMatMul 'in'"):
        load_model(path)


def test_a_branch_that_a_constant_chooses_is_read(tmp_path):
    inner = helper.make_node("MatMul", ["x", "w"], ["o"], name="hidden")
    graph = helper.make_graph([inner], "b", [], [helper.make_tensor_value_info("o", 1, None)])
    layer = node("If", ["p"], then_branch=graph, else_branch=graph, name="choice")
    constants = {"w": W, "p": np.array(True)}
    model = load_model(write(tmp_path / "m.onnx", [layer], {"x": ("n", 4)}, constants))
    assert [(op.k, op.n) for op in model.mac_ops] == [(4, 4)]


def test_operators_outside_the_standard_are_refused(tmp_path):
    layer = node("FusedMatMulActivation", ["x", "w"], domain="com.microsoft", name="fused")
    with pytest.raises(
        ModelError,
        match="node 'fused' is com.microsoft.FusedMatMulActivation, an operator outside the ONNX standard",
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


RNG = np.random.default_rng(11)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def test_files_of_ir_3_list_their_weights_among_the_inputs(tmp_path):
    path = write(
        tmp_path / "old.onnx", [node("MatMul", ["x", "w"])], {"x": (1, 4)}, {"w": floats(4, 3)}
    )
    old = onnx.load(path)
    old.ir_version = 3
    old.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    onnx.save(old, path)
    model = load_model(path)
    assert list(model.shapes) == ["x"]
    x = floats(5, 4)
    np.testing.assert_allclose(
        model.execute(x, model.exact), x @ model.weights["matmul_1"][0], atol=1e-5
    )


def test_the_hash_of_a_model_covers_weights_beside_the_file(tmp_path):
    digests = []
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        w = np.random.default_rng(seed).standard_normal((8, 4)).astype(np.float32)
        path = write(folder / "m.onnx", [node("MatMul", ["x", "w"])], {"x": ("n", 8)}, {"w": w})
        inside = hashlib.sha256(path.read_bytes()).hexdigest()
        assert load_model(path).sha256 == inside
        onnx.save(
            onnx.load(path), path, save_as_external_data=True, location="m.bin", size_threshold=0
        )
        digests.append((hashlib.sha256(path.read_bytes()).hexdigest(), load_model(path).sha256))
    assert digests[0][0] == digests[1][0]
    assert digests[0][1] != digests[1][1]


def test_a_graph_in_memory_whose_weights_are_elsewhere_is_refused(tmp_path):
    path = write(
        tmp_path / "m.onnx", [node("MatMul", ["x", "w"])], {"x": ("n", 8)}, {"w": floats(8, 4)}
    )
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="m.bin", size_threshold=0)
    with pytest.raises(ModelError, match=r"tensor 'w' is in the file \['m.bin'\], which was not"):
        OnnxModel(onnx.load(path, load_external_data=False))


def test_an_output_is_chosen_by_name_and_what_it_does_not_need_left_out(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], "scores"),
        node("Relu", ["scores"], "y"),
        node("RandomUniformLike", ["scores"], "noise"),
    ]
    path = write(tmp_path / "two.onnx", nodes, {"x": ("n", 6)}, {"w": floats(6, 3)})
    model = onnx.load(path)
    for name in ("scores", "noise"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    onnx.save(model, path)
    x = floats(4, 6)
    with pytest.raises(
        ModelError, match="'randomuniformlike_1' is a RandomUniformLike, which draws"
    ):
        load_model(path)
    scores = load_model(path, output="scores")
    np.testing.assert_allclose(
        scores.execute(x, scores.exact), x @ scores.weights["matmul_1"][0], atol=1e-5
    )
    assert not scores.vector_ops
    assert (load_model(path, output="y").execute(x, scores.exact) >= 0).all()
    with pytest.raises(ModelError, match=r"has no output 'score'; did you mean 'scores'\?"):
        load_model(path, output="score")


def classical(*steps, outputs):
    """A graph as skl2onnx writes it: operators of ai.onnx.ml."""
    graph = helper.make_graph(
        list(steps),
        "pipeline",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4])],
        outputs,
        [numpy_helper.from_array(floats(4, 3), "w")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def test_a_classical_pipeline_is_refused_by_name(tmp_path):
    step = helper.make_node(
        "SVMRegressor", ["X"], ["variable"], domain="ai.onnx.ml", name="Machine",
        coefficients=[1.0], support_vectors=[1.0, 2.0, 3.0, 4.0], n_supports=1, rho=[0.5],
    )  # fmt: skip
    output = helper.make_tensor_value_info("variable", TensorProto.FLOAT, [None, 1])
    onnx.save(classical(step, outputs=[output]), tmp_path / "linear.onnx")
    with pytest.raises(
        ModelError, match=r"node 'Machine' is an ai.onnx.ml.SVMRegressor, a step of a classical"
    ):
        load_model(tmp_path / "linear.onnx")


def test_the_numbers_of_a_classifier_are_chosen_where_its_first_output_is_no_tensor(tmp_path):
    steps = [
        helper.make_node("MatMul", ["X", "w"], ["scores"], name="layer"),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
        helper.make_node(
            "ZipMap",
            ["probabilities"],
            ["named"],
            domain="ai.onnx.ml",
            classlabels_int64s=[0, 1, 2],
        ),
    ]
    maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(
            TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None)
        )
    )
    outputs = [
        helper.make_value_info("named", maps),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 3]),
    ]
    onnx.save(classical(*steps, outputs=outputs), tmp_path / "mlp.onnx")
    with pytest.raises(
        ModelError, match=r"output 'named' is a sequence; .* such as output='probabilities'"
    ):
        load_model(tmp_path / "mlp.onnx")
    model = load_model(tmp_path / "mlp.onnx", output="probabilities")
    np.testing.assert_allclose(model.execute(floats(5, 4), model.exact).sum(axis=1), 1, rtol=1e-5)


def test_an_operator_that_no_version_defines_is_named(tmp_path):
    path = write(tmp_path / "new.onnx", [node("Convolve", ["x"])], {"x": ("n", 4)})
    with pytest.raises(
        ModelError,
        match=r"node 'convolve_1' is of type 'Convolve', which version 17 of ONNX does not define",
    ):
        load_model(path)


def damaged(content, rng):
    """The file cut short, or a few bytes of its graph changed."""
    if rng.random() < 0.3:
        return content[: rng.integers(0, len(content))]
    changed = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(0, len(content), rng.integers(1, 6))
    changed[places] = rng.integers(0, 256, len(places))
    return changed.tobytes()


def small_files(folder):
    quantised = [
        node("DequantizeLinear", ["q", "s"], "w", axis=1),
        node("MatMul", ["x", "w"], "m"),
        node("Relu", ["m"]),
    ]
    codes = {"q": RNG.integers(-99, 99, (4, 3), dtype=np.int8), "s": np.ones(3, np.float32)}
    convolution = [
        node("Conv", ["x", "k"], "c", pads=[1, 1, 1, 1]),
        node("Shape", ["c"], "p"),
        node("Slice", ["p", "zero", "one"], "b"),
        node("Concat", ["b", "rest"], "t", axis=0),
        node("Reshape", ["c", "t"], "r"),
        node("Softmax", ["r"]),
    ]
    sizes = {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([-1])}
    return [
        write(folder / "dense.onnx", quantised, {"x": ("n", 4)}, codes),
        write(folder / "image.onnx", convolution, {"x": (1, 2, 3, 3)}, {"k": floats(2, 2, 3, 3), **sizes}),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_damage_is_refused_by_name_or_harmless(tmp_path, seed):
    rng, bad, refusals = np.random.default_rng(seed), tmp_path / "bad.onnx", []
    for path in small_files(tmp_path):
        content = path.read_bytes()
        for _ in range(60):
            bad.write_bytes(damaged(content, rng))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    load_model(bad)
            except ModelError as error:
                refusals.append(str(error))
    assert len(refusals) > 60
    assert all("bad.onnx" in refusal for refusal in refusals)


def test_a_real_file_with_damage_is_refused_by_name(tmp_path):
    whole = (ROOT / "models" / "digits-mlp.onnx").read_bytes()
    for cut in (0, 1, 7, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.onnx").write_bytes(whole[:cut])
        with pytest.raises(ModelError, match=r"cut.onnx"):
            load_model(tmp_path / "cut.onnx")
