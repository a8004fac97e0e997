"""How is a trained network written as ONNX? As layers in a chain, each with its bias, batch
dimension left open.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save


class Chain:
    """An ONNX graph under construction: every layer takes the output of the layer before it."""

    def __init__(self, name: str, shape: tuple[int, ...]):
        self.name, self.last = name, "input"
        self.inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *shape])]
        self.nodes: list = []
        self.weights: list = []

    def layer(self, kind: str, name: str, *parameters: np.ndarray, **attributes: object) -> None:
        """Append one node of type `kind`; `parameters` are its weight and bias, float32."""
        names = [f"{name}.{part}" for part in ("weight", "bias")][: len(parameters)]
        self.weights += [
            numpy_helper.from_array(np.ascontiguousarray(p, np.float32), n)
            for p, n in zip(parameters, names, strict=True)
        ]
        self.nodes.append(
            helper.make_node(kind, [self.last, *names], [f"{name}.out"], name=name, **attributes)
        )
        self.last = f"{name}.out"

    def save(self, path: Path, classes: int) -> None:
        """Check the graph and write it to `path`; its output is (batch, classes) scores before any
        softmax.
        """
        output = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, ["batch", classes])
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [output], self.weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="pimlab"
        )
        checker.check_model(model, full_check=True)
        save(model, path)
