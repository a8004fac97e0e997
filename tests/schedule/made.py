"""Small machines and networks whose times are known, for the tests of schedules."""

from __future__ import annotations

from hypothesis import strategies as st

from pimlab.constants import assumed
from pimlab.cost import Price, Prices
from pimlab.machine.protocol import MacOp, Target
from pimlab.machine.work import in_turn
from pimlab.plan import Plan
from pimlab.workload.graph import Edge, Graph
from pimlab.workload.model import Model


def _price(value, component):
    constant = assumed(component, value, "J", "made for a test", value / 2, value * 2)
    return Price(constant=constant, component=component)


class Bench(Target):
    """A machine that takes `times[op] = {phase: seconds}`, each phase a resource of its own name."""

    stage = 1
    times: object = None
    watts: float = 3.0
    arrays: object = None
    row_by_row: bool = True

    def serves(self, op):
        return op.name in self.times

    def program(self, w, key=0, *, bias=None, calibration=None):
        raise NotImplementedError

    def events(self, op):
        return {"step": op.m if isinstance(op, MacOp) else op.elements}

    def latency(self, op):
        rows = op.m if isinstance(op, MacOp) else 1
        return {phase: rows * seconds for phase, seconds in self.times[op.name].items()}

    def resources(self, op):
        return {phase: phase for phase in self.latency(op)}

    def work(self, op):
        return in_turn(self.latency(op), self.resources(op))

    def streams(self, op):
        return self.row_by_row

    @property
    def array_count(self):
        return self.arrays

    def arrays_of(self, op):
        return op.n if isinstance(op, MacOp) and self.arrays is not None else 0

    @property
    def static(self):
        return {"second": 1.0}

    @property
    def prices(self):
        return Prices({"step": _price(0.5, "steps"), "second": _price(self.watts, "leakage")})


class Network(Model):
    """Operators and a graph, nothing to execute."""

    def __init__(self, mac_ops, vector_ops=(), edges=(), rows=None):
        self.name, self.sha256 = "network", "0" * 64
        self.mac_ops, self.vector_ops = tuple(mac_ops), tuple(vector_ops)
        self.weights = self.biases = self.stored = {}
        self.rectified = frozenset()
        self.graph = Graph(edges=tuple(edges), rows=rows or {})

    def execute(self, inputs, multiply, first=0):
        raise NotImplementedError


def layer(name, rows=1, arrays=1):
    """An operator of so many rows, on so many arrays of a `Bench`."""
    return MacOp(name=name, m=rows, k=1, n=arrays)


def plan(times, edges=(), rows=None, *, arrays=None, batch=1, **fields):
    """A plan of one bench: operator -> {resource: seconds a row}."""
    ops = [layer(name, (rows or {}).get(name, 1)) for name in times]
    model = Network(ops, (), [Edge(maker=a, reader=b, whole=w) for a, b, w in edges], rows)
    machine = Bench(name="bench", times=times, arrays=arrays, **fields)
    return Plan(model=model, machines=[machine], batch=batch)


TIMES = st.sampled_from([0.0, 0.25, 1.0, 1.0, 3.0, 0.1])


@st.composite
def plans(draw, streaming=True):
    """Up to five operators on up to three resources, with random edges and rows."""
    count = draw(st.integers(1, 5))
    names = [f"op{i}" for i in range(count)]
    units = st.lists(
        st.sampled_from(["arrays", "vector", "channel"]), min_size=1, max_size=2, unique=True
    )
    times = {name: {unit: draw(TIMES) for unit in draw(units)} for name in names}
    pairs = draw(
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.booleans()),
            max_size=8,
        )
    )
    edges = {(names[min(a, b)], names[max(a, b)]): whole for a, b, whole in pairs if a != b}
    rows = {name: draw(st.integers(1, 6)) for name in names} if streaming else {}
    return plan(times, [(a, b, whole) for (a, b), whole in edges.items()], rows)
