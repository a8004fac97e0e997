"""Which operators are made of others? A file's own functions and those that the standard defines by
products are written out as nodes.
"""

from __future__ import annotations

from typing import Any

from pimlab.workload.importers import limits
from pimlab.workload.importers.host_runtime import first_line
from pimlab.workload.importers.limits import label
from pimlab.workload.model import ModelError

EXPANDED = frozenset(
    {
        ("", "Attention"),
        ("", "CausalConvWithState"),
        ("", "LinearAttention"),
        ("ai.onnx.preview", "FlexAttention"),
    }
)
"""Operators that the standard defines by others, products among them: (domain, type)."""

_DOMAIN = "pimlab.written.out"


def write_out(model: Any, file: str) -> None:
    """Replace functions by their nodes, in place; ModelError where that is not possible."""
    from onnx import inliner

    limits.check_functions(model, file)
    try:
        if model.functions:
            model.CopyFrom(inliner.inline_local_functions(model))
        if _make_local(model, file):
            model.CopyFrom(inliner.inline_local_functions(model))
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{file}: its functions cannot be written out as nodes ({first_line(error)})"
        ) from error


def _make_local(model: Any, file: str) -> bool:
    """Give every node that the standard defines by others a function of the file's own; whether
    there was one.
    """
    nodes = [n for n in model.graph.node if (_plain(n.domain), n.op_type) in EXPANDED]
    types = _types(model) if nodes else {}
    for index, node in enumerate(nodes):
        model.functions.append(_definition(model, node, types, file))
        model.functions[-1].name = node.op_type = f"{node.op_type}_{index}"
        model.functions[-1].domain = node.domain = _DOMAIN
    if nodes:
        model.opset_import.add(domain=_DOMAIN, version=1)
    return bool(nodes)


def _plain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _definition(model: Any, node: Any, types: dict[str, Any], file: str) -> Any:
    import onnx
    from onnx import defs

    versions = {opset.domain: opset.version for opset in model.opset_import}
    schema: Any = defs.get_schema(node.op_type, versions[node.domain], _plain(node.domain))
    if missing := [name for name in node.input if name and name not in types]:
        raise ModelError(
            f"{file}: node {label(node)!r} ({node.op_type}) reads {missing[0]!r}, whose type is "
            "not known; allowed: a graph whose types follow from its inputs"
        )
    read = [types[name] if name else b"" for name in node.input]
    if schema.has_context_dependent_function:
        body = schema.get_context_dependent_function(node.SerializeToString(), read)
        function = onnx.FunctionProto.FromString(body)
    else:
        function = onnx.FunctionProto.FromString(schema.function_body.SerializeToString())
    for opset in function.opset_import:
        opset.version = versions.get(opset.domain, opset.version)
    return function


def _types(model: Any) -> dict[str, bytes]:
    """The type of every tensor, as bytes of onnx.TypeProto."""
    from onnx import helper, shape_inference

    graph = shape_inference.infer_shapes(model).graph
    found = {
        value.name: value.type.SerializeToString()
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return found | {
        tensor.name: helper.make_tensor_type_proto(
            tensor.data_type, list(tensor.dims)
        ).SerializeToString()
        for tensor in graph.initializer
    }
