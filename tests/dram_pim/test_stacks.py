"""Do stacks that attend answer the protocol with the times and joules of their units?"""

import copy

import numpy as np
import pytest

import pimlab as pim
from pimlab.cost import price
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.plan.costs import costs

STACKS = pim.dram_pim.head_stacks("attacc")
SCORES = MacOp(
    name="scores", m=1, k=128, n=2048, groups=96, kind="activations", cached=True, appended=128
)
VALUES = SCORES.but(name="values", k=2048, n=128)
SOFTMAX = VectorOp(name="softmax", kind="softmax", elements=96 * 2048)


def test_scores_and_values_take_what_the_units_take():
    units = STACKS.units
    inside = sum(STACKS.latency(op)["in-bank MAC"] for op in (SCORES, VALUES))
    assert inside == pytest.approx(units.seconds(2048, 96, 128))
    # 96 x 128 values of 16 bits over 5 x 16 x 2 pseudo-channels of 256 bits in 2 cycles of 0.769 ns
    append = 96 * 128 * 16 / (160 * 256 / (2 * 0.769e-9))
    assert STACKS.latency(SCORES)["cache append"] == pytest.approx(append)
    energy = price(STACKS.events(SCORES), STACKS.prices).nominal
    half = {name: joule / 2 for name, joule in units.energy(2048, 96, 128).items()}
    assert energy["DRAM columns"] == pytest.approx(half["DRAM columns"])
    assert energy["MAC"] == pytest.approx(half["MAC"])
    appended = 96 * 128 * 16 * units.moved.value
    assert energy["I/O"] == pytest.approx(half["I/O"] + appended)


def test_groups_that_share_a_key_read_it_for_each_query():
    shared = SCORES.but(m=8, groups=12)
    assert STACKS.latency(shared)["in-bank MAC"] == STACKS.latency(SCORES)["in-bank MAC"]
    assert STACKS.occupancy(shared) == pytest.approx(STACKS.occupancy(SCORES) / 8)
    assert STACKS.occupancy(SCORES) == 96 * 128 * 2048 * 2 / STACKS.units.capacity


def test_weights_are_another_machines():
    weights = MacOp(name="fc", m=1, k=8, n=8)
    assert not STACKS.serves(weights)
    assert STACKS.occupancy(weights) == 0
    with pytest.raises(ValueError, match="attacc does not serve 'fc'"):
        STACKS.latency(weights)
    assert STACKS.serves(SOFTMAX)
    assert STACKS.latency(SOFTMAX) == {"softmax": 0.0}
    assert STACKS.events(SOFTMAX) == {}
    assert not pim.dram_pim.head_stacks("neupims").serves(SOFTMAX)


def _two_layers():
    model = copy.copy(pim.load_model("llama2-7b"))
    model.shape = model.shape.but(layers=2)
    return model.at(context=4096)


def test_a_decoder_runs_on_stacks_and_an_npu():
    model, npu = _two_layers(), pim.target("h100")
    ds = costs(pim.Plan(model=model, machines=[STACKS, npu]))
    assert set(ds.executor.sel(layer=["layer0.scores", "layer1.softmax"]).values) == {"attacc"}
    assert str(ds.executor.sel(layer="layer0.q").values) == "h100"
    names = [name for name in ds.layer.values if name.endswith((".scores", ".values"))]
    attended = ds.latency.sel(layer=names).sum()
    both = STACKS.units.seconds(4096, 32, 128)
    assert float(attended) == pytest.approx(2 * both, rel=0.01)


def test_a_second_row_buffer_lets_the_host_read_on():
    model = _two_layers()
    npu = pim.target("rngd").but(host=None)
    stacks = pim.dram_pim.head_stacks("neupims")
    assert stacks.row_buffers == "two"
    plans = [
        pim.Plan(
            model=model,
            machines=[one, npu],
            batch=8,
            shared=["neupims", "rngd"],
            owners={op.name: "rngd" for op in model.vector_ops},
        )
        for one in (stacks, stacks.but(row_buffers="one"))
    ]
    one = model.mac_ops[3]
    both, single = (plan.machine(one.name).resources(one) for plan in plans)
    assert (both["in-bank MAC"], single["in-bank MAC"]) == ("banks", "DRAM channel")
    inside = 2 * stacks.units.seconds(4096, 8 * 32, 128)
    lost = len(plans[0].handovers) * stacks.handover
    assert plans[0].unblocked["neupims"] == pytest.approx(inside - lost)
    assert plans[1].unblocked["neupims"] == pytest.approx(-lost)


def test_values_are_halves_with_one_rounding():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 3, 5), (2, 5, 4)))
    halves = [a.astype(np.float16).astype(np.float64) for a in (x, w)]
    np.testing.assert_array_equal(STACKS.product(x, w), np.matmul(*halves).astype(np.float32))


def test_a_second_row_buffer_shortens_the_interval():
    model = _two_layers().at(context=512, batch=32)
    npu = pim.target("rngd").but(host=None)
    busy = {}
    for rows in ("one", "two"):
        stacks = pim.dram_pim.head_stacks("neupims").but(row_buffers=rows)
        plan = pim.Plan(
            model=model,
            machines=[npu, stacks],
            owners={op.name: "neupims" for op in model.mac_ops if op.cached},
            shared=["rngd", "neupims"],
        )
        busy[rows] = pim.schedule(plan, inferences=3)
    work = {
        rows: dict(zip(one.unit.values, one.work.values, strict=True)) for rows, one in busy.items()
    }
    apart = work["two"]["neupims: banks"]
    assert work["one"]["shared: DRAM channel"] == pytest.approx(
        work["two"]["shared: DRAM channel"] + apart
    )
    assert float(busy["two"].interval) < float(busy["one"].interval) - apart / 2
