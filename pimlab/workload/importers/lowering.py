"""How is a product that ONNX writes in another form put as one that is split? As standard nodes
that compute the same.

Recurrent operators and the bodies of loops are written out step by step; the products of one node
have its name with "@0", "@1", ... behind it, by which the importer knows them as one operator.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.workload.importers import (
    bodies,
    einsum,
    linear_models,
    microsoft,
    quantised_forms,
    recurrent,
)
from pimlab.workload.importers.constants import constant_names
from pimlab.workload.importers.written import Nodes, ShapeError
from pimlab.workload.model import ModelError

_ROUNDS = 16
"""How deep forms may stand in one another, such as a GRU in the body of a loop."""


def lowered(model: Any, file: str) -> Any:
    """The model with every node that has another form written so, in place; ModelError for a form
    that cannot be written so.
    """
    for _ in range(_ROUNDS):
        if not any(_form(node) for node in model.graph.node) or not _once(model, file):
            return model
    raise ModelError(f"{file}: loops stand more than {_ROUNDS} deep in one another")


def _form(node: Any) -> Callable[[Nodes, Any, set[str]], bool] | None:
    """What writes a node as others; None where it stands as it is."""
    own = microsoft.FORMS if node.domain == "com.microsoft" else microsoft.EARLY
    return own.get(node.op_type) or FORMS.get(node.op_type)


def _once(model: Any, file: str) -> bool:
    """Write every node that has another form so; whether there was one."""
    from onnx import numpy_helper

    graph = model.graph
    constants = constant_names(graph)
    taken = {name for node in graph.node for name in (*node.input, *node.output)} | constants
    place = Nodes(model, file, taken)
    nodes: list[Any] = []
    changed, unknown = False, None
    for node in graph.node:
        form = _form(node)
        try:
            written = form is not None and form(place.at(node), node, constants)
        except ShapeError as error:  # it may follow once other nodes are written as standard ones
            unknown, written = unknown or error, False
        if not written:
            nodes.append(type(node).FromString(node.SerializeToString()))
            continue
        changed = True
        nodes += place.nodes
        graph.initializer.extend(
            numpy_helper.from_array(value, name) for name, value in place.constants.items()
        )
    if unknown and not changed:
        raise unknown
    if changed:
        del graph.node[:]
        graph.node.extend(nodes)
    return changed


def _gemm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """alpha A' B' + beta C of two computed operands, or of a transposed left one, as MatMul."""
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if node.input[1] in constants and not given.get("transA", 0):
        return False
    a, b = (
        place.add("Transpose", name, perm=[1, 0]) if given.get(key, 0) else name
        for name, key in zip(node.input[:2], ("transA", "transB"), strict=True)
    )
    last = len(node.input) < 3 or not node.input[2]
    alpha, beta = given.get("alpha", 1.0), given.get("beta", 1.0)
    plain = last and alpha == 1.0
    y = place.add("MatMul", a, b, output=node.output[0] if plain else "", name=node.name)
    if alpha != 1.0:
        y = _scaled(place, y, alpha, node.output[0] if last else "")
    if not last:
        c = node.input[2] if beta == 1.0 else _scaled(place, node.input[2], beta)
        place.add("Add", y, c, output=node.output[0])
    return True


def _scaled(place: Nodes, x: str, factor: float, output: str = "") -> str:
    """x times a number, in the type of x (before version 15 of ONNX: in float32)."""
    number = place.constant("factor", np.float32(factor))
    if place.version >= 15:
        number = place.add("CastLike", number, x)
    return place.add("Mul", x, number, output=output)


FORMS: dict[str, Callable[[Nodes, Any, set[str]], bool]] = {
    "Einsum": einsum.written,
    "GRU": recurrent.gru,
    "Gemm": _gemm,
    "If": bodies.branches,
    "LSTM": recurrent.lstm,
    "LinearClassifier": linear_models.classifier,
    "LinearRegressor": linear_models.regressor,
    "Loop": bodies.loop,
    "MatMulNBits": quantised_forms.matmul_nbits,
    "QGemm": quantised_forms.gemm,
    "QLinearConv": quantised_forms.convolution,
    "QLinearMatMul": quantised_forms.matmul,
    "RNN": recurrent.rnn,
    "Scan": bodies.scan,
}
"""Operator type -> what writes it as other nodes, and says whether it did."""
