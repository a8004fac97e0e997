"""Is a placement the cheapest of all, never worse than one machine alone, and within the accuracy asked?"""

import importlib
import itertools
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab as pim
from pimlab.constants import assumed
from pimlab.cost import Price, Prices, price
from pimlab.machine.links import link
from pimlab.machine.protocol import MacOp, Target, VectorOp
from pimlab.plan import search
from pimlab.studies.place import Placement, place
from pimlab.workload.graph import Edge
from tests.schedule.made import Bench, Network, layer

module = importlib.import_module("pimlab.studies.place")
NPU, PIM = pim.target("warboy"), pim.target("gddr6-aim").but(widest=None)
OPS = [
    MacOp(name=f"fc{i}", m=m, k=k, n=n)
    for i, (m, k, n) in enumerate([(1, 4096, 4096), (64, 512, 512), (1, 256, 2048), (9, 1024, 64)])
]
MODEL = SimpleNamespace(mac_ops=OPS, vector_ops=[VectorOp(name="relu", kind="relu", elements=4096)])


def _brute_force(objective):
    """The cheapest of all placements, each priced through its own Targets; each that works is
    called once."""
    best = np.inf
    for owners in itertools.product((0, 1), repeat=len(OPS)):
        names = [
            frozenset(op.name for op, o in zip(OPS, owners, strict=True) if o == j) for j in (0, 1)
        ]
        shares = [(NPU, names[0] | {"relu"}), (PIM, names[1])]
        seconds = joules = 0.0
        for machine, mine in shares:
            seconds += machine.call if mine else 0.0
            for op in (op for op in (*OPS, *MODEL.vector_ops) if op.name in mine):
                joules += sum(price(machine.events(op), machine.prices).nominal.values())
                seconds += sum(machine.latency(op).values())
        joules += sum(
            seconds * sum(price(m.static, m.prices).nominal.values()) for m, mine in shares if mine
        )
        best = min(best, joules if objective == "energy" else seconds)
    return best


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_cheapest_of_all_and_never_worse_than_one_machine(objective):
    found = place(MODEL, [NPU, PIM], objective)
    value = found.energy if objective == "energy" else found.latency
    assert value == pytest.approx(_brute_force(objective), rel=1e-12)
    assert all(value <= alone * (1 + 1e-12) for alone in found.alone.values())
    assert found.owners["relu"] == "warboy"
    assert any(line.startswith("fc0 on gddr6-aim") for line in found.why) == (
        objective == "latency"
    )


class Priced(Target):
    """A machine whose operators cost what `table` says: name -> (J, s); it serves no others."""

    stage: ClassVar[int] = 2
    table: Any = None
    watts: float = 0.0
    shares: Any = None

    def occupancy(self, op):
        return (self.shares or {}).get(op.name, 0.0)

    def serves(self, op):
        return op.name in self.table

    def program(self, w, key=0, *, bias=None, calibration=None):
        raise NotImplementedError

    def events(self, op):
        return {"joule": self.table[op.name][0]}

    def latency(self, op):
        return {"second": self.table[op.name][1]}

    @property
    def prices(self):
        one = Price(
            constant=assumed("joule", 1.0, unit="J", low=1.0, high=1.0, reason="a test"),
            component="all",
        )
        return Prices({"joule": one, "idle": one})

    @property
    def static(self):
        return {"idle": self.watts}


def _graph(count):
    return SimpleNamespace(
        mac_ops=[MacOp(name=f"op{i}", m=1, k=1, n=1) for i in range(count)], vector_ops=[]
    )


@st.composite
def _machines(draw, machines, operators):
    """Machines with costs of integers, so that sums are exact; the first serves every operator."""
    built = []
    for j in range(machines):
        served = [i for i in range(operators) if j == 0 or draw(st.booleans())]
        table = {
            f"op{i}": (float(draw(st.integers(0, 50))), float(draw(st.integers(0, 50))))
            for i in served
        }
        built.append(Priced(name=f"m{j}", table=table, watts=float(draw(st.integers(0, 3)))))
    return built


def _totals(machines, operators):
    """(owners, J, s) of every placement."""
    for owners in itertools.product(range(len(machines)), repeat=operators):
        if all(f"op{i}" in machines[j].table for i, j in enumerate(owners)):
            costs = np.array([machines[j].table[f"op{i}"] for i, j in enumerate(owners)])
            joules, seconds = costs.sum(axis=0)
            yield owners, joules + seconds * sum(machines[j].watts for j in set(owners)), seconds


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    objective=st.sampled_from(["energy", "latency"]),
    operators=st.integers(1, 6),
    machines=st.integers(1, 3),
)
def test_any_graph_is_placed_at_the_least_cost_and_never_worse_than_one_machine(
    data, objective, operators, machines
):
    built = data.draw(_machines(machines, operators))
    found = place(_graph(operators), built, objective)
    least = min(total[1 if objective == "energy" else 2] for total in _totals(built, operators))
    value = found.energy if objective == "energy" else found.latency
    assert value == pytest.approx(least, rel=1e-12)
    assert all(value <= alone * (1 + 1e-12) for alone in found.alone.values())


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    objective=st.sampled_from(["energy", "latency"]),
    operators=st.integers(1, 6),
    exact=st.booleans(),
)
def test_no_memory_is_filled_twice(data, objective, operators, exact):
    """Exact where all placements are tried; else what fits, and never worse than a machine alone."""
    first, *others = data.draw(_machines(3, operators))
    eighths = [
        {name: data.draw(st.integers(0, 10)) / 8 for name in machine.table} for machine in others
    ]
    built = [
        first,
        *(machine.but(shares=shares) for machine, shares in zip(others, eighths, strict=True)),
    ]

    def fits(owners):
        loads = [
            sum(m.shares[f"op{i}"] for i, j in enumerate(owners) if built[j] is m)
            for m in built[1:]
        ]
        return all(load <= 1 for load in loads)

    least = min(
        total[1 if objective == "energy" else 2]
        for total in _totals(built, operators)
        if fits(total[0])
    )
    with pytest.MonkeyPatch.context() as patch:
        if not exact:
            patch.setattr(search, "EXACT", 0)
        found = place(_graph(operators), built, objective)
    value = found.energy if objective == "energy" else found.latency
    assert value == pytest.approx(least, rel=1e-12) if exact else value >= least * (1 - 1e-12)
    assert max(found.occupancy.values()) <= 1
    assert all(value <= alone * (1 + 1e-12) for alone in found.alone.values())


def test_what_does_not_fit_in_the_banks_runs_elsewhere_or_is_refused():
    banks = pim.target("hbm-pim").but(widest=None, host=None)
    small = banks.but(
        organisation=banks.organisation.but(rows=256)
    )  # 128 rows hold weights; one of these matrices takes up 32
    model = SimpleNamespace(
        mac_ops=[MacOp(name=f"fc{i}", m=1, k=4096, n=4096) for i in range(6)], vector_ops=[]
    )
    found = place(model, [NPU, small], "latency")
    assert sorted(found.owners.values()) == ["hbm-pim"] * 4 + ["warboy"] * 2
    dram = 2 * 4096 * 4096 * 8 / NPU.memory.capacity
    assert found.occupancy == {"warboy": pytest.approx(dram), "hbm-pim": 1.0}
    assert "the memory of hbm-pim is 100.0% full" in found.why
    assert found.alone["hbm-pim"] == np.inf
    with pytest.raises(
        ValueError,
        match=r"weights and caches do not fit: .* serves fills \{'hbm-pim': 1.5\} memories",
    ):
        place(model, [small])
    two = place(model, [small], chips="needed")
    assert two.chips == {"hbm-pim": 2}
    assert two.occupancy == {"hbm-pim": 0.75}
    assert place(model, [small], chips=2).energy == two.energy
    assert place(model, [NPU, small], "latency", chips={"hbm-pim": 2}).chips == {"hbm-pim": 2}
    with pytest.raises(ValueError, match=r"of \{'hbm-pim': 1\} there; allowed: .* chips='needed'"):
        place(model, [small], chips=1)
    wide = SimpleNamespace(mac_ops=[MacOp(name="wide", m=1, k=65536, n=65536)], vector_ops=[])
    assert place(wide, [NPU, small], "latency").owners == {"wide": "warboy"}
    with pytest.raises(ValueError, match="or exceed their memories"):
        place(wide, [small])


@pytest.mark.full
def test_a_model_of_many_chips_is_placed_and_runs():
    model = pim.load_model("llama2-70b").at(context=4096, batch=64)
    with pytest.raises(ValueError, match=r"fill \{'rngd': 2.33\} memories"):
        pim.place(model, [pim.target("rngd")])
    banks = pim.target("gddr6-aim").but(attention="banks")
    found = pim.place(model, [pim.target("rngd"), banks], "latency", chips="needed")
    assert found.chips["rngd"] == 3
    assert found.latency <= min(found.alone.values())
    answer = pim.run(model, found)
    assert float(answer.latency.sum()) == pytest.approx(found.latency)
    assert float(answer.energy.sum()) == pytest.approx(found.energy)


@pytest.mark.parametrize(
    ("chips", "error", "text"),
    [
        ("neded", ValueError, "did you mean 'needed'"),
        (0, ValueError, "chips=0; allowed: an integer, 1 or more"),
        ({"warboi": 2}, ValueError, "did you mean 'warboy'"),
    ],
)
def test_chips_that_cannot_be_are_refused(chips, error, text):
    model = pim.load_model("digits-mlp")
    with pytest.raises(error, match=text):
        place(model, [NPU], chips=chips)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), operators=st.integers(1, 6), bound=st.integers(0, 8), exact=st.booleans())
def test_a_bound_on_accuracy_is_kept_at_the_least_cost(data, operators, bound, exact):
    built = data.draw(_machines(2, operators))
    losses = data.draw(st.lists(st.integers(0, 4), min_size=operators, max_size=operators))

    def score(owners):
        return (
            100 - sum(loss for loss, owner in zip(losses, owners, strict=True) if owner == 1)
        ) / 128

    def run(model, plan, data, seed):
        owners = [int(plan.owners[f"op{i}"][1:]) for i in range(operators)]
        return {"accuracy": score(owners)}

    limit = 4096 if exact else 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "run", run)
        patch.setattr(search, "EXACT", limit)
        metric = SimpleNamespace(metric=SimpleNamespace(name="accuracy", better="higher"))
        found = place(_graph(operators), built, "latency", bound / 128, data=metric)
    owners = [int(found.owners[f"op{i}"][1:]) for i in range(operators)]
    assert score(owners) == found.accuracy >= score([0] * operators) - bound / 128
    feasible = [
        seconds
        for some, _, seconds in _totals(built, operators)
        if score(some) >= score([0] * operators) - bound / 128
    ]
    assert found.latency >= min(feasible)
    if exact:
        assert found.latency == min(feasible)
    alone = [[j if f"op{i}" in built[j].table else 0 for i in range(operators)] for j in (0, 1)]
    for some in (a for a in alone if score(a) >= score([0] * operators) - bound / 128):
        assert found.latency <= sum(built[j].table[f"op{i}"][1] for i, j in enumerate(some))


def test_twelve_operators_are_exact_within_an_accuracy_bound():
    assert 2**12 <= search.EXACT < 2**13


def test_machines_work_at_once_unless_they_share_a_memory():
    apart, together = (
        place(MODEL, [NPU, PIM], "latency"),
        place(MODEL, [NPU, PIM], "latency", shared=("warboy", "gddr6-aim")),
    )
    assert apart.interval < apart.latency
    assert together.interval == pytest.approx(together.latency)
    lost = len(together.handovers) * PIM.handover
    assert together.latency == pytest.approx(apart.latency + lost)
    assert together.latency > apart.latency


def test_a_slow_link_keeps_operators_at_home():
    near = NPU.but(name="near-memory")
    for name in ("cxl", "smartssd"):
        found = place(MODEL, [NPU, near], "latency", links={"near-memory": link(name)})
        assert set(found.owners.values()) == {"warboy"}
    costs = place(
        MODEL, [NPU, near], "latency", links={"near-memory": link("cxl")}
    ).table.latency.sel(operator="fc0")
    moved = (4096 + 4096) * 16
    expected = 2 * 150e-9 + moved / 256e9
    assert float(costs.sel(machine="near-memory") - costs.sel(machine="warboy")) == pytest.approx(
        expected
    )


def test_neighbours_beyond_a_link_share_its_ends():
    """By itself neither a nor b is worth a transfer there and one back; together they are."""
    home, near = (
        Bench(name=name, times={op: {name: s} for op, s in zip("abc", seconds, strict=True)})
        for name, seconds in (("home", (1.0, 1.0, 1.0)), ("near", (0.6, 0.6, 10.0)))
    )
    edges = [Edge(maker=a, reader=b, whole=True) for a, b in ("ab", "bc")]
    slow = link("cxl").but(delay="0.3 s")
    found = place(
        Network([layer(op) for op in "abc"], (), edges),
        [home, near],
        "latency",
        links={"near": slow},
    )
    assert found.owners == {"a": "near", "b": "near", "c": "home"}
    assert found.latency == pytest.approx(2 * 0.6 + 1.0 + 2 * slow.delay)


@pytest.mark.parametrize("name", ["cxl", "smartssd"])
def test_weights_that_lie_beyond_a_link_are_multiplied_there(name):
    # the same NPU beside a memory or a drive that holds the weights; the host's own DRAM is the slow one
    # (neither is a card of its own with a driver to call)
    npu = NPU.as_host()
    slow = npu.but(memory=NPU.memory.but(sram="1 Mbit", bandwidth="20 Gbit/s", weights_in="dram"))
    near = npu.but(
        name="near-memory",
        memory=NPU.memory.but(sram="1 Mbit", bandwidth="2 Tbit/s", weights_in="dram"),
    )
    found = place(MODEL, [slow, near], "latency", links={"near-memory": link(name)})
    assert found.owners["fc0"] == "near-memory"  # 16 MiB of weights, 8 KiB of activations
    assert found.latency < min(found.alone["warboy"], found.alone["near-memory"]) * (1 + 1e-12)
    ds = pim.plan.costs.costs(found)
    assert float(ds.latency.sum()) == pytest.approx(found.latency)
    assert float(ds.energy.sum()) == pytest.approx(found.energy)
    crossed = [op for op in OPS if found.owners[op.name] == "near-memory"]
    wire, bits = link(name), sum((op.m * op.k + op.m * op.n) * 16 for op in crossed)
    assert float(ds.phase_latency.sel(phase="link").sum()) == pytest.approx(
        2 * len(crossed) * wire.delay + bits / wire.bandwidth
    )
    assert float(ds.energy.sel(component="link").sum()) == pytest.approx(bits * wire.bit.value)


def test_banks_are_compared_with_the_host_that_is_there():
    """HBM-PIM's preset refuses nine vectors, because a host that computes in no time reads a weight once."""
    preset = pim.target("hbm-pim")
    wide = SimpleNamespace(mac_ops=[MacOp(name="fc", m=9, k=8192, n=8192)], vector_ops=[])
    assert not preset.serves(wide.mac_ops[0])
    found = place(wide, [NPU, preset], "latency")
    assert found.owners["fc"] == "hbm-pim"
    assert found.latency < found.alone["warboy"] / 1.28
    assert pim.plan.costs.costs(found).latency.sum() == pytest.approx(found.latency)
    chosen = preset.but(widest=8)
    assert place(wide, [NPU, chosen], "latency").owners["fc"] == "warboy", "a user's bound stays"
    narrow = SimpleNamespace(mac_ops=[MacOp(name="fc", m=1, k=4096, n=4096)], vector_ops=[])
    kept = place(narrow, [NPU, preset], "latency")
    assert preset in kept.machines, "the preset itself where it serves all it runs"


def test_a_placement_says_why():
    large = MacOp(name="large", m=1, k=16384, n=16384)
    model = SimpleNamespace(mac_ops=[large, *OPS], vector_ops=MODEL.vector_ops)
    found = place(model, [NPU, PIM], "latency")
    why = {line.split(" on ")[0]: line for line in found.why}
    assert "bandwidth" in why["large"]  # 256 MiB of weights through the NPU's pins for one vector
    assert "each weight serves 1 vector)" in why["large"]
    assert "reuse: the banks read each weight again for 64 vectors" in why["fc1"]
    far = {"near": link("smartssd")}
    beyond = place(MODEL, [NPU, NPU.but(name="near")], "latency", links=far)
    assert "transfer" in " ".join(beyond.why)


def test_a_placement_runs_and_costs_what_it_says():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", split="test", limit=60)
    found = pim.place(model, [NPU, PIM], "latency", accuracy_drop=0.05, data=data)
    ds = pim.run(model, found, data)
    assert isinstance(found, Placement)
    assert float(ds.accuracy) == pytest.approx(found.accuracy)
    assert float(ds.energy.sum()) == pytest.approx(found.energy)
    assert float(ds.latency.sum()) == pytest.approx(found.latency)
    alone = float(pim.run(model, NPU, data).accuracy)
    assert found.accuracy >= alone - 0.05


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: place(MODEL, [NPU, PIM], "speed"), ValueError, "objective 'speed'"),
        (lambda: place(MODEL, [NPU, NPU]), ValueError, "each with its own name"),
        (lambda: place(MODEL, []), ValueError, "one machine or more"),
        (lambda: place("digits-mlp", [NPU, PIM]), TypeError, "model='digits-mlp' is no model"),
        (
            lambda: place(MODEL, [NPU, PIM], links={"gddr6-aim": "cxl"}),
            TypeError,
            r"links\['gddr6-aim'\]='cxl' is not a Link",
        ),
        (lambda: place(MODEL, [PIM]), ValueError, "are served by none"),
        (lambda: place(MODEL, ["warboy"]), TypeError, r"each a Target; write for example \[pimlab"),
        (lambda: place(MODEL, NPU), TypeError, r"is not a list; write targets=\[pim.target"),
        (lambda: place(MODEL, [NPU], shared="warboy"), TypeError, "shared='warboy'"),
        (lambda: place(MODEL, [NPU, PIM], accuracy_drop=-0.1), ValueError, "0 or more"),
        (lambda: place(MODEL, [NPU, PIM], accuracy_drop=0.1), TypeError, "needs data"),
        (
            lambda: place(MODEL, [NPU, PIM], links={"gddr6-ai": link("cxl")}),
            ValueError,
            "did you mean 'gddr6-aim'",
        ),
        (lambda: link("cxk"), ValueError, "did you mean 'cxl'"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, text):
    with pytest.raises(error, match=text):
        call()
