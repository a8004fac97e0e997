"""How does a trained model come back? As the same ONNX graph with other numbers in its
initialisers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from pimlab.arguments import typed
from pimlab.workload.importers import constants
from pimlab.workload.importers.host_runtime import HostError
from pimlab.workload.importers.limits import label
from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.importers.products import Product
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.model import ModelError


class Trained(OnnxModel):
    """An ONNX network after training; `onnx.save(model.whole, path)` keeps it.

    history : what happened on the way, by epoch (loss, and what the training counted).
    """

    history: xr.Dataset


class Place(NamedTuple):
    """Where the weights and the bias of an operator stand in a file.

    weight, bias : names of initialisers; "" for no bias.  part : (direction, first column, after
    the last one) of a recurrent node's matrices; None where the operator has the initialiser alone.
    before : biases of the node that stand before those of its matrix.
    """

    weight: str
    bias: str
    part: tuple[int, int, int] | None = None
    before: int = 0


def places(model: OnnxModel) -> dict[str, Place]:
    """Operator name -> where its weights and its bias stand.

    ModelError where what is trained could not be put back: a weight or bias that is no initialiser,
    stands there scaled or as integers, or is shared by two operators.
    """
    return located(model)[1]


def located(model: OnnxModel) -> tuple[Any, dict[str, Place]]:
    """The graph that training writes to, an onnx.ModelProto, and the places in it: the file's own;
    or, where a normalisation stands apart from the convolution before it, the same graph with the
    two made one. ModelError as in `places`.
    """
    try:
        return model.whole, _places(model, model.whole)
    except ModelError as error:
        try:
            joined = constants.folded(model.whole)
            return joined, _places(model, joined)
        except (ModelError, HostError):
            raise error from None


def _places(model: OnnxModel, proto: Any) -> dict[str, Place]:
    makers = {output: node for node in proto.graph.node for output in node.output}
    tensors, found = _tensors(proto), dict[str, Place]()
    for made in model.parts.products:
        place = _recurrent(model, made.name, tensors)
        if place is None:
            place = _alone(model, made, tensors, makers)
        found[made.name] = place
    named = [
        (name, place.part, place.before)
        for place in found.values()
        for name in (place.weight, place.bias)
        if name
    ]
    shared = next((name for name in named if named.count(name) > 1), None)
    if shared is not None:
        raise ModelError(
            f"{model.file}: initialiser {shared[0]!r} serves two operators; for training give each "
            "its own"
        )
    return found


def _alone(
    model: OnnxModel, made: Product, tensors: Mapping[str, Any], makers: Mapping[str, Any]
) -> Place:
    """The place of an operator that has its initialisers for itself."""
    weight, bias = made.origin, ""
    if made.name in model.biases:
        bias = _bias(makers.get(made.output), tensors)
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
    return Place(weight, bias)


_MATRIX = re.compile(r"\.(?P<which>[WR])(?P<way>\d*)(\.(?P<gate>\d+))?$")
"""How `importers.recurrent` names the products of a recurrent node: label, matrix, direction, first
gate.
"""


def _recurrent(model: OnnxModel, name: str, tensors: Mapping[str, Any]) -> Place | None:
    """The place of a product of an LSTM, GRU or RNN, whose matrices hold all gates (and
    directions); None for another operator, and where the matrix there is not the product's.
    """
    from onnx import numpy_helper

    match = _MATRIX.search(name)
    if match is None:
        return None
    for node in model.whole.graph.node:
        if node.op_type not in ("LSTM", "GRU", "RNN") or label(node) != name[: match.start()]:
            continue
        weight = node.input[1 if match["which"] == "W" else 2]
        if weight not in tensors or node.input[2] not in tensors:
            return None
        way, hidden = int(match["way"] or 0), tensors[node.input[2]].dims[2]
        first = int(match["gate"] or 0) * hidden
        last = first + model.weights[name].shape[2]
        bias = node.input[3] if name in model.biases else ""
        there = numpy_helper.to_array(tensors[weight])[way, first:last].T
        same = np.array_equal(there, model.weights[name][0])
        before = 0 if match["which"] == "W" else tensors[weight].dims[1]
        return Place(weight, bias, (way, first, last), before) if same else None
    return None


def _put(tensor: Any, part: tuple[int, int, int], values: np.ndarray) -> None:
    """Write values, shape (columns, ...), into a part of a recurrent node's initialiser."""
    from onnx import numpy_helper

    way, first, last = part
    held = numpy_helper.to_array(tensor).copy()
    held[way, first:last] = values
    _write(tensor, held)


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

    whole, there = located(model)
    proto = onnx.ModelProto()
    proto.CopyFrom(whole)
    products, tensors = {made.name: made for made in model.parts.products}, _tensors(proto)
    for op, (weight, bias, part, before) in there.items():
        if part is not None:
            _put(tensors[weight], part, weights[op][0].T)
        elif op in weights:
            _write(
                tensors[weight], _laid_back(products[op], weights[op], tuple(tensors[weight].dims))
            )
        if op in biases and part is not None:
            way, first, last = part
            _put(tensors[bias], (way, before + first, before + last), biases[op])
        elif op in biases:
            _write(tensors[bias], biases[op])
    for parameter, values in parameters.items():
        _write(tensors[parameter], values)
    for value in proto.graph.output:
        for axis in range(model.result_axes):  # the shape was left open when the file was read
            value.type.tensor_type.shape.dim.add().dim_param = f"size{axis}" if axis else "batch"
    answer = Trained(proto, name=name, finish=model.finish)  # open sizes are fixed in it
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
