"""What does ONNX Runtime run between two products?"""

import numpy as np
import pytest
from onnx_graphs import node, write

from pimlab.workload import load_model

RNG = np.random.default_rng(3)


@pytest.fixture
def model(tmp_path):
    """relu -> product -> tanh -> product, and what skips the first."""
    constants = {
        "w1": RNG.standard_normal((3, 3)).astype(np.float32),
        "w2": RNG.standard_normal((3, 2)).astype(np.float32),
    }
    nodes = [
        node("Relu", ["x"], "a", name="relu"),
        node("MatMul", ["a", "w1"], "b", name="fc1"),
        node("Tanh", ["b"], "c", name="tanh"),
        node("Add", ["c", "a"], "d", name="skip"),
        node("MatMul", ["d", "w2"], "y", name="fc2"),
    ]
    return load_model(write(tmp_path / "m.onnx", nodes, {"x": ("n", 3)}, constants))


def test_a_segment_a_depth(model):
    found = model._segments
    assert [[made.name for made in one.products] for one in found][:2] == [["fc1"], ["fc2"]]
    assert found[0].outputs == ["a"]
    assert found[1].outputs == ["d"]


def test_values_nobody_reads_any_more_are_let_go(model):
    first, second = model._segments[:2]
    assert "a" not in first.dead
    assert {"a", "b"} <= set(second.dead)


def test_only_what_depends_on_neighbours_runs_sample_by_sample(model):
    first, second = model._segments[:2]
    assert first.slices is None  # Relu gives a sample the same bits whatever stands beside it
    assert second.slices == {"a": (0, 1), "b": (0, 1), "d": (0, 1)}


def test_a_batch_is_its_samples(model):
    x = RNG.standard_normal((9, 3)).astype(np.float32)

    def multiply(op, x, w, first):
        """A product whose bits do not depend on the batch, as BLAS's do."""
        return (x[..., None] * model.weights[op.name][:, None]).sum(axis=-2)

    whole = model.execute(x, multiply)
    parts = [model.execute(x[i : i + 1], multiply) for i in range(9)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_means_of_codes_round_as_the_file_says(tmp_path):
    """Half of all sums of two codes are odd: their means lie between two codes of the output."""
    constants = {"s": np.float32(0.1), "z": np.uint8(128), "w": np.ones((1, 1, 1, 1), np.float32)}
    nodes = [
        node("Conv", ["x", "w"], "a", name="conv"),
        node("QuantizeLinear", ["a", "s", "z"], "b", name="q1"),
        node("DequantizeLinear", ["b", "s", "z"], "c", name="d1"),
        node("AveragePool", ["c"], "d", name="mean", kernel_shape=[1, 2], strides=[1, 2]),
        node("QuantizeLinear", ["d", "s", "z"], "e", name="q2"),
        node("DequantizeLinear", ["e", "s", "z"], "y", name="d2"),
    ]
    model = load_model(write(tmp_path / "m.onnx", nodes, {"x": ("n", 1, 8, 64)}, constants))
    x = np.float32(0.1) * RNG.integers(-100, 100, (4, 1, 8, 64)).astype(np.float32)
    np.testing.assert_array_equal(model.execute(x, model.exact), model.oracle(x))
