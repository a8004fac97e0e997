"""What does ONNX Runtime run between two products? One session a depth, and the same bits for any
batch.

The depth of a tensor is the number of MACs on the longest path to it. A session computes a batch at
once only where every operator gives a sample the same bits whatever stands beside it. Others (exp,
tanh, sums, ...) treat the last few elements of a tensor, or a batch of one, by another code path,
and so run sample by sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.workload.importers import host_runtime, onnx_file
from pimlab.workload.importers.products import Product
from pimlab.workload.importers.quantised import CONVERSIONS
from pimlab.workload.importers.traces import Traces

BATCHED = frozenset(
    {
        "Abs",
        "Add",
        "And",
        "ArgMax",
        "ArgMin",
        "Cast",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "DepthToSpace",
        "Div",
        "Dropout",
        "Equal",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "GatherND",
        "GlobalMaxPool",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "IsNaN",
        "LayerNormalization",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Max",
        "MaxPool",
        "Min",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "PRelu",
        "Pad",
        "Range",
        "ReduceMax",
        "ReduceMin",
        "Relu",
        "Reshape",
        "Round",
        "Shape",
        "Sign",
        "Size",
        "Slice",
        "Softmax",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Sub",
        "Tile",
        "Transpose",
        "Unsqueeze",
        "Where",
    }
)
"""Operators that move values, round each result correctly, or work row by row: a sample's bits do
not depend on others.
"""


class Segment:
    """What ONNX Runtime runs at one depth, the products after it, and the values nobody reads any
    more.

    slices : tensor name -> (axis, length of one sample) of what grows with the batch, to run sample
    by sample; None to run batches at once.
    """

    def __init__(
        self,
        session: Any,
        products: list[Product],
        dead: list[str],
        slices: Mapping[str, tuple[int, int]] | None,
    ):
        self.session, self.products, self.dead, self.slices = session, products, dead, slices
        self.inputs = [value.name for value in session.get_inputs()] if session else []
        self.outputs = [value.name for value in session.get_outputs()] if session else []

    def run(self, values: dict[str, np.ndarray]) -> None:
        """Add the segment's outputs to `values`."""
        if self.session is None:
            return
        feeds = {name: values[name] for name in self.inputs}
        parts = [self.session.run(self.outputs, part) for part in self._parts(feeds)]
        for name, *results in zip(self.outputs, *parts, strict=True):
            values[name] = results[0]
            if self.slices is not None and name in self.slices and len(results) > 1:
                values[name] = np.concatenate(results, axis=self.slices[name][0])

    def _parts(self, feeds: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """The feeds, whole or sample by sample."""
        if self.slices is None:
            return [feeds]
        counts = {
            feeds[name].shape[axis] // length
            for name, (axis, length) in self.slices.items()
            if name in feeds
        }
        return [
            {name: self._sample(name, value, i) for name, value in feeds.items()}
            for i in range(max(counts, default=1))
        ]

    def _sample(self, name: str, value: np.ndarray, index: int) -> np.ndarray:
        axis, length = self.slices.get(name, (0, 0)) if self.slices else (0, 0)
        if not length:
            return value
        return np.ascontiguousarray(
            value[(slice(None),) * axis + (slice(index * length, (index + 1) * length),)]
        )


def segments(
    model: Any, nodes: list[Any], products: list[Product], traces: Traces
) -> list[Segment]:
    """Sessions of the `nodes` that are no products, and the products, by depth, in order of
    execution.
    """
    order = {output: index for index, node in enumerate(model.graph.node) for output in node.output}
    depth = _depths(nodes, products, order)
    levels = range(max([0, *depth.values()]) + 1)
    owned = [[node for node in nodes if depth[node.output[0]] == level] for level in levels]
    groups = [_with_shapes(group, nodes, traces) for group in owned]
    after = [[made for made in products if depth[made.output] == level + 1] for level in levels]
    reads = [_wanted(group) for group in groups]
    kept = {value.name for value in model.graph.output}
    found = []
    for level in levels:
        makes = [name for node in owned[level] for name in node.output if name]
        later = set().union(kept, *reads[level + 1 :], *(made.inputs for made in products))
        outputs = [name for name in makes if name in later]
        inputs = sorted(name for name in reads[level] if name in traces.one)
        session = _session(model, groups[level], inputs, outputs, traces) if outputs else None
        needed = set().union(
            kept,
            *reads[level + 1 :],
            *(made.inputs for group in after[level + 1 :] for made in group),
        )
        dead = [
            name
            for name in (
                *outputs,
                *inputs,
                *(name for made in after[level] for name in made.inputs),
            )
            if name not in needed
        ]
        found.append(
            Segment(
                session, after[level], dead, _slices(groups[level], [*inputs, *outputs], traces)
            )
        )
    return found


def _wanted(group: list[Any]) -> set[str]:
    """What the nodes of a segment read and do not make themselves."""
    made = {name for node in group for name in node.output}
    return {name for node in group for name in onnx_file.reads(node)} - made


def _with_shapes(group: list[Any], nodes: list[Any], traces: Traces) -> list[Any]:
    """A segment's nodes and those that compute its shapes, which it computes itself: they differ
    for a sample and a batch.
    """
    makers = {name: node for node in nodes for name in node.output}
    taken = {node.output[0] for node in group}
    waiting = list(group)
    while waiting:
        for name in onnx_file.reads(waiting.pop()):
            maker = makers.get(name)
            if (
                maker is not None
                and maker.output[0] not in taken
                and traces.axis(name) is None
                and traces.one[name].dtype.kind in "iub"
            ):
                taken.add(maker.output[0])
                waiting.append(maker)
    return [node for node in nodes if node.output[0] in taken]


def _slices(
    nodes: list[Any], names: list[str], traces: Traces
) -> dict[str, tuple[int, int]] | None:
    """How to cut the tensors of a segment into samples; None where it need not be, or cannot be,
    run sample by sample.
    """
    if all(node.op_type in BATCHED for node in nodes) or not all(
        traces.stacked(name) for name in names
    ):
        return None
    axes = {name: axis for name in names if (axis := traces.axis(name)) is not None}
    return {name: (axis, traces.one[name].shape[axis]) for name, axis in axes.items()}


def _depths(nodes: list[Any], products: list[Product], order: Mapping[str, int]) -> dict[str, int]:
    """Tensor name -> number of MACs on the longest path to it, for tensors that a node or product
    makes.
    """
    depth: dict[str, int] = {}
    steps = [(order[node.output[0]], onnx_file.reads(node), list(node.output), 0) for node in nodes]
    steps += [(order[made.output], list(made.inputs), [made.output], 1) for made in products]
    for _, inputs, outputs, more in sorted(steps, key=lambda step: step[0]):
        level = max((depth.get(name, 0) for name in inputs), default=0) + more
        depth.update(dict.fromkeys(outputs, level))
    return depth


def _session(
    model: Any, nodes: list[Any], inputs: list[str], outputs: list[str], traces: Traces
) -> Any:
    """A session of `nodes` alone, reading `inputs` and giving `outputs`."""
    from onnx import ValueInfoProto, helper

    used = {name for node in nodes for name in onnx_file.reads(node)}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in used]
    given = [traces.value_info(name) for name in inputs]
    graph = helper.make_graph(
        nodes, "segment", given, [ValueInfoProto(name=name) for name in outputs], constants
    )
    # of codes and what they stand for ONNX Runtime makes integer kernels, which round ties (those
    # of a mean of codes are many) otherwise than the file says
    level = "BASIC" if any(node.op_type in CONVERSIONS for node in nodes) else "ALL"
    return host_runtime.session(
        helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version),
        level,
        reference=traces.reference,
    )
