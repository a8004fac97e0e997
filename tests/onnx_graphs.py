"""Small ONNX files for the tests of the split executor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save, shape_inference

FLOAT = TensorProto.FLOAT


def write(
    path: Path,
    nodes: list,
    inputs: dict,
    constants: dict | None = None,
    output: str = "y",
    *,
    kind: int = FLOAT,
    opset: int = 17,
    domains: tuple[str, ...] = (),
) -> Path:
    """Write a graph of `nodes` with `inputs` {name: shape or (type, shape)} and `constants` {name: array} to `path`."""
    given = []
    for name, shape in inputs.items():
        element, dims = (
            shape if len(shape) == 2 and isinstance(shape[1], (tuple, list)) else (FLOAT, shape)
        )
        given.append(helper.make_tensor_value_info(name, element, dims))
    tensors = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(
        nodes, "test", given, [helper.make_tensor_value_info(output, kind, None)], tensors
    )
    opsets = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(domain, 1) for domain in domains),
    ]
    model = shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=opsets, ir_version=9)
    )
    if not model.graph.output[0].type.tensor_type.HasField("shape"):
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, kind, ["batch", "n"]))
    save(model, path)
    return path


def node(kind: str, inputs: list[str], output: str = "y", **attributes: object) -> object:
    """One node, named after its type."""
    domain = attributes.pop("domain", "")
    return helper.make_node(
        kind,
        inputs,
        [output],
        name=str(attributes.pop("name", f"{kind.lower()}_1")),
        domain=domain,
        **attributes,
    )
