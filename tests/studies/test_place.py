"""Is a placement the cheapest of all, never worse than one machine alone, and within the accuracy asked?"""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

import pimlab as pim
from pimlab.cost import price
from pimlab.protocol import MacOp, VectorOp
from pimlab.studies.place import Placement, Share, link, place

NPU, PIM = pim.target("warboy"), pim.target("gddr6-aim").but(widest=None)
OPS = [MacOp(name=f"fc{i}", m=m, k=k, n=n) for i, (m, k, n) in enumerate([(1, 4096, 4096), (64, 512, 512), (1, 256, 2048), (9, 1024, 64)])]
MODEL = SimpleNamespace(mac_ops=OPS, vector_ops=[VectorOp(name="relu", kind="relu", elements=4096)])


def _brute_force(objective):
    """The cheapest of all placements, each priced through its own Target."""
    best = np.inf
    for owners in itertools.product((0, 1), repeat=len(OPS)):
        names = [frozenset(op.name for op, o in zip(OPS, owners, strict=True) if o == j) for j in (0, 1)]
        shares = [Share(name="npu", machine=NPU, operators=names[0] | {"relu"}), Share(name="pim", machine=PIM, operators=names[1])]
        seconds = joules = 0.0
        for share in shares:
            for op in (op for op in (*OPS, *MODEL.vector_ops) if share.serves(op)):
                joules += sum(price(share.events(op), share.prices).nominal.values())
                seconds += sum(share.latency(op).values())
        joules += sum(seconds * sum(price(s.standing, s.prices).nominal.values()) for s in shares if s.operators)
        best = min(best, joules if objective == "energy" else seconds)
    return best


@pytest.mark.parametrize("objective", ["energy", "latency"])
def test_cheapest_of_all_and_never_worse_than_one_machine(objective):
    found = place(MODEL, [NPU, PIM], objective)
    value = found.energy if objective == "energy" else found.latency
    assert value == pytest.approx(_brute_force(objective), rel=1e-12)
    assert all(value <= alone * (1 + 1e-12) for alone in found.alone.values())
    assert found.owners["relu"] == "warboy"
    assert any(line.startswith("fc0 on gddr6-aim") for line in found.why) == (objective == "latency")


def test_machines_work_at_once_unless_they_share_a_memory():
    apart, together = place(MODEL, [NPU, PIM], "latency"), place(MODEL, [NPU, PIM], "latency", shared=("warboy", "gddr6-aim"))
    assert apart.interval < apart.latency
    assert together.interval == pytest.approx(together.latency) == pytest.approx(apart.latency)


def test_a_slow_link_keeps_operators_at_home():
    near = NPU.but(name="near-memory")
    for name in ("cxl", "smartssd"):
        found = place(MODEL, [NPU, near], "latency", links={"near-memory": link(name)})
        assert set(found.owners.values()) == {"warboy"}
    costs = place(MODEL, [NPU, near], "latency", links={"near-memory": link("cxl")}).table.latency.sel(operator="fc0")
    moved = (4096 + 4096) * 16
    expected = 2 * 150e-9 + moved / 256e9
    assert float(costs.sel(machine="near-memory") - costs.sel(machine="warboy")) == pytest.approx(expected)


def test_a_placement_runs_and_costs_what_it_says():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", split="test", limit=60)
    found = pim.place(model, [NPU, PIM], "latency", accuracy_drop=0.05, data=data)
    ds = pim.run(model, found.target, data)
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
        (lambda: place(MODEL, [PIM]), ValueError, "are served by none"),
        (lambda: place(MODEL, [NPU, PIM], accuracy_drop=-0.1), ValueError, "0 or more"),
        (lambda: place(MODEL, [NPU, PIM], accuracy_drop=0.1), TypeError, "needs data"),
        (lambda: place(MODEL, [NPU, PIM], links={"gddr6-ai": link("cxl")}), ValueError, "did you mean 'gddr6-aim'"),
        (lambda: link("cxk"), ValueError, "did you mean 'cxl'"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, text):
    with pytest.raises(error, match=text):
        call()
