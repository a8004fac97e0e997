"""One inference is one sample of an open batch, or what the file fixes; what mixes samples is right or refused."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import node, write

from pimlab.workload import ModelError
from pimlab.workload.importers.onnx_split import OnnxModel

RNG = np.random.default_rng(5)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


MIXERS = {
    "softmax": ([node("Softmax", ["x"], "m", axis=0, name="mix")], {}),
    "statistics": (
        [node("MeanVarianceNormalization", ["x"], "m", axes=[0, 1], name="mix")],
        {},
    ),
    "running sum": ([node("CumSum", ["x", "zero"], "m", name="mix")], {"zero": np.array(0)}),
    "little": (
        [
            node("ReduceMean", ["x", "axes"], "r", keepdims=1, name="mix"),
            node("Mul", ["r", "small"], "s"),
            node("Add", ["x", "s"], "m"),
        ],
        {"axes": np.array([0]), "small": np.float32(1e-4)},
    ),
    "place": ([node("Trilu", ["x", "k"], "m", name="mix")], {"k": np.array(-2)}),
    "turned round": (
        [node("Slice", ["x", "end", "start", "zero", "back"], "m", name="mix")],
        {name: np.array([value]) for name, value in
         {"end": -1, "start": -100, "zero": 0, "back": -1}.items()},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MIXERS)
def test_an_open_batch_whose_samples_mix_is_refused(tmp_path, kind):
    nodes, constants = MIXERS[kind]
    path = write(
        tmp_path / "mix.onnx",
        [*nodes, node("MatMul", ["m", "w"])],
        {"x": ("n", 6)},
        {**constants, "w": floats(6, 2)},
        opset=18,
    )
    with pytest.raises(ModelError, match=r"mix.onnx: .*dims=\{'n': <size>\}"):
        OnnxModel(path)


def test_the_node_that_mixes_is_named(tmp_path):
    nodes, constants = MIXERS["statistics"]
    path = write(
        tmp_path / "mix.onnx",
        [node("Relu", ["x"], "r"), *nodes, node("MatMul", ["m", "w"])],
        {"x": ("n", 6)},
        {**constants, "w": floats(6, 2)},
    )
    with pytest.raises(ModelError, match=r"node 'mix' \(MeanVarianceNormalization\) mixes"):
        OnnxModel(path)


@pytest.mark.parametrize("kind", MIXERS)
def test_a_batch_of_fixed_size_is_one_inference_where_samples_mix(tmp_path, kind):
    nodes, constants = MIXERS[kind]
    nodes, constants = [*nodes, node("MatMul", ["m", "w"])], {**constants, "w": floats(6, 2)}
    x = floats(4, 5, 6)
    by_name = write(tmp_path / "mix.onnx", nodes, {"x": ("n", 6)}, constants, opset=18)
    fixed = write(tmp_path / "fixed.onnx", nodes, {"x": (5, 6)}, constants, opset=18)
    for model in (OnnxModel(by_name, dims={"n": 5}), OnnxModel(fixed)):
        answers = model.execute(x, model.exact)
        assert answers.shape == (4, 5, 2)
        np.testing.assert_allclose(answers, model.oracle(x), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(model.execute(x[0], model.exact), answers[0])
        assert model.mac_ops[0].m == 5


def test_an_output_that_reduces_over_the_batch_is_refused_or_whole(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node("ReduceMean", ["m", "axes"], keepdims=1)]
    constants = {"w": floats(6, 3), "axes": np.array([0])}
    path = write(tmp_path / "mean.onnx", nodes, {"x": ("n", 6)}, constants, opset=18)
    with pytest.raises(
        ModelError,
        match=r"mean.onnx: output 'y' does not follow the batch \(shape \(1, 3\) for one sample, "
        r"\(1, 3\) for two\)",
    ):
        OnnxModel(path)
    model = OnnxModel(path, dims={"n": 4})
    x = floats(2, 4, 6)
    np.testing.assert_allclose(
        model.execute(x, model.exact)[:, 0], (x @ constants["w"]).mean(axis=1), atol=1e-5
    )


def test_an_input_without_a_batch_is_given_to_each_inference_whole(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node("Add", ["m", "mask"])]
    path = write(
        tmp_path / "two.onnx", nodes, {"x": ("n", 4, 6), "mask": (4, 3)}, {"w": floats(6, 3)}
    )
    model = OnnxModel(path)
    assert model.one_by_one
    x, masks = floats(5, 4, 6), floats(5, 4, 3)
    expected = x @ model.weights["matmul_1"][0] + masks
    np.testing.assert_allclose(
        model.execute({"x": x, "mask": masks}, model.exact), expected, atol=1e-5
    )
    shared = model.execute({"x": x, "mask": masks[0]}, model.exact)
    np.testing.assert_allclose(shared, expected - masks + masks[0], atol=1e-5)
    with pytest.raises(ModelError, match="inputs of shapes"):
        model.execute({"x": x, "mask": masks[:3]}, model.exact)


def test_several_inputs_come_by_name_or_as_fields(tmp_path):
    nodes = [node("MatMul", ["a", "w"], "m"), node("Add", ["m", "b"])]
    path = write(tmp_path / "two.onnx", nodes, {"a": ("n", 6), "b": ("n", 3)}, {"w": floats(6, 3)})
    model = OnnxModel(path)
    assert not model.one_by_one
    a, b = floats(5, 6), floats(5, 3)
    expected = model.execute({"a": a, "b": b}, model.exact)
    np.testing.assert_allclose(expected, a @ model.weights["matmul_1"][0] + b, atol=1e-5)
    fields = np.empty(5, dtype=[("a", np.float32, 6), ("b", np.float32, 3)])
    fields["a"], fields["b"] = a, b
    np.testing.assert_array_equal(model.execute(fields, model.exact), expected)
    np.testing.assert_array_equal(model.execute(fields[2:], model.exact), expected[2:])
    with pytest.raises(ModelError, match=r"one array given; the model has 2 inputs; write \{'a'"):
        model.execute(a, model.exact)
    with pytest.raises(ModelError, match=r"inputs \['a'\] given; the model has \['a', 'b'\]"):
        model.execute({"a": a}, model.exact)


def test_an_output_with_the_batch_in_the_middle_gives_samples_first(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node("Transpose", ["m"], perm=[1, 0, 2])]
    for first in ("n", 1):
        path = write(tmp_path / "time.onnx", nodes, {"x": (first, 5, 4)}, {"w": floats(4, 3)})
        model = OnnxModel(path)
        x = floats(3, 5, 4)
        assert model.axis == 1
        np.testing.assert_allclose(
            model.execute(x, model.exact), x @ model.weights["matmul_1"][0], atol=1e-5
        )
        np.testing.assert_allclose(model.oracle(x), model.execute(x, model.exact), atol=1e-5)


def test_ranges_of_dynamic_quantisation_are_of_one_inference(tmp_path):
    quantise = helper.make_node("DynamicQuantizeLinear", ["s"], ["q", "scale", "z"], name="dq")
    nodes = [
        quantise,
        node("MatMulInteger", ["q", "w", "z"], "i"),
        node("Cast", ["i"], "f", to=1),
        node("Mul", ["f", "scale"]),
    ]
    constants = {"w": RNG.integers(-9, 9, (8, 3), dtype=np.int8)}
    apart = [node("Relu", ["x"], "s"), *nodes]
    assert OnnxModel(write(tmp_path / "a.onnx", apart, {"x": ("n", 8)}, constants)).one_by_one
    mixed = [node("Softmax", ["x"], "s", axis=0, name="mix"), *nodes]
    with pytest.raises(ModelError, match=r"node 'mix' \(Softmax\) mixes"):
        OnnxModel(write(tmp_path / "b.onnx", mixed, {"x": ("n", 8)}, constants))


def test_inputs_that_must_fit_one_another_come_as_an_example(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "m"), node("Reshape", ["m", "shape"])]
    path = write(
        tmp_path / "shaped.onnx",
        nodes,
        {"x": (4, 6), "shape": (TensorProto.INT64, (2,))},
        {"w": floats(6, 3)},
    )
    with pytest.raises(
        ModelError, match=r"shaped.onnx: node 'reshape_1' \(Reshape\) cannot be computed for the"
    ):
        OnnxModel(path)
    x, shape = floats(4, 6), np.array([3, 4])
    model = OnnxModel(path, example={"x": x, "shape": shape})
    answer = model.execute({"x": x, "shape": shape}, model.exact)
    np.testing.assert_allclose(answer, (x @ model.weights["matmul_1"][0]).reshape(3, 4), atol=1e-5)


def test_a_file_that_fixes_a_batch_of_one_runs_on_any_number_of_samples(tmp_path):
    nodes = [
        node("MatMul", ["x", "w"], "m"),
        node("Reshape", ["m", "flat"], "r"),
        node("ReduceMax", ["r"], keepdims=0),
    ]
    path = write(
        tmp_path / "one.onnx",
        nodes,
        {"x": (1, 5, 6)},
        {"w": floats(6, 3), "flat": np.array([1, 15])},
    )
    model = OnnxModel(path)
    x = floats(4, 5, 6)
    expected = (x @ model.weights["matmul_1"][0]).reshape(4, -1).max(axis=1)
    np.testing.assert_allclose(model.execute(x, model.exact), expected, rtol=1e-5)


def test_what_onnx_runtime_and_the_standard_compute_differently_is_refused(tmp_path):
    layer = node(
        "Resize",
        ["x", "", "scales"],
        mode="linear",
        coordinate_transformation_mode="align_corners",
        name="shrink",
    )
    for factor, refused in ((0.6, True), (0.5, False)):
        scales = np.array([1, 1, factor, factor], np.float32)
        path = write(tmp_path / "r.onnx", [layer], {"x": ("n", 1, 4, 4)}, {"scales": scales})
        if refused:
            with pytest.raises(ModelError, match=r"node 'shrink' \(Resize, align_corners\)"):
                OnnxModel(path)
        else:
            assert OnnxModel(path).mac_ops == ()
