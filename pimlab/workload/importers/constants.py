"""Which tensors of a graph are constant, and what are they? Its constant parts computed, its
integer weights found.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.workload.importers import host_runtime, packed_blocks
from pimlab.workload.importers.host_runtime import HostError, TypeNotHandedOver
from pimlab.workload.importers.limits import subgraphs

_KINDS = {1: np.float32, 10: np.float16, 11: np.float64}
"""Floats by their number in onnx.TensorProto."""


def folded(model: Any) -> Any:
    """The model with its constant parts computed and normalisations folded into convolutions, by
    ONNX Runtime's standard rewrites; where it lacks an operator, with constant parts computed.

    Products stay MatMul: their bias is folded here, not there. HostError when no program here takes
    the model.
    """
    import onnx
    import onnxruntime

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options = host_runtime.quiet_options(level)
    content = host_runtime.serialised(model)
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = os.path.join(folder, "folded.onnx")
        try:
            onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["MatMulAddFusion"],
            )
        except host_runtime.runtime_errors() as error:
            if host_runtime.lacking(error):
                return _computed(model)
            raise HostError(host_runtime.first_line(error)) from error
        return onnx.load(options.optimized_model_filepath)


def _computed(model: Any) -> Any:
    """The model with every node of constants replaced by what it makes (DequantizeLinear stays: it
    tells which weights are integers).
    """
    import onnx
    from onnx import numpy_helper

    known = {tensor.name for tensor in model.graph.initializer}
    ready: list[Any] = []
    left: list[Any] = []
    for node in model.graph.node:
        fixed = known.issuperset(name for name in node.input if name) and _foldable(node)
        (ready if fixed else left).append(node)
        known |= set(node.output) if fixed else set()
    if not ready:
        return model
    part = onnx.ModelProto(ir_version=model.ir_version)
    part.opset_import.extend(model.opset_import)
    part.graph.name = model.graph.name
    part.graph.node.extend(ready)
    part.graph.initializer.extend(model.graph.initializer)
    names = [name for node in ready for name in node.output if name]
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        made = host_runtime.timed(host_runtime.session(part, "DISABLE"), names, {})
    except TypeNotHandedOver:
        made = host_runtime.session(part, reference=True).run(names, {})
    answer = onnx.ModelProto()
    answer.CopyFrom(model)
    del answer.graph.node[:]
    answer.graph.node.extend(left)
    answer.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name)
        for name, array in zip(names, made, strict=True)
    )
    return answer


def _foldable(node: Any) -> bool:
    return node.op_type != "DequantizeLinear" and not any(subgraphs(node))


def constant_names(graph: Any) -> set[str]:
    """Names of the tensors that `constants` finds."""
    names = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        read = [name for name in node.input if name]
        if node.op_type == "Constant" or (
            node.op_type in ("Cast", "DequantizeLinear") and names.issuperset(read)
        ):
            names |= set(node.output)
    return names


def constants(graph: Any) -> dict[str, np.ndarray]:
    """Every constant tensor of the graph by name, dequantised or cast where DequantizeLinear or
    Cast of constants makes it. Each of the shape (...) that the graph gives it.
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
    constants; of blocks along an axis each repeated.
    """
    codes, scale, *zero = (found[name] for name in node.input if name)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    block = next((a.i for a in node.attribute if a.name == "block_size"), 0)
    shape = (
        [-1 if i == axis % codes.ndim else 1 for i in range(codes.ndim)] if scale.ndim == 1 else []
    )
    if block and scale.ndim == codes.ndim:
        length, shape = codes.shape[axis], list(codes.shape)
        scale, *zero = (np.repeat(a, block, axis).take(range(length), axis) for a in (scale, *zero))
    wide = codes.astype(
        np.int16 if codes.dtype.itemsize == 1 else np.int32
    )  # 8-bit codes less a zero point need 9 bits
    if zero:
        wide = np.subtract(wide, zero[0].reshape(shape), dtype=wide.dtype)
    return wide, scale.reshape(shape)


def stored_codes(graph: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Tensor name -> (integer codes, float32 scale) of constants that Mul(Cast(integers), scale) or
    DequantizeLinear makes. Codes and scale have one shape, or the scale is of shape ().
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
        elif node.op_type == "MatMulNBits" and (given := packed_blocks.nbits_codes(node, found)):
            stored[f"{node.output[0]}.weights"] = given  # what they are called once it is written
    return stored
