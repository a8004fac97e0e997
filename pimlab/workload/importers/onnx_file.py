"""Is this ONNX file one that can be split? It is read, checked, its batch dimension opened and its
constants folded.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.values import nearest
from pimlab.workload.model import ModelError

MAC_TYPES = ("Conv", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger")
"""Operator types whose multiply-accumulates a target executes."""

REFUSED = frozenset(
    {
        "Attention",
        "ConvInteger",
        "DeformConv",
        "Einsum",
        "GRU",
        "LSTM",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
    }
)
"""Standard operator types that hold multiply-accumulates in a form that is not split."""

_DOMAINS = ("", "ai.onnx")
_KINDS = {1: np.float32, 10: np.float16, 11: np.float64}
"""Floats by their number in onnx.TensorProto."""


def read(path: Path) -> Any:
    """The ONNX model in `path`; ModelError when it is missing or damaged."""
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise ModelError(f"{path} is not a file; allowed: the path of an ONNX file")
    try:
        return onnx.load(path)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        OSError,
        ValueError,
    ) as error:  # ValueError: external data cut short
        raise ModelError(
            f"{path.name} is damaged or no valid ONNX file ({first_line(error)})"
        ) from error


def checked(model: Any, file: str) -> None:
    """ModelError when the graph is not valid ONNX or holds what no target executes. Outputs without
    a shape pass.
    """
    import onnx

    for value in (
        model.graph.output
    ):  # the checker insists on a shape that ONNX Runtime does not need; it is found by running
        value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{file} is damaged or no valid ONNX file ({first_line(error)})"
        ) from error
    if len(model.graph.output) == 0:
        raise ModelError(f"{file} has no output; allowed: a graph with one output or more")
    for node in model.graph.node:
        _refuse(node, file)


def first_line(error: Exception) -> str:
    """The first line of an error, or its type when it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _refuse(node: Any, file: str) -> None:
    supported = f"supported MAC operators: {', '.join(MAC_TYPES)}"
    label = f"{file}: node {(node.name or node.output[0])!r}"
    article = "an" if node.op_type[0] in "AEI" or node.op_type in ("LSTM", "RNN") else "a"
    if node.domain not in _DOMAINS:
        raise ModelError(
            f"{label} is {node.domain}.{node.op_type}, an operator outside the ONNX standard; "
            f"{supported}"
        )
    if node.op_type in REFUSED:
        raise ModelError(
            f"{label} is {article} {node.op_type}, which no target executes; {supported}"
        )
    for inner in inner_nodes(node):
        if inner.op_type in MAC_TYPES or inner.op_type in REFUSED or inner.domain not in _DOMAINS:
            raise ModelError(
                f"{label} is {article} {node.op_type} that holds the {inner.op_type} "
                f"{inner.name!r}, which no target "
                f"executes inside a branch or loop; {supported} outside of them"
            )


def inner_nodes(node: Any) -> Iterator[Any]:
    """All nodes in the graphs that a node holds (branches of an If, bodies of loops)."""
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
            for inner in graph.node:
                yield inner
                yield from inner_nodes(inner)


def reads(node: Any) -> list[str]:
    """Names of the tensors a node reads, with those its inner graphs take from outside (and some
    they make).
    """
    names = [name for name in node.input if name]
    for inner in inner_nodes(node):
        names += [name for name in inner.input if name]
    return names


def graph_inputs(graph: Any) -> list[Any]:
    """The graph's inputs that are no constants."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def open_dimensions(model: Any, dims: Mapping[str, int], file: str) -> dict[str, tuple[int, ...]]:
    """Open the first dimension of every input as the batch, fix the others by `dims`; input name ->
    shape of one sample.
    """
    shapes, used = {}, set()
    for value in graph_inputs(model.graph):
        shape = value.type.tensor_type.shape
        if len(shape.dim) == 0:
            raise ModelError(
                f"{file}: input {value.name!r} has no dimension; allowed: inputs whose first "
                "dimension is the batch"
            )
        for index, dim in enumerate(shape.dim[1:], start=1):
            if dim.dim_value <= 0:
                label = dim.dim_param or f"{value.name}[{index}]"
                label = label if label in dims else f"{value.name}[{index}]"
                if label not in dims:
                    wanted = dim.dim_param or label
                    raise ModelError(
                        f"{file}: input {value.name!r} has the open dimension {wanted!r} at axis "
                        f"{index}"
                        f"{nearest(wanted, dims)}; fix it with dims={{{wanted!r}: <size>}}"
                    )
                used.add(label)
                dim.dim_value = _size(dims, label, file)
        shapes[value.name] = tuple(dim.dim_value for dim in shape.dim[1:])
        shape.dim[0].dim_param = "batch"
    for label in set(dims) - used:
        raise ModelError(
            f"{file}: dims names {label!r}, but no input has an open dimension of that "
            f"name{nearest(label, used)}"
        )
    _forget_shapes(model.graph)
    return shapes


def _size(dims: Mapping[str, int], label: str, file: str) -> int:
    size = dims[label]
    if isinstance(size, bool) or not hasattr(size, "__index__") or size < 1:
        raise ModelError(f"{file}: dims {label!r}={size!r}; allowed: an integer, 1 or more")
    return int(size)


def _forget_shapes(graph: Any) -> None:
    """Recorded shapes may hold the old batch size; they are found again by running the graph."""
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


class Session:
    """A single-thread ONNX Runtime session that can be sent to another process, which makes its own
    of the same bytes.
    """

    def __init__(self, content: bytes, level: str):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        levels = onnxruntime.GraphOptimizationLevel
        known = {
            "ALL": levels.ORT_ENABLE_ALL,
            "BASIC": levels.ORT_ENABLE_BASIC,
            "DISABLE": levels.ORT_DISABLE_ALL,
        }
        options.graph_optimization_level = known[level]
        self._made_of = (content, level)
        self._runtime = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.run, self.get_inputs, self.get_outputs = (
            self._runtime.run,
            self._runtime.get_inputs,
            self._runtime.get_outputs,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (Session, self._made_of)


def session(model: Any, level: str = "ALL") -> Session:
    """A single-thread ONNX Runtime session: results do not depend on a thread count.

    level : "ALL" for every rewrite, "BASIC" for those that keep the standard's arithmetic (the
    others may quantise the activations of products with integer weights), "DISABLE" for none.
    """
    return Session(model.SerializeToString(), level)


def folded(model: Any, file: str) -> Any:
    """The model with its constant parts computed and normalisations folded into convolutions, by
    ONNX Runtime's standard rewrites.

    Products stay MatMul: their bias is folded here, not there. ModelError when ONNX Runtime refuses
    the model.
    """
    import onnx
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        InvalidGraph,
        NotImplemented,
        RuntimeException,
    )

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = os.path.join(folder, "folded.onnx")
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["MatMulAddFusion"],
            )
        except (Fail, InvalidArgument, InvalidGraph, NotImplemented, RuntimeException) as error:
            raise ModelError(
                f"{file}: ONNX Runtime refuses the model ({first_line(error)})"
            ) from error
        return onnx.load(options.optimized_model_filepath)


def constants(graph: Any) -> dict[str, np.ndarray]:
    """Every constant tensor of the graph by name, dequantised or cast where DequantizeLinear or
    Cast of constants makes it.
    """
    from onnx import numpy_helper

    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "DequantizeLinear" and all(
            name in found for name in node.input if name
        ):
            codes, scale = _codes(node, found)
            found[node.output[0]] = (codes * scale).astype(np.float32)
        elif (
            node.op_type == "Cast"
            and node.input[0] in found
            and (kind := _KINDS.get(node.attribute[0].i))
        ):
            found[node.output[0]] = found[node.input[0]].astype(
                kind
            )  # ONNX Runtime puts one before each half-precision weight
    return found


def _codes(node: Any, found: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Codes less their zero point, and the scale shaped to multiply them, of a DequantizeLinear of
    constants.
    """
    codes, scale, *zero = (found[name] for name in node.input if name)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = (
        [-1 if i == axis % codes.ndim else 1 for i in range(codes.ndim)] if scale.ndim == 1 else []
    )
    wide = codes.astype(
        np.int16 if codes.dtype.itemsize == 1 else np.int32
    )  # 8-bit codes less a zero point need 9 bits
    if zero:
        wide = np.subtract(wide, zero[0].reshape(shape), dtype=wide.dtype)
    return wide, scale.reshape(shape)


def stored_codes(graph: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Tensor name -> (integer codes, float32 scale) of constants that Mul(Cast(integers), scale) or
    DequantizeLinear makes.
    """
    found = constants(graph)
    casts = {
        node.output[0]: found[node.input[0]]
        for node in graph.node
        if node.op_type == "Cast" and node.input[0] in found
    }
    stored = {}
    for node in graph.node:
        if node.op_type == "Mul":
            for codes, scale in (node.input, reversed(node.input)):
                if (
                    codes in casts
                    and scale in found
                    and np.issubdtype(casts[codes].dtype, np.integer)
                ):
                    stored[node.output[0]] = (casts[codes], found[scale].astype(np.float32))
        elif node.op_type == "DequantizeLinear" and all(
            name in found for name in node.input if name
        ):
            stored[node.output[0]] = _codes(node, found)
    return stored
