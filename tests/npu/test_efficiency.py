"""Constants of a chip: what they cost an operator, what is refused, and what a result says of its times."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import pimlab as pim
from pimlab import npu
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.plan import planned

OP = MacOp(name="fc", m=256, k=4096, n=4096)


def test_an_operator_takes_its_fixed_cost_the_longer_and_a_share_of_the_shorter():
    chip = npu.chip("a100", "fp16")
    lost = npu.Efficiency(operator="7 us", arrays=0.5, bandwidth=0.8, exposed=0.25)
    bound, real = chip.but(efficiency=None), chip.but(efficiency=lost)
    compute = bound.cycles(OP).total_cycles / (bound.array.clock * bound.array.rate)
    bits = sum(v for event, v in bound.events(OP).items() if event.startswith("dram."))
    c, b = compute / 0.5, bits / (0.8 * chip.memory.bandwidth)
    phases = real.latency(OP)
    assert phases["operator"] == 7e-6
    assert sum(phases.values()) == pytest.approx(7e-6 + max(c, b) + 0.25 * min(c, b))
    assert sum(bound.latency(OP).values()) < sum(phases.values())
    resources = {work.resource: work.seconds for work in real.work(OP)}
    assert resources["DRAM channel"] == pytest.approx(b)


def test_a_batch_pays_for_its_call_once():
    chip = npu.chip("warboy")
    model = SimpleNamespace(mac_ops=[OP, OP.but(name="fc2")], vector_ops=[])
    plan = planned(model, chip, batch=4)
    assert plan.calls == {"fc": chip.efficiency.call}
    assert [plan.phases(op).get("call", 0.0) for op in plan.operators] == [chip.call, 0.0]
    assert "call" not in chip.latency(OP)
    assert chip.but(efficiency=None).call == 0
    joint = planned(model, pim.target("hbm-pim").but(widest=None))
    assert joint.calls == {}, "a host is handed its work by the machine beside it"


def test_vector_operators_read_and_write_memory():
    """Two operands in, one result out, at the share of the bandwidth that the vector unit sustains."""
    chip = npu.chip("a100", "fp16")
    op = VectorOp(name="add", kind="add", elements=2**24)
    events = chip.events(op)
    assert (events["dram.read"], events["dram.write"]) == (2 * 16 * 2**24, 16 * 2**24)
    seconds = 3 * 16 * 2**24 / (chip.memory.bandwidth * chip.efficiency.vector)
    assert sum(chip.latency(op).values()) == pytest.approx(chip.efficiency.operator + seconds)
    warboy = npu.chip("warboy")
    small = VectorOp(name="add", kind="add", elements=2**16)
    assert "dram.read" not in warboy.events(small)
    assert "dram.read" in warboy.events(small.but(elements=2**26))


def test_scores_of_fused_attention_do_not_move():
    chip = npu.chip("a100", "fp16")
    apart = chip.but(memory=chip.memory.but(attention="apart"))
    scores = MacOp(name="s", m=512, k=64, n=512, groups=8, kind="activations")
    values = MacOp(name="v", m=512, k=512, n=64, groups=8, kind="activations")
    softmax = VectorOp(name="p", kind="softmax", elements=8 * 512 * 512)
    assert chip.events(scores)["dram.write"] == 0 < apart.events(scores)["dram.write"]
    assert chip.events(values)["dram.read"] == 16 * 8 * 512 * 64 < apart.events(values)["dram.read"]
    assert "dram.read" not in chip.events(softmax)
    assert apart.events(softmax)["dram.read"] == 2 * 16 * 8 * 512 * 512


def test_what_follows_a_product_value_by_value_can_be_part_of_it():
    chip = npu.chip("a100", "fp16")
    fused = chip.but(memory=chip.memory.but(pointwise="fused"))
    add = VectorOp(name="add", kind="add", elements=1000)
    assert (fused.events(add)["dram.read"], fused.events(add)["dram.write"]) == (16_000, 0)
    assert fused.latency(add)["operator"] == 0
    norm = add.but(kind="layernormalization")
    assert fused.events(norm) == chip.events(norm)


@pytest.mark.parametrize(
    ("field", "value"),
    [("arrays", 1.2), ("bandwidth", 0.0), ("vector", -0.5), ("exposed", 2), ("operator", "-1 us")],
)
def test_shares_above_one_and_negative_constants_are_refused(field, value):
    with pytest.raises(ValueError, match=f"Efficiency {field}=.* is outside"):
        npu.Efficiency(**{field: value})


def test_a_machine_says_what_its_times_are():
    assert npu.chip("rebel").timing_source == "bound"
    rngd = npu.chip("rngd").timing_source
    assert rngd.startswith("fitted on Llama-3.1-8B (128 + 4,096 tokens) on one card")
    assert not rngd.endswith("; ")
    a100 = npu.chip("a100", "fp16")
    assert a100.timing_source.startswith("fitted on 304 products of Llama-2-7b on A100")
    assert npu.chip("warboy").as_host().timing_source.startswith("fitted on MLPerf v1.1")
    assert "vidur" in a100.sources
    assert a100.but(efficiency=None).timing_source == "bound"
    faster = a100.but(memory=a100.memory.but(bandwidth="4 TB/s"))
    assert faster.timing_source.startswith("carried over, fitted on 304 products")
    own = npu.chip("rngd").but(efficiency=npu.Efficiency(arrays=0.5))
    assert own.timing_source == "constants of the user's own"
    ds = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    assert ds.attrs["timing"].startswith("warboy: fitted on MLPerf v1.1: ResNet-50")
