"""What does an LSTM, GRU or RNN compute, product by product? One product of all inputs, and one of
the state a step, as the ONNX standard defines them.

The product of the inputs is one operator over all steps. The product of the state is one operator,
too, whose rows are the steps: they wait for each other, which a time of rows side by side does not
show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pimlab.workload.importers.host_runtime import HostError
from pimlab.workload.importers.written import Nodes, ShapeError

_ALPHA = {"LeakyRelu": 0.01, "Elu": 1.0, "HardSigmoid": 0.2, "ThresholdedRelu": 1.0}
_BETA = {"HardSigmoid": 0.5}
_PLAIN = ("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")
_SHOWN = (*_PLAIN, *_ALPHA, "Affine", "ScaledTanh")
Step = Callable[["_Layer", str, dict[str, str]], dict[str, str]]


def lstm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write an LSTM as products and gates; always done."""
    return _written(place, node, gates=4, usual=["Sigmoid", "Tanh", "Tanh"], step=_lstm_step)


def dynamic_lstm(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a DynamicQuantizeLSTM of com.microsoft as products of codes and gates; always done."""
    usual = ["Sigmoid", "Tanh", "Tanh"]
    return _written(place, node, gates=4, usual=usual, step=_lstm_step, kind=_DynamicLayer)


def gru(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write a GRU as products and gates; always done."""
    return _written(place, node, gates=3, usual=["Sigmoid", "Tanh"], step=_gru_step)


def rnn(place: Nodes, node: Any, constants: set[str]) -> bool:
    """Write an RNN as products and an activation; always done."""
    return _written(place, node, gates=1, usual=["Tanh"], step=_rnn_step)


class _Layer:
    """One direction of a recurrent node: its weights by name, and how its gates are computed."""

    STATE_AXIS = 2
    """Axis of R, shape (directions, gates hidden, hidden), that is as long as the state."""

    def __init__(self, place: Nodes, given: dict[str, Any], index: int, gates: int, usual: list):
        self.place, self.given, self.index, self.gates = place, given, index, gates
        self._made: dict[Any, str] = {}
        node = place.node
        self.hidden = int(given.get("hidden_size") or place.size(node.input[2], self.STATE_AXIS))
        names = [n.decode() if isinstance(n, bytes) else n for n in given.get("activations", [])]
        first = len(usual) * index
        self.names = names[first : first + len(usual)] or usual
        self.functions = [self._function(first + i, name) for i, name in enumerate(self.names)]
        self.matrices = {key: self._matrix(key, node.input[i]) for key, i in (("W", 1), ("R", 2))}
        self.bias = self._vector(3, 2 * gates)
        self.peephole = self._vector(7, 3) if gates == 4 else None

    def _matrix(self, key: str, name: str) -> str:
        """W or R of this direction, turned to (k, gates hidden)."""
        if name in self.place.values:
            matrix = self.place.values[name][self.index].T
            return self.place.constant(f"{key}{self.index}", np.ascontiguousarray(matrix))
        one = self.place.taken_at(name, self.index, 0)
        return self.place.add("Transpose", one, perm=[1, 0])

    def _vector(self, index: int, parts: int) -> list[str] | None:
        """Parts (hidden,) of a vector input of this direction; None where there is none."""
        place = self.place
        if len(place.node.input) <= index or not place.node.input[index]:
            return None
        name = place.node.input[index]
        if name in place.values:
            pieces = np.split(place.values[name][self.index], parts)
            return [place.constant("part", piece) for piece in pieces]
        return place.split(place.taken_at(name, self.index, 0), parts, 0, self.hidden)

    def _function(self, index: int, name: str) -> Callable[[str], str]:
        place, exact = self.place, next((n for n in _SHOWN if n.lower() == name.lower()), None)
        if exact is None:
            raise place.error(f"has the activation {name!r}; allowed: {', '.join(_SHOWN)}")

        def number(key: str, usual: float) -> float:
            values = self.given.get(f"activation_{key}", [])
            return float(values[index]) if index < len(values) else usual

        alpha, beta = number("alpha", _ALPHA.get(exact, 1.0)), number("beta", _BETA.get(exact, 0.0))
        if exact == "Affine":
            return lambda x: place.add("Add", self.times(x, alpha), self.number(beta))
        if exact == "ScaledTanh":
            return lambda x: self.times(place.add("Tanh", self.times(x, beta)), alpha)
        more: dict[str, Any] = {"alpha": alpha} if exact in _ALPHA else {}
        more |= {"beta": beta} if exact in _BETA else {}
        return lambda x: place.add(exact, x, **more)

    def number(self, value: float) -> str:
        """A constant of the type of the inputs."""
        known = (self.place.values.get(name) for name in self.place.node.input)
        kinds = [v.dtype for v in known if v is not None and v.dtype.kind == "f"]
        return self.constant(value, lambda: np.array(value, kinds[0] if kinds else np.float32))

    def constant(self, key: Any, make: Callable[[], np.ndarray]) -> str:
        """A constant of this layer, made once."""
        if key not in self._made:
            self._made[key] = self.place.constant("constant", make())
        return self._made[key]

    def times(self, x: str, factor: float) -> str:
        """x times a number."""
        return x if factor == 1.0 else self.place.add("Mul", x, self.number(factor))

    def clipped(self, x: str) -> str:
        """x within the bounds that the node gives its sums."""
        bound = self.given.get("clip")
        if not bound:
            return x
        x = self.place.add("Max", x, self.number(-float(bound)))
        return self.place.add("Min", x, self.number(float(bound)))

    def biases(self, parts: list[int]) -> str | None:
        """Parts of the bias after each other, each the sum of those that `parts` pairs up."""
        if self.bias is None:
            return None
        place, all_ = self.place, {**self.place.values, **self.place.constants}
        pieces = [p for i in parts if (p := all_.get(self.bias[i])) is not None]
        if len(pieces) == len(parts):
            return self.constant(("bias", *parts), lambda: np.concatenate(pieces))
        return place.add("Concat", *(self.bias[i] for i in parts), axis=0)

    def product(self, x: str, key: str, suffix: str = "", columns: slice | None = None) -> str:
        """x @ W or x @ R, as an operator with the node's name and `suffix`."""
        place, matrix = self.place, self.matrices[key]
        if columns is not None:
            start, end = columns.start * self.hidden, columns.stop * self.hidden
            if (whole := place.constants.get(matrix)) is not None:
                part = np.ascontiguousarray(whole[:, start:end])
                matrix = self.constant((key, start, end), lambda: part)
            else:
                matrix = place.slice(matrix, 1, start, end)
        name = f"{place.label}.{key}{self.index or ''}"
        name += "" if columns is None else f".{columns.start}"
        return place.add("MatMul", x, matrix, name=f"{name}{suffix}")


class _DynamicLayer(_Layer):
    """One direction of a DynamicQuantizeLSTM: W and R are codes (k, gates hidden) with a scale and
    a zero point a direction or a column; what they multiply is quantised to 8 bits at each product.
    """

    STATE_AXIS = 1
    _SCALES = {"W": 8, "R": 10}

    def _matrix(self, key: str, name: str) -> str:
        """The codes of this direction; ModelError where they, or their scales, are computed."""
        index, names = self._SCALES[key], self.place.node.input
        missing = [one for one in (name, *names[index : index + 2]) if one not in self.place.values]
        if missing:
            raise self.place.error(f"has {key} with a computed {missing[0]!r}; allowed: constants")
        return self._own(name)

    def _own(self, name: str) -> str:
        return self.constant(name, lambda: self.place.values[name][self.index])

    def product(self, x: str, key: str, suffix: str = "", columns: slice | None = None) -> str:
        """x @ W or x @ R of the codes of x, which span its smallest and largest value."""
        place, (scale, zero) = self.place, self.place.node.input[self._SCALES[key] :][:2]
        codes, step, middle = place.quantised(x)
        name = f"{place.label}.{key}{self.index or ''}{suffix}"
        operands = codes, self.matrices[key], middle, self._own(zero)
        y = place.add("Cast", place.add("MatMulInteger", *operands, name=name), to=1)  # float32
        return place.add("Mul", y, place.add("Mul", step, self._own(scale)))


def _written(
    place: Nodes,
    node: Any,
    gates: int,
    usual: list[str],
    step: Step,
    kind: type[_Layer] = _Layer,
) -> bool:
    from onnx import helper

    given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    batch_first = bool(given.get("layout", 0))
    x = node.input[0]
    if batch_first:
        x = place.add("Transpose", x, perm=[1, 0, 2])
    steps = place.size(node.input[0], 1 if batch_first else 0)
    place.check_steps(steps, 12 * gates)
    lengths = _lengths(place, steps)
    direction = given.get("direction", b"forward").decode()
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    layers = (kind(place, given, i, gates, usual) for i in range(len(ways)))
    outputs = [_direction(layer, back, x, steps, step, lengths)
               for layer, back in zip(layers, ways, strict=True)]  # fmt: skip
    _put_out(place, node, outputs, batch_first)
    return True


def _lengths(place: Nodes, steps: int) -> np.ndarray | str | None:
    """Steps of each sequence, where they are not all alike; the name of a tensor that holds them
    where they are computed.
    """
    name = place.node.input[4] if len(place.node.input) > 4 else ""
    if not name:
        return None
    if name not in place.values:
        wide = place.add("Cast", name, to=7)  # int64
        return place.add("Reshape", wide, place.constant("column", np.array([-1, 1], np.int64)))
    lengths = place.values[name]
    return None if (lengths == steps).all() else lengths


def _direction(
    layer: _Layer,
    back: bool,
    x: str,
    steps: int,
    step: Step,
    lengths: np.ndarray | str | None,
) -> tuple[list[str], dict[str, str]]:
    """State after each step, in the order of the inputs, and the last states by name."""
    place, index, gates = layer.place, layer.index, layer.gates
    projected = layer.product(x, "W")
    if (bias := layer.biases(list(range(gates)))) is not None:
        projected = place.add("Add", projected, bias)
    state = {"h": _start(layer, 5, x)} | ({"c": _start(layer, 6, x)} if gates == 4 else {})
    made = [""] * steps
    for t in range(steps)[:: -1 if back else 1]:
        place.begin(f"way{index}." if index else "", t)
        now = step(layer, place.taken_at(projected, t, 0), state | {"step": f"@{t}"})
        made[t] = now["h"]
        if lengths is not None:
            made[t], now = _masked(layer, t, lengths, now, state)
        state = now
    place.begin("", None)
    return made, state


def _start(layer: _Layer, index: int, x: str) -> str:
    """The first state, shape (batch, hidden) of this direction: given, or zeros."""
    place = layer.place
    names = place.node.input
    if len(names) > index and names[index]:
        axis = 1 if any(a.name == "layout" and a.i for a in place.node.attribute) else 0
        given = place.taken_at(names[index], layer.index, axis)
        if names[index] not in place.values:
            _check_batch(place, names[index], axis)
            return given
        return place.add("Add", given, _zeros(layer, x))  # which has a batch
    return _zeros(layer, x)


def _check_batch(place: Nodes, state: str, axis: int) -> None:
    """HostError for a first state of one fixed batch where the inputs leave theirs open: the
    products would take it for every sample, and the standard does not.
    """
    try:
        own, other = place.shape(state)[1 - axis], place.shape(place.node.input[0])[1 - axis]
    except ShapeError:
        return
    if own is not None and other is None:
        raise HostError(
            f"node {place.label!r} ({place.node.op_type}) starts from {state!r}, a batch of {own}, "
            "and reads a batch of any size"
        )


def _zeros(layer: _Layer, x: str) -> str:
    """Zeros (batch, hidden) of the type of x, shape (steps, batch, inputs)."""
    place = layer.place
    sizes = place.add("Shape", x)
    batch = place.slice(sizes, 0, 1, 2)
    width = place.constant("hidden", np.array([layer.hidden], np.int64))
    shape = place.add("Concat", batch, width, axis=0)
    zero = place.add("ConstantOfShape", shape)
    return zero if _single(layer) else place.add("CastLike", zero, x)


def _single(layer: _Layer) -> bool:
    """Whether the node computes in float32."""
    constants = layer.place.constants
    return all(v.dtype == np.float32 for v in constants.values() if v.dtype.kind == "f")


def _masked(
    layer: _Layer, t: int, lengths: np.ndarray | str, now: dict[str, str], before: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """The output and states of a step, at which some sequences have ended already: they give zeros
    and keep their states.
    """
    place = layer.place
    if isinstance(lengths, str):
        runs = place.add("Less", place.constant("turn", np.array(t, np.int64)), lengths)
    else:
        runs = place.constant("runs", (t < lengths).reshape(-1, 1))
    kept = {key: place.add("Where", runs, now[key], before[key]) for key in now}
    return place.add("Where", runs, now["h"], layer.number(0.0)), kept


def _put_out(
    place: Nodes, node: Any, made: list[tuple[list[str], dict[str, str]]], batch_first: bool
) -> None:
    """The node's outputs: all states, shape (steps, directions, batch, hidden), and the last
    ones.
    """
    outputs = [*node.output, "", "", ""]
    if outputs[0]:
        ways = [
            place.add("Concat", *(place.widened(place.widened(h, 0), 0) for h in states), axis=0)
            for states, _ in made
        ]
        y = ways[0] if len(ways) == 1 else place.add("Concat", *ways, axis=1)
        perm = [2, 0, 1, 3] if batch_first else [0, 1, 2, 3]
        place.add("Transpose", y, perm=perm, output=outputs[0])
    for key, output in (("h", outputs[1]), ("c", outputs[2])):
        if output and key in made[0][1]:
            last = [place.widened(state[key], 0) for _, state in made]
            y = last[0] if len(last) == 1 else place.add("Concat", *last, axis=0)
            perm = [1, 0, 2] if batch_first else [0, 1, 2]
            place.add("Transpose", y, perm=perm, output=output)


def _lstm_step(layer: _Layer, x: str, state: dict[str, str]) -> dict[str, str]:
    """i, o, f and c gates (ONNX operator specification, LSTM)."""
    place, (f, g, h) = layer.place, layer.functions
    sums = place.add("Add", x, layer.product(state["h"], "R", state["step"]))
    if (bias := layer.biases([4, 5, 6, 7])) is not None:
        sums = place.add("Add", sums, bias)
    i, o, forget, c = place.split(sums, 4, 1, layer.hidden)

    def looked(gate: str, cell: str, part: int) -> str:
        if layer.peephole is None:
            return layer.clipped(gate)
        return layer.clipped(place.add("Add", gate, place.add("Mul", layer.peephole[part], cell)))

    opened = f(looked(i, state["c"], 0))
    kept = f(looked(forget, state["c"], 2))
    if layer.given.get("input_forget"):
        kept = place.add("Sub", layer.number(1.0), opened)
    new = place.add("Mul", opened, g(layer.clipped(c)))
    cell = place.add("Add", place.add("Mul", kept, state["c"]), new)
    return {"h": place.add("Mul", f(looked(o, cell, 1)), h(cell)), "c": cell}


def _gru_step(layer: _Layer, x: str, state: dict[str, str]) -> dict[str, str]:
    """z and r gates and the new state (ONNX operator specification, GRU)."""
    place, (f, g), before = layer.place, layer.functions, state["h"]
    z, r, new = place.split(x, 3, 1, layer.hidden)
    linear = bool(layer.given.get("linear_before_reset"))
    # the state's product for the gates, and that for the new state, which may wait for the gate r
    both = layer.product(before, "R", state["step"], slice(0, 2))
    if (bias := layer.biases([3, 4])) is not None:
        both = place.add("Add", both, bias)
    for_z, for_r = place.split(both, 2, 1, layer.hidden)
    z = f(layer.clipped(place.add("Add", z, for_z)))
    r = f(layer.clipped(place.add("Add", r, for_r)))
    read = before if linear else place.add("Mul", r, before)
    inner = layer.product(read, "R", state["step"], slice(2, 3))
    if (bias := layer.biases([5])) is not None:
        inner = place.add("Add", inner, bias)
    inner = place.add("Mul", r, inner) if linear else inner
    new = g(layer.clipped(place.add("Add", new, inner)))
    part = place.add("Mul", place.add("Sub", layer.number(1.0), z), new)
    return {"h": place.add("Add", part, place.add("Mul", z, before))}


def _rnn_step(layer: _Layer, x: str, state: dict[str, str]) -> dict[str, str]:
    """h = f(x W + h R + both biases) (ONNX operator specification, RNN)."""
    place = layer.place
    sums = place.add("Add", x, layer.product(state["h"], "R", state["step"]))
    if (bias := layer.biases([1])) is not None:
        sums = place.add("Add", sums, bias)
    return {"h": layer.functions[0](layer.clipped(sums))}
