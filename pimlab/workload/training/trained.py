"""How does a trained model come back? As the same ONNX graph with other numbers in its
initialisers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.importers.products import Product
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.model import ModelError


class Trained(OnnxModel):
    """An ONNX network after training; `onnx.save(model.whole, path)` keeps it.

    history : what happened on the way, by epoch (loss, and what the training counted).
    """

    history: xr.Dataset


def places(model: OnnxModel) -> dict[str, tuple[str, str]]:
    """Operator name -> names of the initialisers that hold its weights and its bias ("" where it
    has none).

    ModelError where what is trained could not be put back: a weight or bias that is no initialiser,
    stands there scaled or as integers, or is shared by two operators.
    """
    tensors, makers = (
        _tensors(model.whole),
        {output: node for node in model.whole.graph.node for output in node.output},
    )
    found: dict[str, tuple[str, str]] = {}
    for made in model.parts.products:
        weight, bias = (
            made.origin,
            _bias(makers.get(made.output), tensors) if made.name in model.biases else "",
        )
        if made.name in model.weights and not _holds(
            tensors.get(weight), made.laid_out, model.weights[made.name]
        ):
            raise ModelError(
                f"{model.file}: weights of {made.name!r} are not one float initialiser as it "
                "stands; trained ones have no place"
            )
        if made.name in model.biases and not _holds(
            tensors.get(bias), np.ravel, model.biases[made.name]
        ):
            raise ModelError(
                f"{model.file}: bias of {made.name!r} is not one float initialiser as it stands; a "
                "trained one has no place"
            )
        found[made.name] = weight, bias
    named = [name for pair in found.values() for name in pair if name]
    shared = next((name for name in named if named.count(name) > 1), None)
    if shared is not None:
        raise ModelError(
            f"{model.file}: initialiser {shared!r} serves two operators; for training give each "
            "its own"
        )
    return found


@typed
def trained(
    model: OnnxModel,
    weights: Mapping[str, np.ndarray],
    biases: Mapping[str, np.ndarray],
    name: str,
    history: xr.Dataset,
    parameters: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Trained:
    """`model` with other weights, float32, shape (groups, k, n) by operator, and biases, float32,
    shape (groups * n,), and other gains and embeddings, float32, by the name of their initialiser,
    of its shape (...). ModelError as in `places`.
    """
    import onnx

    proto = onnx.ModelProto()
    proto.CopyFrom(model.whole)
    products, tensors = {made.name: made for made in model.parts.products}, _tensors(proto)
    for op, (weight, bias) in places(model).items():
        if op in weights:
            _write(
                tensors[weight], _laid_back(products[op], weights[op], tuple(tensors[weight].dims))
            )
        if op in biases:
            _write(tensors[bias], biases[op])
    for parameter, values in parameters.items():
        _write(tensors[parameter], values)
    for value in proto.graph.output:
        for label in ("batch", "classes"):  # the shape was left open when the file was read
            value.type.tensor_type.shape.dim.add().dim_param = label
    answer = Trained(proto, name=name)
    answer.history = history
    return answer


class TrainedLanguage(LanguageModel):
    """A language model after training. `history` as in `Trained`."""

    history: xr.Dataset


@typed
def trained_language(
    model: LanguageModel,
    weights: Mapping[str, np.ndarray],
    biases: Mapping[str, np.ndarray],
    name: str,
    history: xr.Dataset,
    parameters: Mapping[str, np.ndarray],
) -> TrainedLanguage:
    """`model` with other weights, float32, shape (1, k, n) by operator, biases, float32,
    shape (n,), and gains and embeddings, float32, of their shapes (...).
    """
    parts = {
        f"{kind}.{n}": a for kind, of in (("w", weights), ("p", parameters)) for n, a in of.items()
    }
    described = hashlib.sha256(model.sha256.encode())
    for part in sorted(parts):
        described.update(part.encode() + np.ascontiguousarray(parts[part]).tobytes())
    answer = TrainedLanguage(
        name=name,
        sha256=described.hexdigest(),
        shape=model.shape,
        tokenizer=model.tokenizer,
        weights=dict(weights),
        parameters=dict(parameters),
        biases=biases,
    )
    answer.history = history
    return answer


def _tensors(proto: Any) -> dict[str, Any]:
    return {tensor.name: tensor for tensor in proto.graph.initializer}


def _holds(tensor: Any, laid_out: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> bool:
    """Whether a float tensor, laid out, is `values`."""
    from onnx import TensorProto, numpy_helper

    if tensor is None or tensor.data_type != TensorProto.FLOAT:
        return False
    held = numpy_helper.to_array(tensor)
    return held.size == values.size and np.array_equal(laid_out(held).ravel(), values.ravel())


def _laid_back(made: Product, matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Weights (groups, k, n) laid out as the tensor of `shape` they came from."""
    order = made.laid_out(np.arange(matrix.size).reshape(shape))
    flat = np.empty(matrix.size, np.float32)
    flat[order.ravel()] = matrix.ravel()
    return flat


def _bias(maker: Any, tensors: Mapping[str, Any]) -> str:
    """The tensor that the node which makes a product's output adds: the last input of a Conv or
    Gemm, the constant of an Add.
    """
    if maker is None:
        return ""
    return next((name for name in reversed(maker.input) if name in tensors), "")


def _write(tensor: Any, values: np.ndarray) -> None:
    from onnx import numpy_helper

    tensor.CopyFrom(
        numpy_helper.from_array(
            np.ascontiguousarray(values.reshape(tuple(tensor.dims)), np.float32), tensor.name
        )
    )
