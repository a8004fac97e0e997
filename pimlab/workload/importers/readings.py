"""How is this file to be run: many samples at once, one sample at a time, or whole as it stands?
The likeliest reading of its inputs that holds when it is tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pimlab.workload.importers import constants, graph_inputs, limits, lowering
from pimlab.workload.importers.graph_inputs import Plan
from pimlab.workload.importers.host_runtime import HostError
from pimlab.workload.importers.traces import Traces
from pimlab.workload.model import ModelError

_RAN = re.compile(r"running (\S+) node\. Name:'([^']*)'")
_LACKS = re.compile(r"implementation for (\S+?)\(\d+\) node with name '([^']*)'")


def _refuse_disputed(model: Any, traces: Traces) -> None:
    """ModelError for a node that ONNX Runtime computes otherwise than the standard says."""
    from onnx import helper

    for node in model.graph.node:
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        aligned = given.get("coordinate_transformation_mode") == b"align_corners"
        if node.op_type == "MaxUnpool" and len(node.input) > 2:
            raise ModelError(
                f"{traces.file}: node {limits.label(node)!r} (MaxUnpool) has an output_shape, with "
                "which ONNX Runtime and the standard put values in different places; allowed: "
                "without it"
            )
        if node.op_type == "Resize" and aligned and not _whole_sizes(node, model, traces):
            raise ModelError(
                f"{traces.file}: node {limits.label(node)!r} (Resize, align_corners) has scales "
                "that give no whole sizes, on which ONNX Runtime and the standard disagree; "
                "allowed: sizes, or scales that give whole ones"
            )


def _whole_sizes(node: Any, model: Any, traces: Traces) -> bool:
    """Whether the scales of a Resize, where it has any, give whole sizes."""
    if len(node.input) < 3 or not node.input[2] or node.input[0] not in traces.one:
        return True
    scales = traces.one.get(node.input[2])
    if scales is None:
        scales = constants.constants(model.graph).get(node.input[2])
    if scales is None or not len(scales):
        return True
    sizes = np.asarray(scales, np.float64) * traces.one[node.input[0]].shape[-len(scales) :]
    return bool(np.allclose(sizes, np.rint(sizes), atol=1e-4))


class Reading(NamedTuple):
    """A model with its constants folded, how its tensors grow, and whether several samples run at
    once.

    axis : the batch's axis in the output; None where each inference has an output of its own.
    """

    model: Any
    traces: Traces
    several: bool
    axis: int | None


def read(
    model: Any,
    plans: list[Plan],
    output: str,
    file: str,
    example: Mapping[str, np.ndarray],
) -> Reading:
    """The first plan that holds; `model` is left with its inputs declared so.

    ModelError where samples of an open batch mix, or no plan can be run.
    """
    alone: tuple[Plan, Any, Traces] | None = None
    mixed: Traces | None = None
    failed: HostError | None = None
    for plan in plans:
        try:
            folded, traces = _traced(model, plan, file, example)
        except HostError as error:
            failed = failed or error
            continue
        if traces.two is None:
            if plan.open or not plan.several:
                alone = alone or (plan, folded, traces)
        elif _apart(folded, traces, output):
            axis = traces.axis(output)
            if not (plan.size and axis != 0):
                quantised = any(_quantises(node) for node in folded.graph.node)
                return Reading(folded, traces, plan.several and not quantised, axis)
        elif plan.open:
            mixed = mixed or traces
    if alone is not None and not (mixed and alone[0].open):
        plan, folded, traces = alone
        graph_inputs.declare(model, plan.inputs)
        return Reading(folded, traces, False, _single(traces, output))
    if mixed is not None:
        raise _mixing(mixed, output)
    raise _unrunnable(model, plans[0], failed, file)


def _traced(
    model: Any, plan: Plan, file: str, example: Mapping[str, np.ndarray]
) -> tuple[Any, Traces]:
    graph_inputs.declare(model, plan.inputs)
    sizes = {one.name: (1, *one.shape) if one.leading else one.shape for one in plan.inputs}
    limits.check_sizes(model, sizes, file)
    folded = lowering.lowered(constants.folded(model), file)
    traces = Traces(folded, plan, file, example)
    _refuse_disputed(folded, traces)
    return folded, traces


def _single(traces: Traces, output: str) -> int | None:
    """The batch's axis in the output of a graph that takes a batch of one, where it keeps that."""
    value = traces.one.get(output)
    led = any(one.leading for one in traces.plan.inputs)
    return 0 if led and isinstance(value, np.ndarray) and value.shape[:1] == (1,) else None


def _apart(folded: Any, traces: Traces, output: str) -> bool:
    """Whether samples stand apart, but for ranges of dynamic quantisation: those are of one
    inference, which runs alone.
    """
    if traces.apart(output):
        return True
    if not traces.plan.open or not any(_quantises(node) for node in folded.graph.node):
        return False
    still = _with_still_ranges(folded, traces)
    try:
        return Traces(still, traces.plan, traces.file, traces.example).apart(output)
    except HostError:
        return False


def _quantises(node: Any) -> bool:
    return bool(node.op_type == "DynamicQuantizeLinear")


def _with_still_ranges(folded: Any, traces: Traces) -> Any:
    """The model with every range of dynamic quantisation as the first sample has it."""
    import onnx
    from onnx import helper, numpy_helper

    still = onnx.ModelProto()
    still.CopyFrom(folded)
    del still.graph.node[:]
    for node in folded.graph.node:
        if not _quantises(node):
            still.graph.node.append(node)
            continue
        codes, scale, zero = node.output
        still.graph.initializer.extend(
            numpy_helper.from_array(np.asarray(traces.one[name]), name) for name in (scale, zero)
        )
        still.graph.node.append(
            helper.make_node("QuantizeLinear", [node.input[0], scale, zero], [codes])
        )
    return still


def _mixing(traces: Traces, output: str) -> ModelError:
    symbols = {one.symbol or f"{one.name}[0]" for one in traces.plan.inputs if one.leading}
    sizes = ", ".join(f"{symbol!r}: <size>" for symbol in sorted(symbols))
    whole = f"a batch of fixed size as one inference is dims={{{sizes}}}"
    if traces.axis(output) is None:
        return ModelError(
            f"{traces.file}: output {output!r} does not follow the batch (shape "
            f"{_shape(traces.one, output)} for one sample, {_shape(traces.two, output)} for two); "
            f"allowed: an output with one row or more a sample; {whole}"
        )
    return ModelError(
        f"{traces.file}: {traces.mixer()} mixes the samples of a batch, so that no sample has an "
        f"answer of its own; allowed: samples that stand apart; {whole}"
    )


def _shape(values: Mapping[str, Any] | None, name: str) -> Any:
    return np.shape(values[name]) if values is not None and name in values else "of a constant"


def _unrunnable(model: Any, plan: Plan, error: HostError | None, file: str) -> ModelError:
    """Why not even one inference ran, in our words."""
    text = str(error)
    if ran := _RAN.search(text):
        given = ", ".join(f"{one.name!r} {one.kind.name} {one.shape}" for one in plan.inputs)
        hint = (
            "; where it needs other values (a shape, indices, sizes that fit) than those drawn at "
            "random here, make that input a constant, or give some with example={name: array}"
        )
        needs_values = len(plan.inputs) > 1 or plan.inputs[0].kind.kind in "iu"
        reason = (
            f"node {_named(model, *ran.groups())} cannot be computed for the inputs {given}, with "
            f"which its sizes or attributes do not agree{hint if needs_values else ''}"
        )
    elif lacks := _LACKS.search(text):
        reason = (
            f"node {_named(model, *lacks.groups())} has no implementation for its types in ONNX "
            "Runtime, nor in the reference of the package onnx"
        )
    else:
        reason = f"it cannot be run: {text}"
    made = ModelError(f"{file}: {reason}")
    made.__cause__ = error
    return made


def _named(model: Any, kind: str, name: str) -> str:
    found = next(
        (n for n in model.graph.node if n.op_type == kind and name in (n.name, *n.output)), None
    )
    shown = name or (limits.label(found) if found is not None else "")
    return f"{shown!r} ({kind})" if shown else f"of type {kind}"
