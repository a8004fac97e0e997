"""What stands in the place of a node that is written as others? Nodes with names that nothing else
has, and what is known of the tensors they read.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from pimlab.workload.importers.constants import constants
from pimlab.workload.importers.host_runtime import HostError
from pimlab.workload.importers.limits import label
from pimlab.workload.model import ModelError

STEPS = 20_000
"""Nodes that one loop or recurrent operator may come to."""


class ShapeError(ModelError):
    """The shape of a tensor does not follow from what is known of the graph so far."""


class Nodes:
    """Nodes in the place of one, whose inner names start with its output's.

    nodes, constants : what was added so far.  version : of the standard.
    """

    def __init__(self, model: Any, file: str, taken: set[str]):
        self.model, self.file, self.taken = model, file, taken
        versions = (o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.version = next(versions, 1)
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self._step, self._counts = "", dict[str, int]()

    def at(self, node: Any) -> Nodes:
        """This, emptied, in the place of `node`."""
        self.node, self.nodes, self.constants = node, [], {}
        self._step = ""
        self.prefix = next(output for output in node.output if output)
        self.label = label(node)
        return self

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """Constants of the graph as it stood, by name."""
        return constants(self.model.graph)

    @cached_property
    def makers(self) -> dict[str, Any]:
        """Tensor -> the node of the graph that makes it."""
        return {name: node for node in self.model.graph.node for name in node.output if name}

    @cached_property
    def _shapes(self) -> dict[str, list[int | None]]:
        from onnx import shape_inference

        try:
            graph = shape_inference.infer_shapes(self.model, data_prop=True).graph
        except (shape_inference.InferenceError, RuntimeError, ValueError):
            graph = self.model.graph
        return {
            value.name: [d.dim_value if d.dim_value > 0 else None for d in kind.shape.dim]
            for value in (*graph.input, *graph.value_info, *graph.output)
            if (kind := value.type.tensor_type).HasField("shape")
        }

    def shape(self, name: str) -> list[int | None]:
        """Sizes of a tensor, None where one is open; ModelError where not even their number is
        known. Unit: elements.
        """
        if name in self.values:
            return list(self.values[name].shape)
        if name not in self._shapes:
            text = f"reads {name!r}, whose shape does not follow from the inputs"
            raise ShapeError(str(self.error(text)))
        return self._shapes[name]

    def size(self, name: str, axis: int) -> int:
        """The size of a tensor along an axis (unit: elements); HostError where it is open, since
        another reading of the inputs may fix it.
        """
        found = self.shape(name)[axis]
        if found is None:
            raise HostError(
                f"node {self.label!r} ({self.node.op_type}) reads {name!r}, whose axis {axis} has "
                "no size that follows from the file; allowed: a fixed number of steps"
            )
        return found

    def error(self, text: str) -> ModelError:
        """A ModelError that names the file and the node."""
        return ModelError(f"{self.file}: node {self.label!r} ({self.node.op_type}) {text}")

    def check_steps(self, steps: int, nodes: int) -> None:
        """ModelError where so many steps of so many nodes are too many."""
        if steps * nodes > STEPS:
            raise self.error(
                f"comes to {steps:,} steps of {nodes} nodes; allowed: {STEPS:,} nodes in all"
            )

    def name(self, hint: str) -> str:
        """A name that nothing in the graph has."""
        base = f"{self.prefix}.{hint}"
        name, i = base, 0
        while name in self.taken:
            i += 1
            name = f"{base}.{i}"
        self.taken.add(name)
        return name

    def begin(self, part: str, step: int | None) -> None:
        """Name the nodes that follow after a part and a step of it, each step's alike; None ends
        it.
        """
        self._step = "" if step is None else f"@{step}"
        self._part, self._counts = part, {}

    def _named(self, kind: str) -> str:
        if not self._step:
            return ""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{self.label}.{self._part}{kind.lower()}{self._counts[kind]}{self._step}"

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
        name = name or self._named(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [made], name=name, **attributes))
        return made

    def quantised(self, x: str) -> tuple[str, str, str]:
        """Codes of 8 bits of x, their scale and their zero point, by the range of x."""
        from onnx import helper

        made = [self.name(hint) for hint in ("codes", "scale", "zero_point")]
        kind = "DynamicQuantizeLinear"
        self.nodes.append(helper.make_node(kind, [x], made, name=self._named(kind)))
        return made[0], made[1], made[2]

    def split(self, x: str, parts: int, axis: int, size: int) -> list[str]:
        """Equal parts of x along an axis of `parts` times `size`."""
        return [self.slice(x, axis, i * size, (i + 1) * size) for i in range(parts)]

    def slice(self, x: str, axis: int, start: int, end: int) -> str:
        """x from `start` to `end` along an axis."""
        if self.version < 10:
            return self.add("Slice", x, axes=[axis], starts=[start], ends=[end])
        bounds = (self.constant("at", np.array([at], np.int64)) for at in (start, end, axis))
        return self.add("Slice", x, *bounds)

    def taken_at(self, x: str, index: int, axis: int) -> str:
        """x at an index of an axis, which it loses."""
        return self.add("Gather", x, self.constant("index", np.int64(index)), axis=axis)

    def reshaped(self, x: str, shape: list[int], output: str = "") -> str:
        """x with another shape, in which 0 keeps a size and -1 takes the rest."""
        return self.add("Reshape", x, self.constant("shape", np.array(shape, np.int64)),
                        output=output)  # fmt: skip

    def widened(self, x: str, axis: int) -> str:
        """x with a new axis of size 1."""
        if self.version < 13:
            return self.add("Unsqueeze", x, axes=[axis])
        return self.add("Unsqueeze", x, self.constant("axis", np.array([axis], np.int64)))
