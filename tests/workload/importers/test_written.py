"""What stands in the place of a node: free names, known sizes, and limits."""

import numpy as np
import pytest
from onnx import load

from pimlab.workload.importers.host_runtime import HostError
from pimlab.workload.importers.written import Nodes
from pimlab.workload.model import ModelError
from tests.onnx_graphs import node, write


@pytest.fixture
def place(tmp_path):
    nodes = [node("MatMul", ["x", "w"], "y", name="product")]
    path = write(tmp_path / "m.onnx", nodes, {"x": ("batch", 3)}, {"w": np.ones((3, 4), "f4")})
    model = load(path)
    return Nodes(model, "m.onnx", {"x", "w", "y", "y.mul"}).at(model.graph.node[0])


def test_names_are_free_and_say_where_they_come_from(place):
    assert [place.name("mul"), place.name("mul"), place.name("add")] == [
        "y.mul.1",
        "y.mul.2",
        "y.add",
    ]


def test_sizes_are_those_of_the_file(place):
    assert place.shape("x") == [None, 3]
    assert place.shape("w") == [3, 4]
    assert place.size("x", 1) == 3
    with pytest.raises(HostError, match=r"node 'product' \(MatMul\) reads 'x', whose axis 0"):
        place.size("x", 0)
    with pytest.raises(ModelError, match=r"m.onnx: node 'product' \(MatMul\) reads 'z'"):
        place.shape("z")


def test_steps_have_a_limit(place):
    place.check_steps(100, 200)
    with pytest.raises(ModelError, match=r"comes to 100 steps of 201 nodes; allowed: 20,000"):
        place.check_steps(100, 201)


@pytest.mark.parametrize("version", [9, 12, 13])
def test_slices_and_axes_are_written_as_the_version_has_them(place, version):
    place.version = version
    place.widened(place.slice("x", 1, 0, 2), 0)
    kinds = [(made.op_type, len(made.input)) for made in place.nodes]
    assert (
        kinds
        == {
            9: [("Slice", 1), ("Unsqueeze", 1)],
            12: [("Slice", 4), ("Unsqueeze", 1)],
            13: [("Slice", 4), ("Unsqueeze", 2)],
        }[version]
    )
