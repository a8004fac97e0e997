"""How much may a file ask of the machine that reads it? A few bytes can ask for any amount.

A graph may nest branches and loops, call functions that call others twice, make constants out of a
shape alone, and turn a loop as often as a number says. Each is held to a limit before anything is
computed, and what cannot be known beforehand to a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pimlab.workload.model import ModelError

NESTING = 16
"""Branches and loops inside one another."""
NODES = 10**6
"""Nodes of a graph after its functions are written out."""
CONSTANT_BYTES = 2**30
"""Bytes of all constants that nodes make, besides those that the file holds."""
TENSOR_BYTES = 2**32
"""Bytes of all tensors of one inference together."""
TURNS = 10**5
"""Turns of a loop, times those of the loops around it."""
SECONDS = 60.0
"""Time of one inference in the host's runtime when a file is read."""
SMALL = 1024
"""Values of a constant that is followed through arithmetic on shapes."""
REFERENCE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What onnx's reference implementation raises when an operator cannot be computed."""


def check_nesting(graph: Any, file: str, depth: int = 0) -> None:
    """ModelError where branches and loops stand more than NESTING deep in one another."""
    if depth > NESTING:
        raise ModelError(
            f"{file}: branches and loops stand more than {NESTING} deep in one another; allowed: "
            f"at most {NESTING}"
        )
    for node in graph.node:
        for inner in subgraphs(node):
            check_nesting(inner, file, depth + 1)


def subgraphs(node: Any) -> Iterator[Any]:
    """The graphs that a node holds: branches of an If, bodies of loops."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def check_functions(model: Any, file: str) -> None:
    """ModelError where functions call one another in a circle, or come to more than NODES."""
    functions = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Any, path: tuple[Any, ...]) -> int:
        total = 0
        for node in nodes:
            total += sum(size(inner.node, path) for inner in subgraphs(node))
            total += called((node.domain, node.op_type), path)
        return total

    def called(key: tuple[str, str], path: tuple[Any, ...]) -> int:
        if key not in functions:
            return 1
        if key in path or len(path) > 64:
            raise ModelError(
                f"{file}: function {key[1]!r} calls itself, or more than 64 functions call one "
                "another; allowed: functions that end"
            )
        if key not in sizes:
            sizes[key] = size(functions[key].node, (*path, key))
        return sizes[key]

    if (nodes := size(model.graph.node, ())) > NODES:
        raise ModelError(
            f"{file}: {nodes} nodes once its functions are written out; {_most(NODES)}"
        )


def check_sizes(model: Any, shapes: Mapping[str, tuple[int, ...]], file: str) -> None:
    """ModelError where nodes make more constants than CONSTANT_BYTES, loops turn more than TURNS
    times, or the tensors of one inference are more than TENSOR_BYTES.

    shapes : input name -> its shape for one inference.
    """
    walk = _Walk(model, file)
    types, values = walk.stored(model.graph)
    walk.graph(model.graph, types, values, 1)
    _check_tensors(model, shapes, values, file)


class _Walk:
    """The constants that nodes make out of constants, graph by graph: types of all, values of
    small ones.
    """

    def __init__(self, model: Any, file: str):
        self.file, self.imports, self.total = file, list(model.opset_import), 0
        self.versions = {o.domain: o.version for o in self.imports}

    def stored(self, graph: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Types of a graph's initializers, and those of at most SMALL values as tensors."""
        from onnx import helper

        types = {
            t.name: helper.make_tensor_type_proto(t.data_type, list(t.dims))
            for t in graph.initializer
        }
        small = {t.name: t for t in graph.initializer if math.prod(t.dims) <= SMALL}
        return types, small

    def graph(self, graph: Any, types: dict[str, Any], values: dict[str, Any], turns: int) -> None:
        """Walk the nodes in order; `types` and `values` gain what they make."""
        for node in graph.node:
            inner_turns = turns * self._turns(node, values, turns)
            for inner in subgraphs(node):
                own_types, own_values = self.stored(inner)
                self.graph(inner, types | own_types, values | own_values, inner_turns)
            if all(name in types for name in node.input if name) and not any(subgraphs(node)):
                self._constant(node, types, values)

    def _turns(self, node: Any, values: Mapping[str, Any], outer: int) -> int:
        from onnx import numpy_helper

        if node.op_type != "Loop" or node.input[0] not in values:
            return 1
        turns = int(numpy_helper.to_array(values[node.input[0]]).reshape(-1)[0])
        if turns * outer > TURNS:
            raise ModelError(
                f"{self.file}: node {label(node)!r} (Loop) turns {turns * outer:,} times; "
                f"{_most(TURNS)}"
            )
        return max(1, turns)

    def _constant(self, node: Any, types: dict[str, Any], values: dict[str, Any]) -> None:
        made = self._types(node, types, values)
        for name, kind in made.items():
            size = _bytes(kind)
            if size is None:
                continue
            types[name] = kind
            self.total += size
            if self.total > CONSTANT_BYTES:
                raise ModelError(
                    f"{self.file}: node {label(node)!r} ({node.op_type}) makes constant "
                    f"{name!r} of {size:,} bytes, {self.total:,} with those before; "
                    f"{_most(CONSTANT_BYTES)} bytes of constants that the file does not hold"
                )
        if all(name in values for name in node.input if name) and all(
            name in types and _values(types[name]) <= SMALL for name in node.output if name
        ):
            values |= self._computed(node, values)

    def _types(
        self, node: Any, types: Mapping[str, Any], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        from onnx import defs, shape_inference

        try:
            schema = defs.get_schema(node.op_type, self.versions.get(node.domain, 1), node.domain)
            read = {name: types[name] for name in node.input if name}
            return shape_inference.infer_node_outputs(
                schema, node, read, dict(values), opset_imports=self.imports
            )
        except (defs.SchemaError, shape_inference.InferenceError, RuntimeError, ValueError):
            return {}  # the program that runs it says what is wrong

    def _computed(self, node: Any, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of a node whose operands are small constants; nothing where it cannot be
        computed here.
        """
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        read = [values[name] for name in dict.fromkeys(node.input) if name]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
        graph = helper.make_graph([node], "constant", [], outputs, read)
        try:
            model = helper.make_model(graph, opset_imports=self.imports)
            found = ReferenceEvaluator(model).run(None, {})
            return {
                value.name: numpy_helper.from_array(np.asarray(array), value.name)
                for value, array in zip(outputs, found, strict=True)
            }
        except REFERENCE_ERRORS:
            return {}


def _check_tensors(
    model: Any, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Any], file: str
) -> None:
    from onnx import shape_inference

    skeleton = _skeleton(model, shapes, values)
    try:
        known = shape_inference.infer_shapes(skeleton, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return
    total = 0
    for value in [*known.value_info, *known.output]:
        size = _bytes(value.type)
        total += size or 0
        if total > TENSOR_BYTES:
            raise ModelError(
                f"{file}: tensor {value.name!r} is of {size:,} bytes, {total:,} with those before "
                f"it in one inference; {_most(TENSOR_BYTES)} bytes"
            )


def _skeleton(model: Any, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Any]) -> Any:
    """The model without its large constants, which become inputs of the same shape."""
    import onnx
    from onnx import helper

    skeleton = onnx.ModelProto(ir_version=model.ir_version)
    skeleton.opset_import.extend(model.opset_import)
    graph = skeleton.graph
    graph.name = model.graph.name
    made_small = {o for n in model.graph.node for o in n.output if o in values}
    graph.node.extend(n for n in model.graph.node if not made_small.issuperset(n.output))
    graph.output.extend(model.graph.output)
    graph.initializer.extend(values.values())
    for value in model.graph.input:
        if value.name in shapes:
            kind = value.type.tensor_type.elem_type
            graph.input.append(helper.make_tensor_value_info(value.name, kind, shapes[value.name]))
    for tensor in model.graph.initializer:
        if tensor.name not in values:
            graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return skeleton


def _bytes(kind: Any) -> int | None:
    """Bytes of a tensor type; None where its shape is not known."""
    from onnx import helper

    tensor = kind.tensor_type
    if not kind.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    if any(not dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    try:
        width = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).itemsize
    except (KeyError, ValueError):
        width = 1
    return _values(kind) * width


def _values(kind: Any) -> int:
    return math.prod(dim.dim_value for dim in kind.tensor_type.shape.dim)


def label(node: Any) -> str:
    """What errors call a node: its name, or that of what it makes first."""
    return node.name or next((output for output in node.output if output), node.op_type)


def _most(limit: int) -> str:
    return f"allowed: at most {limit:,}"
