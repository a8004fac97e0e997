"""How does a trained model come back? As the same ONNX graph with other numbers in its initialisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab.workload.model import ModelError
from pimlab.workload.onnx_split import OnnxModel
from pimlab.workload.products import Product


class Trained(OnnxModel):
    """An ONNX network after training; `onnx.save(model.whole, path)` keeps it.

    history : what happened on the way, by epoch (loss, and what the training counted).
    """

    history: xr.Dataset


def trained(model: OnnxModel, weights: Mapping[str, np.ndarray], biases: Mapping[str, np.ndarray], name: str,
            history: xr.Dataset) -> Trained:  # fmt: skip
    """`model` with other weights, float32 (groups, k, n) by operator, and biases, float32 (groups * n,).

    ModelError where a weight or bias is not one tensor of the file.
    """
    import onnx

    proto = onnx.ModelProto()
    proto.CopyFrom(model.whole)
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    makers = {output: node for node in proto.graph.node for output in node.output}
    for made in model.parts.products:
        if made.name in weights:
            _write(tensors, made.origin, _tensor(made, weights[made.name], model), made.name, model.file)
        if made.name in biases:
            _write(tensors, _bias(makers.get(made.output), tensors), biases[made.name], made.name, model.file)
    for value in proto.graph.output:
        for label in ("batch", "classes"):  # the shape was left open when the file was read
            value.type.tensor_type.shape.dim.add().dim_param = label
    answer = Trained(proto, name=name)
    answer.history = history
    return answer


def _tensor(made: Product, matrix: np.ndarray, model: OnnxModel) -> np.ndarray:
    """Weights (groups, k, n) laid out as the tensor of the file they came from."""
    if made.origin not in model.parts.constants:
        raise ModelError(f"{model.file}: weights of {made.name!r} are not one tensor of the file, so no trained ones can be written")
    shape = model.parts.constants[made.origin].shape
    order = made.laid_out(np.arange(matrix.size).reshape(shape))
    flat = np.empty(matrix.size, np.float32)
    flat[order.ravel()] = matrix.ravel()
    return flat.reshape(shape)


def _bias(maker: Any, tensors: Mapping[str, Any]) -> str:
    """The tensor that the node which makes a product's output adds: the last input of a Conv or Gemm, the constant of an Add."""
    if maker is None:
        return ""
    return next((name for name in reversed(maker.input) if name in tensors), "")


def _write(tensors: Mapping[str, Any], name: str, values: np.ndarray, op: str, file: str) -> None:
    from onnx import numpy_helper

    if name not in tensors or int(np.prod(tensors[name].dims)) != values.size:
        raise ModelError(f"{file}: weights or bias of {op!r} are not one initialiser of the file, so no trained ones can be written")
    tensors[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values.reshape(tuple(tensors[name].dims)), np.float32), name))
