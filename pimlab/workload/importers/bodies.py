"""What do products in a branch or loop come to? The body, written out once a turn.

A Scan turns as often as its inputs are long, a Loop as often as a constant says, if it does not
stop by itself. Of an If the branch is written out that sizes choose; where values choose, both are
and one result is taken, so its costs are those of both. Bodies without products stay as they are,
on the host, but for branches that sizes choose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab.workload.importers.conditions import decided
from pimlab.workload.importers.limits import subgraphs
from pimlab.workload.importers.onnx_file import MAC_TYPES, WRITTEN, inner_nodes
from pimlab.workload.importers.written import Nodes


def _multiplies(node: Any) -> bool:
    return any(inner.op_type in (*MAC_TYPES, *WRITTEN) for inner in inner_nodes(node))


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def scan(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write out a Scan whose body multiplies; whether it was one."""
    if not _multiplies(node):
        return False
    if place.version < 9:
        raise place.error("is of a version before 9, with a batch of its own; allowed: 9 or later")
    given = _attributes(node)
    body, count = given["body"], int(given["num_scan_inputs"])
    states = list(node.input[: len(node.input) - count])
    scanned = list(node.input[len(states) :])
    axes = [int(a) for a in given.get("scan_input_axes", [0] * count)]
    axes = [a % len(place.shape(name)) for a, name in zip(axes, scanned, strict=True)]
    backward = given.get("scan_input_directions", [0] * count)
    turns = place.size(scanned[0], axes[0])
    place.check_steps(turns, len(body.node))
    stacks: list[list[str]] = [[] for _ in body.output[len(states) :]]
    for t in range(turns):
        place.begin("", t)
        read = [
            place.taken_at(name, turns - 1 - t if back else t, axis)
            for name, axis, back in zip(scanned, axes, backward, strict=True)
        ]
        made = _turn(place, body, [*states, *read], f"@{t}")
        states = made[: len(states)]
        for stack, one in zip(stacks, made[len(states) :], strict=True):
            stack.append(one)
    place.begin("", None)
    out_axes = given.get("scan_output_axes", [0] * len(stacks))
    out_back = given.get("scan_output_directions", [0] * len(stacks))
    stacks = [stack[::-1] if back else stack for stack, back in zip(stacks, out_back, strict=True)]
    _put_out(place, node, states, stacks, out_axes)
    return True


def loop(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write out a Loop whose body multiplies; whether it was one."""
    if not _multiplies(node):
        return False
    body = _attributes(node)["body"]
    turns = _turns(place, node, body)
    place.check_steps(turns, len(body.node))
    states = list(node.input[2:])
    stacks: list[list[str]] = [[] for _ in body.output[1 + len(states) :]]
    go_on = place.constant("condition", np.array(True))
    for t in range(turns):
        index = place.constant("turn", np.array(t, np.int64))
        made = _turn(place, body, [index, go_on, *states], f"@{t}")[1:]
        states = made[: len(states)]
        for stack, one in zip(stacks, made[len(states) :], strict=True):
            stack.append(one)
    _put_out(place, node, states, stacks, [0] * len(stacks))
    return True


def _turns(place: Nodes, node: Any, body: Any) -> int:
    """How often a Loop turns; ModelError where values say when it stops."""
    name, condition = node.input[0], node.input[1]
    if name not in place.values:
        raise place.error(
            "multiplies, and how often it turns is computed; allowed: a constant number of turns"
        )
    if condition and not (condition in place.values and place.values[condition].all()):
        raise place.error("multiplies, and may not start; allowed: a condition that is always true")
    kept = {body.input[1].name}
    kept |= {t.name for t in body.initializer if any(t.raw_data) or any(t.int32_data)}
    for inner in body.node:
        true = inner.op_type == "Constant" and any(any(a.t.raw_data) for a in inner.attribute)
        if true or (inner.op_type == "Identity" and inner.input[0] in kept):
            kept |= set(inner.output)
    if body.output[0].name not in kept:
        raise place.error("multiplies, and stops by what it computes; allowed: a fixed number")
    return int(place.values[name].reshape(-1)[0])


def branches(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write out the branch that an If takes, where its condition is constant or hangs on sizes
    alone; both where it does not and they multiply. Whether it was written.
    """
    given = _attributes(node)
    found = {key: given[f"{key}_branch"] for key in ("then", "else")}
    way = decided(place, node.input[0])
    if way is None and not _multiplies(node):
        return False
    if way is not None:
        key = "then" if way else "else"
        made = _turn(place, found[key], [], f"@{key}")
        for name, output in zip(made, node.output, strict=True):
            place.add("Identity", name, output=output)
        return True
    then, other = (_turn(place, body, [], f"@{key}") for key, body in found.items())
    for a, b, output in zip(then, other, node.output, strict=True):
        place.add("Where", node.input[0], a, b, output=output)
    return True


def _turn(place: Nodes, body: Any, read: list[str], suffix: str) -> list[str]:
    """The outputs of one turn of a body that reads these tensors; its operators get the suffix."""
    from onnx import numpy_helper

    names = {value.name: name for value, name in zip(body.input, read, strict=True)}
    for tensor in body.initializer:
        names[tensor.name] = _held(place, tensor.name, numpy_helper.to_array(tensor), suffix)
    for node in body.node:
        copy = type(node).FromString(node.SerializeToString())
        for name in node.output:
            if name:
                names[name] = place.name(f"{name}{suffix}")
        _rename(copy, names)
        shown = node.name or next(name for name in node.output if name)
        copy.name = f"{place.label}.{shown}{suffix}"
        place.nodes.append(copy)
    return [names.get(value.name, value.name) for value in body.output]


def _held(place: Nodes, name: str, value: np.ndarray, suffix: str) -> str:
    """A body's constant, which all its turns share."""
    shared = f"{place.prefix}.{name}"
    if suffix in ("@0", "@then", "@else") or shared not in place.constants:
        place.constants[shared] = value
        place.taken.add(shared)
    return shared


def _rename(node: Any, names: dict[str, str]) -> None:
    """Give a node's tensors, and those that its own bodies read from outside, their new names."""
    for names_of in (node.input, node.output):
        renamed = [names.get(name, name) for name in names_of]
        del names_of[:]
        names_of.extend(renamed)
    for graph in subgraphs(node):
        made = {v.name for v in graph.input} | {t.name for t in graph.initializer}
        made |= {name for inner in graph.node for name in inner.output}
        outer = {old: new for old, new in names.items() if old not in made}
        for inner in graph.node:
            _rename(inner, outer)
        for value in graph.output:
            value.name = outer.get(value.name, value.name)


def _put_out(
    place: Nodes, node: Any, states: list[str], stacks: list[list[str]], axes: Any
) -> None:
    """The last states, and what each turn gave, stacked along a new axis."""
    for state, output in zip(states, node.output, strict=False):
        if output:
            place.add("Identity", state, output=output)
    for stack, output, axis in zip(stacks, node.output[len(states) :], axes, strict=True):
        if output:
            wide = [place.widened(one, int(axis)) for one in stack]
            place.add("Concat", *wide, axis=int(axis), output=output)
