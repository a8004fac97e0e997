"""What is a model to a machine?"""

import numpy as np
import pytest

from pimlab.workload import load_model
from pimlab.workload.model import ModelError, refuse_outside_float32


def test_the_ideal_machine_multiplies_and_adds_the_bias():
    model = load_model("digits-mlp")
    op = next(op for op in model.mac_ops if op.name in model.biases)
    x = np.ones((1, 2, op.k), np.float32)
    y = model.exact(op, x, None, 0)
    wanted = x[0] @ model.weights[op.name][0] + model.biases[op.name]
    assert y[0] == pytest.approx(wanted, rel=1e-5)


def test_a_computed_operand_has_no_bias():
    model = load_model("digits-mlp")
    op, x, w = model.mac_ops[0], np.ones((1, 1, 2), np.float32), np.ones((1, 2, 3), np.float32)
    assert model.exact(op, x, w, 0).tolist() == [[[2, 2, 2]]]


def test_sizes_are_in_its_repr():
    model = load_model("digits-mlp")
    assert f"{model.macs:,} MACs an inference" in repr(model)
    assert model.macs == sum(op.macs for op in model.mac_ops)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (0.0, np.inf, "layer 'a' overflows float32: its inputs reach 0..inf"),
        (np.nan, 1.0, "overflows float32"),
        (-1e-40, 1e-41, "underflows float32: its inputs are all subnormal, at most 1e-40"),
    ],
)
def test_values_outside_float32_name_their_layer(low, high, message):
    with pytest.raises(ModelError, match=message):
        refuse_outside_float32("m", "a", "inputs", low, high)


def test_zeros_and_ordinary_numbers_pass():
    refuse_outside_float32("m", "a", "inputs", 0.0, 0.0)
    refuse_outside_float32("m", "a", "inputs", -1e-45, 3e38)
