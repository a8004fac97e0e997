"""What is one inference of this graph? Which inputs have a batch as their first axis, and which are
whole.

An input whose first dimension is open follows the batch. In a graph whose inputs all have fixed
sizes, a first dimension that all of them share may be a batch that the file fixed; where the graph
does not treat it so, an inference takes the inputs whole, as the file declares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pimlab.units import is_integer
from pimlab.values import nearest
from pimlab.workload.model import ModelError


class Input(NamedTuple):
    """An input of a graph.

    shape : of one inference, without the batch axis.  leading : whether the graph's tensor has a
    batch axis before it.  symbol : what the file calls the open batch; "" where it is fixed.
    """

    name: str
    shape: tuple[int, ...]
    kind: np.dtype
    leading: bool
    symbol: str = ""


class Plan(NamedTuple):
    """One reading of a graph's inputs.

    open : whether the file itself leaves the batch open, so that samples must stand apart.
    several : whether a run may take several inferences at once, or each alone.
    size : the batch that the file fixes, where it is more than one; it must then be the first axis
    of the output as well.
    """

    inputs: tuple[Input, ...]
    open: bool
    several: bool
    size: int = 0


class _Declared(NamedTuple):
    name: str
    kind: np.dtype
    dims: tuple[int | str, ...]


def plans(
    graph: Any, dims: Mapping[str, int], file: str, known: frozenset[str] = frozenset()
) -> list[Plan]:
    """Readings of the inputs, the likeliest first; ModelError for an input that cannot be fed.

    known : open dimensions of inputs that the chosen output does not need, which `dims` may name.
    """
    declared = [_declared(value, file) for value in _free(graph)]
    if not declared:
        raise ModelError(f"{file} has no input; allowed: a graph with one input or more")
    fixed, by_request = _fixed(declared, dims, file, known)
    if any(_open(one) for one in fixed):
        return _open_plans(fixed)
    if by_request:
        return [Plan(tuple(_whole(one) for one in fixed), False, False)]
    return _fixed_plans(fixed)


def _free(graph: Any) -> list[Any]:
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {tensor.values.name for tensor in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in constants]


def open_names(graph: Any) -> frozenset[str]:
    """Names of all dimensions that the inputs of a graph leave open."""
    return frozenset(
        dim.dim_param or f"{value.name}[{axis}]"
        for value in _free(graph)
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        if dim.dim_value <= 0
    )


def _open(one: _Declared) -> bool:
    return bool(one.dims) and isinstance(one.dims[0], str)


def _open_plans(fixed: list[_Declared]) -> list[Plan]:
    """First with the inputs of first size 1 in the batch as well, then with the open ones alone."""
    wide = tuple(_led(one) if _open(one) or one.dims[:1] == (1,) else _whole(one) for one in fixed)
    narrow = tuple(_led(one) if _open(one) else _whole(one) for one in fixed)
    return [
        Plan(inputs, True, all(one.leading for one in inputs))
        for inputs in dict.fromkeys((wide, narrow))
    ]


def _fixed_plans(fixed: list[_Declared]) -> list[Plan]:
    firsts = {one.dims[0] if one.dims else None for one in fixed}
    found = []
    if len(firsts) == 1 and None not in firsts and 0 not in firsts:
        size = int(fixed[0].dims[0])
        found.append(Plan(tuple(_led(one) for one in fixed), False, True, size if size > 1 else 0))
    if fixed[0].dims[:1] == (1,):
        single = tuple(_led(one) if one.dims[:1] == (1,) else _whole(one) for one in fixed)
        found.append(Plan(single, False, False))
    found.append(Plan(tuple(_whole(one) for one in fixed), False, False))
    return found


def _led(one: _Declared) -> Input:
    symbol = one.dims[0] if isinstance(one.dims[0], str) else ""
    return Input(one.name, tuple(map(int, one.dims[1:])), one.kind, True, symbol)


def _whole(one: _Declared) -> Input:
    return Input(one.name, tuple(map(int, one.dims)), one.kind, False)


def _declared(value: Any, file: str) -> _Declared:
    """Name, type and dimensions of an input; an open dimension is its name, or NAME[axis]."""
    from onnx import helper

    if not value.type.HasField("tensor_type"):
        held = (value.type.WhichOneof("value") or "value without a type").removesuffix("_type")
        raise ModelError(f"{file}: input {value.name!r} is a {held}; allowed: tensors of numbers")
    tensor = value.type.tensor_type
    try:
        kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{file}: input {value.name!r} has the element type {tensor.elem_type}, which ONNX "
            "does not define"
        ) from error
    if kind.kind in "OSUc":
        shown = kind.name if kind.kind == "c" else "string"
        raise ModelError(
            f"{file}: input {value.name!r} holds values of type {shown}; allowed: bool, integers "
            "and floats"
        )
    if not tensor.HasField("shape"):
        raise ModelError(
            f"{file}: input {value.name!r} has no shape; allowed: inputs whose number of axes the "
            "file says"
        )
    dims = (dim.dim_value if dim.dim_value > 0 else dim.dim_param for dim in tensor.shape.dim)
    named = (f"{value.name}[{i}]" if dim == "" else dim for i, dim in enumerate(dims))
    return _Declared(value.name, kind, tuple(named))


def _fixed(
    declared: list[_Declared], dims: Mapping[str, int], file: str, known: frozenset[str]
) -> tuple[list[_Declared], bool]:
    """The inputs with every open dimension but the first fixed by `dims`, and the first where a
    name in `dims` is that of first dimensions alone, or of another input's later one as well (a
    state with its batch inside); whether such a one was fixed.
    """
    later = {d for one in declared for i, d in enumerate(one.dims) if i and isinstance(d, str)}
    later |= {f"{one.name}[{i}]" for one in declared for i in range(1, len(one.dims))}
    later -= _states(declared)
    used: set[str] = set()
    by_request = False
    found = []
    for one in declared:
        sizes = list(one.dims)
        for axis, dim in enumerate(one.dims):
            names = [n for n in (dim, f"{one.name}[{axis}]") if isinstance(n, str) and n in dims]
            if not isinstance(dim, str) or (axis == 0 and (not names or names[0] in later)):
                continue
            if not names:
                raise ModelError(
                    f"{file}: input {one.name!r} has the open dimension {dim!r} at axis {axis}"
                    f"{nearest(dim, dims)}; fix it with dims={{{dim!r}: <size>}}"
                )
            sizes[axis] = _size(dims, names[0], file)
            used.add(names[0])
            by_request |= axis == 0
        found.append(one._replace(dims=tuple(sizes)))
    for name in set(dims) - used - known:
        raise ModelError(
            f"{file}: dims names {name!r}, but no input has an open dimension of that "
            f"name{nearest(name, used)}"
        )
    return found, by_request


def _states(declared: list[_Declared]) -> set[str]:
    """Names of first dimensions that stand at a later axis of another input."""
    return {
        first
        for one in declared
        if isinstance(first := one.dims[0] if one.dims else None, str)
        for other in declared
        if other is not one and first in other.dims[1:] and first not in one.dims[1:]
    }


def _size(dims: Mapping[str, int], name: str, file: str) -> int:
    size = dims[name]
    if not is_integer(size) or size < 1:
        raise ModelError(f"{file}: dims {name!r}={size!r}; allowed: an integer, 1 or more")
    return int(size)


def declare(model: Any, inputs: tuple[Input, ...]) -> None:
    """Write the planned inputs into a model: the batch open, every other size fixed.

    Recorded shapes may hold the old batch; they are forgotten, and found again by running the
    graph.
    """
    from onnx import helper

    del model.graph.input[:]
    for one in inputs:
        kind = helper.np_dtype_to_tensor_dtype(one.kind)
        shape: list[str | int | None] = [*(["batch"] if one.leading else []), *one.shape]
        model.graph.input.append(helper.make_tensor_value_info(one.name, kind, shape))
    del model.graph.value_info[:]
    for value in model.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
