"""Are layers put in the order of what they read, and are operators without a slope passed by?"""

import numpy as np
import pytest
from onnx_graphs import node
from training_graphs import assert_slopes, between

from pimlab.workload import ModelError
from pimlab.workload.training.layers import Relu
from pimlab.workload.training.reading import ordered


def test_each_layer_comes_after_what_it_reads():
    first, last = Relu("first", ("x",), "a"), Relu("last", ("a",), "y")
    assert ordered([last, first], "x", {}, "m.onnx") == [first, last]
    with pytest.raises(ModelError, match=r"m.onnx: node 'lost' reads \('z',\), which nothing"):
        ordered([first, Relu("lost", ("z",), "b")], "x", {}, "m.onnx")


def test_a_comparison_lets_no_gradient_through(tmp_path):
    middle = (
        node("Greater", ["a", "zero"], "on"),
        node("Cast", ["on"], "mask", to=1),
        node("Mul", ["a", "mask"], "b"),
    )
    assert_slopes(tmp_path, between(*middle, constants={"zero": np.float32(0)}))
