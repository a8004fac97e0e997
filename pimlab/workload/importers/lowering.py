"""How is a product that ONNX writes in another form put as one that is split? As standard nodes
that compute the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.workload.importers.constants import constant_names


class _Nodes:
    """Nodes in the place of one, whose inner names start with its output's."""

    def __init__(self, node: Any, taken: set[str], version: int):
        self.node, self.taken, self.version = node, taken, version
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def name(self, hint: str) -> str:
        """A name that nothing in the graph has."""
        base = f"{self.node.output[0]}.{hint}"
        count = len(self.taken) + 1
        free = (base if i == 0 else f"{base}.{i}" for i in range(count))
        name = next(n for n in free if n not in self.taken)
        self.taken.add(name)
        return name

    def constant(self, hint: str, value: Any) -> str:
        """A constant tensor."""
        name = self.name(hint)
        self.constants[name] = np.asarray(value)
        return name

    def add(
        self, kind: str, *inputs: str, output: str = "", name: str = "", **attributes: Any
    ) -> str:
        """A node, and the name of what it makes."""
        from onnx import helper

        made = output or self.name(kind.lower())
        self.nodes.append(helper.make_node(kind, list(inputs), [made], name=name, **attributes))
        return made


def lowered(model: Any) -> Any:
    """The model with every node that has another form written so, in place."""
    from onnx import numpy_helper

    graph = model.graph
    constants = constant_names(graph)
    taken = {name for node in graph.node for name in (*node.input, *node.output)} | constants
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    nodes: list[Any] = []
    changed = False
    for node in graph.node:
        form = _FORMS.get(node.op_type)
        place = _Nodes(node, taken, version)
        if form is None or not form(place, node, constants):
            nodes.append(type(node).FromString(node.SerializeToString()))
            continue
        changed = True
        nodes += place.nodes
        graph.initializer.extend(
            numpy_helper.from_array(value, name) for name, value in place.constants.items()
        )
    if changed:
        del graph.node[:]
        graph.node.extend(nodes)
    return model


def _gemm(place: _Nodes, node: Any, constants: set[str]) -> bool:
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


def _scaled(place: _Nodes, x: str, factor: float, output: str = "") -> str:
    """x times a number, in the type of x (before version 15 of ONNX: in float32)."""
    number = place.constant("factor", np.float32(factor))
    if place.version >= 15:
        number = place.add("CastLike", number, x)
    return place.add("Mul", x, number, output=output)


_FORMS: dict[str, Callable[[_Nodes, Any, set[str]], bool]] = {"Gemm": _gemm}
"""Operator type -> what writes it as other nodes, and says whether it did."""
