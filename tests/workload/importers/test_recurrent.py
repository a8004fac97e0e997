"""LSTM, GRU and RNN, step by step, against ONNX Runtime's own kernels."""

import numpy as np
import pytest
from onnx import TensorProto

from pimlab.workload import OnnxModel
from pimlab.workload.model import ModelError
from tests.onnx_graphs import node, write

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
STEPS, INPUT, HIDDEN = 5, 3, 4


def _file(path, kind, directions=1, steps=STEPS, **attributes):
    rng, gates = np.random.default_rng(1), GATES[kind]
    more = attributes.pop("more", {})
    constants = {
        "w": rng.standard_normal((directions, gates * HIDDEN, INPUT)) / 2,
        "r": rng.standard_normal((directions, gates * HIDDEN, HIDDEN)) / 2,
        "b": rng.standard_normal((directions, 2 * gates * HIDDEN)) / 2,
    } | more
    constants = {
        n: v.astype(np.float32) if v.dtype.kind == "f" else v for n, v in constants.items()
    }
    names = ["x", "w", "r", "b", *(name if name in more else "" for name in ("l", "h", "c", "p"))]
    while not names[-1]:
        names.pop()
    nodes = [
        node("Transpose", ["z"], "x", perm=[1, 0, 2], name="turn"),
        node(kind, names, "s", hidden_size=HIDDEN, name="memory", **attributes),
        node("Transpose", ["s"], "y", perm=[2, 0, 1, 3], name="back"),
    ]
    return write(path, nodes, {"z": ("batch", steps, INPUT)}, constants)


def _agrees(model, batch=3, steps=STEPS):
    x = np.random.default_rng(2).standard_normal((batch, steps, INPUT)).astype(np.float32)
    np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), atol=3e-6)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", GATES)
def test_every_direction_equals_onnx_runtime(tmp_path, kind, direction):
    ways = 2 if direction == "bidirectional" else 1
    model = OnnxModel(_file(tmp_path / "m.onnx", kind, ways, direction=direction))
    _agrees(model)
    assert model.macs == ways * STEPS * GATES[kind] * HIDDEN * (INPUT + HIDDEN)
    model.graph.order([op.name for op in (*model.mac_ops, *model.vector_ops)])


@pytest.mark.parametrize(("kind", "attributes"), [
    ("GRU", {"linear_before_reset": 1}), ("GRU", {"clip": 0.3}), ("LSTM", {"clip": 0.4}),
    ("LSTM", {"input_forget": 1}),
    ("LSTM", {"activations": ["HardSigmoid", "Softsign", "Relu"]}),
    ("RNN", {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
    ("RNN", {"activations": ["ScaledTanh"], "activation_alpha": [0.7], "activation_beta": [0.3]}),
])  # fmt: skip
def test_every_attribute_equals_onnx_runtime(tmp_path, kind, attributes):
    _agrees(OnnxModel(_file(tmp_path / "m.onnx", kind, **attributes)))


def test_peepholes_and_first_states_equal_onnx_runtime(tmp_path):
    rng = np.random.default_rng(3)
    more = {"p": rng.standard_normal((1, 3 * HIDDEN))}
    _agrees(OnnxModel(_file(tmp_path / "m.onnx", "LSTM", more=more)))
    states = {name: rng.standard_normal((1, 1, HIDDEN)) for name in "hc"}
    model = OnnxModel(_file(tmp_path / "n.onnx", "LSTM", more=states))
    x = rng.standard_normal((1, STEPS, INPUT)).astype(np.float32)
    np.testing.assert_allclose(model.execute(x, model.exact), model.oracle(x), atol=3e-6)


def test_the_state_is_one_operator_whose_rows_are_the_steps(tmp_path):
    model = OnnxModel(_file(tmp_path / "m.onnx", "LSTM"))
    sizes = {op.name: (op.m, op.k, op.n) for op in model.mac_ops}
    assert sizes == {"memory.W": (STEPS, INPUT, 16), "memory.R": (STEPS, HIDDEN, 16)}
    assert [made.rows_before for made in model.parts.products] == [0, 0, 1, 2, 3, 4]
    kinds = [op.kind for op in model.vector_ops]
    assert kinds.count("tanh") == 2
    tanh = next(op for op in model.vector_ops if op.kind == "tanh")
    assert tanh.elements == STEPS * HIDDEN


def test_a_state_gets_the_same_rows_whatever_its_batch(tmp_path):
    model, seen = OnnxModel(_file(tmp_path / "m.onnx", "RNN")), []

    def multiply(op, x, w, first):
        seen.append((op.name, len(x[0]), first))
        return model.exact(op, x, w, first)

    model.execute(np.zeros((2, STEPS, INPUT), np.float32), multiply, first=3)
    rows = [first for name, count, first in seen if name == "memory.R"]
    assert rows == list(range(3 * STEPS, 5 * STEPS))
    assert {count for name, count, _ in seen if name == "memory.R"} == {1}


def test_an_open_number_of_steps_is_refused(tmp_path):
    nodes = [node("RNN", ["x", "w", "r"], "y", hidden_size=HIDDEN, name="memory")]
    constants = {"w": np.ones((1, HIDDEN, INPUT), np.float32)}
    constants["r"] = np.ones((1, HIDDEN, HIDDEN), np.float32)
    path = write(tmp_path / "m.onnx", nodes, {"x": ("steps", 1, INPUT)}, constants)
    with pytest.raises(ModelError, match=r"node 'memory' \(RNN\) reads 'x', whose axis 0 has no"):
        OnnxModel(path)


def test_an_unknown_activation_is_refused(tmp_path):
    path = _file(tmp_path / "m.onnx", "RNN", activations=["Sine"])
    with pytest.raises(ModelError, match=r"Sine"):
        OnnxModel(path)


def test_too_many_steps_are_refused(tmp_path):
    path = _file(tmp_path / "m.onnx", "RNN", steps=30_000)
    with pytest.raises(ModelError, match=r"'memory' \(RNN\) comes to 30,000 steps"):
        OnnxModel(path)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_computed_lengths_end_each_sequence_where_they_say(tmp_path, kind, gates):
    rng = np.random.default_rng(4)
    shapes = {"W": (2, 2 * gates, 3), "R": (2, 2 * gates, 2)}
    weights = {k: rng.standard_normal(v).astype(np.float32) for k, v in shapes.items()}
    path = write(
        tmp_path / "m.onnx",
        [
            node("Transpose", ["x"], "t", perm=[1, 0, 2], name="turn"),
            node("Squeeze", ["l", "one"], "s"),
            node("Cast", ["s"], "c", to=TensorProto.INT32),
            node(kind, ["t", "W", "R", "", "c"], "h", hidden_size=2, direction="bidirectional"),
            node("Transpose", ["h"], "y", perm=[2, 0, 1, 3], name="back"),
        ],
        {"x": ("n", 4, 3), "l": (TensorProto.INT64, ("n", 1))},
        {**weights, "one": np.array([1])},
    )
    given = {"x": rng.standard_normal((3, 4, 3)).astype(np.float32), "l": np.array([[4], [2], [3]])}
    model = OnnxModel(path, example=given)
    found = model.execute(given, model.exact)
    np.testing.assert_allclose(found, model.oracle(given), atol=2e-6)
    assert not found[1, 2:].any()
    assert found[1, 1].all()


@pytest.mark.parametrize(("kind", "top", "ways", "each"), [
    (np.int8, 63, 2, ()), (np.uint8, 255, 1, (16,)),
])  # fmt: skip
def test_weights_in_codes_equal_onnx_runtime(tmp_path, kind, top, ways, each):
    """Signed codes of 7 bits: where they have 8, ONNX Runtime's sums saturate without VNNI."""
    rng, low = np.random.default_rng(5), -top if kind == np.int8 else 0
    constants = {
        "w": rng.integers(low, top + 1, (ways, INPUT, 16)).astype(kind),
        "r": rng.integers(low, top + 1, (ways, HIDDEN, 16)).astype(kind),
        "b": rng.standard_normal((ways, 32)).astype(np.float32) / 2,
    }
    for name in "wr":
        constants[f"s{name}"] = rng.uniform(1, 2, (ways, *each)).astype(np.float32) / top
        constants[f"z{name}"] = np.full((ways, *each), (low + top) // 2, kind)
    names = ["x", "w", "r", "b", "", "", "", "", "sw", "zw", "sr", "zr"]
    way = "bidirectional" if ways == 2 else "forward"
    nodes = [
        node("Transpose", ["z"], "x", perm=[1, 0, 2], name="turn"),
        node("DynamicQuantizeLSTM", names, "s", hidden_size=HIDDEN, name="memory",
             direction=way, domain="com.microsoft"),
        node("Transpose", ["s"], "y", perm=[2, 0, 1, 3], name="back"),
    ]  # fmt: skip
    model = OnnxModel(write(tmp_path / "m.onnx", nodes, {"z": ("batch", STEPS, INPUT)}, constants,
                            domains=("com.microsoft",)))  # fmt: skip
    x = np.random.default_rng(2).standard_normal((2, STEPS, INPUT)).astype(np.float32)
    alone = np.concatenate([model.oracle(x[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(model.execute(x, model.exact), alone, atol=1e-6)
    codes = constants["w"][0].astype(int) - int(np.ravel(constants["zw"])[0])
    np.testing.assert_array_equal(model.held["memory.W"].codes[0], codes)


def test_computed_codes_of_weights_are_refused(tmp_path):
    nodes = [
        node("Abs", ["codes"], "w"),
        node("DynamicQuantizeLSTM", ["x", "w", "r", "", "", "", "", "", "s", "z", "s", "z"],
             hidden_size=HIDDEN, name="memory", domain="com.microsoft"),
    ]  # fmt: skip
    constants = {
        "r": np.ones((1, HIDDEN, 16), np.int8),
        "s": np.ones(1, np.float32),
        "z": np.zeros(1, np.int8),
    }
    inputs = {"x": (STEPS, 1, INPUT), "codes": (TensorProto.INT8, (1, INPUT, 16))}
    path = write(tmp_path / "m.onnx", nodes, inputs, constants, domains=("com.microsoft",))
    with pytest.raises(ModelError, match=r"'memory' \(DynamicQuantizeLSTM\) has W with a computed"):
        OnnxModel(path)
