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
    many = lost.waves(m=512, n=8192, groups=1, arrays=chip.array.count)
    assert many == pytest.approx(4 * 64 / 108), "256 blocks of 128 x 128 on 108 arrays"
    assert lost.exposes(2.0, 1.0, many) == pytest.approx(0.25 / many)
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
    assert sum(chip.latency(op).values()) == pytest.approx(chip.efficiency.launch + seconds)
    warboy = npu.chip("warboy")
    small = VectorOp(name="add", kind="add", elements=2**16)
    assert "dram.read" not in warboy.events(small)
    assert "dram.read" in warboy.events(small.but(elements=2**26))


def test_arrays_take_two_rows_at_a_time():
    """A gate's row alone takes more than half of what two take; a norm's takes as long as two."""
    chip = npu.chip("a100", "fp16")
    lost, clock = chip.efficiency, chip.array.clock
    gate = VectorOp(name="gate", kind="swiglu", elements=4096, rows=1)
    two = 2 * 3 * 4096 / (lost.rows * clock)
    seconds = {n: chip.latency(gate.batched(n))["vector"] for n in (1, 108, 162, 216, 217)}
    assert seconds[1] == seconds[108] == pytest.approx(lost.alone * two)
    assert seconds[162] == pytest.approx((1 + lost.alone) / 2 * two)
    assert seconds[216] == pytest.approx(two)
    assert seconds[217] == pytest.approx((1 + lost.alone) * two)
    assert gate.batched(216).part(54).rows == 54
    norm = gate.but(kind="rmsnormalization")
    turn = lost.wait + 2 * 3 * 4096 / (lost.norms * clock)
    for rows, turns in ((1, 1), (216, 1), (217, 2)):
        assert chip.latency(norm.batched(rows))["vector"] == pytest.approx(turns * turn)
    add = norm.but(kind="add")
    assert chip.latency(add)["vector"] == pytest.approx(3 * 4096 / (108 * lost.pointwise * clock))
    renamed = norm.but(kind="reshape")
    assert chip.latency(renamed)["vector"] == 0


def test_a_norm_reads_its_row_before_it_writes():
    """Its transfer and its work add; its row comes from DRAM once, however often it is read."""
    chip = npu.chip("a100", "fp16")
    norm = VectorOp(name="norm", kind="rmsnormalization", elements=2**26, rows=2**13)
    events, phases = chip.events(norm), chip.latency(norm)
    assert events["dram.read"] == events["dram.write"] == 16 * 2**26
    assert events["sram.read"] == 2 * 16 * 2**26
    transfer = 2 * 16 * 2**26 / (chip.memory.bandwidth * chip.efficiency.vector)
    assert phases["memory"] == pytest.approx(transfer)
    assert chip.latency(norm.but(kind="swiglu"))["memory"] == 0, "hidden behind its gates"


def test_a_few_rows_of_a_table_are_fetched_one_after_another():
    chip = npu.chip("h100", "fp16")
    lost = chip.efficiency
    rows = VectorOp(name="embedding", kind="gather", elements=4096, rows=1)
    assert chip.latency(rows.batched(16))["vector"] == pytest.approx(16 * lost.wait)
    moved = 2 * 17 * 4096 / (132 * lost.lookup * chip.array.clock)
    assert chip.latency(rows.batched(17))["vector"] == pytest.approx(moved)


def test_a_cache_keeps_what_fits_until_the_next_operator():
    """The L2 of A100 holds 40 MB: one map of 16 MB in FP16 stays, one of 64 MB does not."""
    chip = npu.chip("a100", "fp16")
    small = VectorOp(name="relu", kind="relu", elements=2**22)
    assert "dram.read" not in chip.events(small)
    assert "dram.read" in chip.events(small.but(elements=2**25))


def test_attention_of_one_token_by_vector_units_reads_keys_for_every_head():
    """8 heads share keys: 8 times the products that a chip needs to read them once."""
    chip = npu.chip("h100", "fp8_e4m3")
    slow = chip.but(efficiency=chip.efficiency.but(decoding=10))
    scores = MacOp(
        name="s", m=8, k=128, n=2048, groups=64, kind="activations", cached=True, appended=128
    )
    products = 64 * 8 * 128 * 2048
    assert slow.latency(scores)["compute"] == pytest.approx(
        products / (132 * 10 * chip.array.clock)
    )
    prompt = scores.but(m=8 * 16, appended=128 * 16)
    assert slow.latency(prompt) == chip.latency(prompt), "a prompt goes through the arrays"


def test_fused_attention_is_one_operator():
    chip = npu.chip("a100", "fp16")
    scores = MacOp(name="s", m=512, k=64, n=512, groups=8, kind="activations")
    values = MacOp(name="v", m=512, k=512, n=64, groups=8, kind="activations")
    fixed = [chip.latency(op)["operator"] for op in (scores, values)]
    assert sum(fixed) == pytest.approx(chip.efficiency.operator)
    softmax = VectorOp(name="p", kind="softmax", elements=8 * 512 * 512)
    assert chip.latency(softmax)["operator"] == 0
    apart = chip.but(memory=chip.memory.but(attention="apart"))
    assert apart.latency(scores)["operator"] == chip.efficiency.operator


def test_scores_of_fused_attention_do_not_move():
    """Scores of 64 heads (64 MB) would not stay in the cache."""
    chip = npu.chip("a100", "fp16")
    apart = chip.but(memory=chip.memory.but(attention="apart"))
    scores = MacOp(name="s", m=512, k=64, n=1024, groups=64, kind="activations")
    values = MacOp(name="v", m=512, k=1024, n=64, groups=64, kind="activations")
    softmax = VectorOp(name="p", kind="softmax", elements=64 * 512 * 1024)
    assert chip.events(scores)["dram.write"] == 0 < apart.events(scores)["dram.write"]
    assert chip.events(values)["dram.read"] == 0 < apart.events(values)["dram.read"]
    assert "dram.read" not in chip.events(softmax)
    assert apart.events(softmax)["dram.read"] == 16 * 64 * 512 * 1024, "once, though read twice"


def test_what_follows_a_product_value_by_value_can_be_part_of_it():
    chip = npu.chip("a100", "fp16")
    fused = chip.but(memory=chip.memory.but(pointwise="fused"))
    add = VectorOp(name="add", kind="add", elements=10**8)
    assert (fused.events(add)["dram.read"], fused.events(add)["dram.write"]) == (16 * 10**8, 0)
    assert fused.latency(add)["operator"] == 0
    norm = add.but(kind="layernormalization")
    assert fused.events(norm) == chip.events(norm)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arrays", 1.2),
        ("bandwidth", 0.0),
        ("vector", -0.5),
        ("exposed", 2),
        ("operator", "-1 us"),
        ("launch", "-1 us"),
        ("rows", 0),
        ("pointwise", -3),
        ("decoding", 0),
        ("norms", 0),
        ("lookup", -1),
        ("feed", 0),
        ("alone", 1.5),
        ("wait", "-1 us"),
        ("block", 0),
    ],
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
    lent = npu.chip("l4", "fp16")
    assert lent.timing_source.startswith(
        "carried over, fitted on 304 products of Llama-2-7b on A100"
    )
    assert lent.efficiency == a100.efficiency
    assert npu.chip("mi300x").timing_source == "bound"
    faster = a100.but(memory=a100.memory.but(bandwidth="4 TB/s"))
    assert faster.timing_source.startswith("carried over, fitted on 304 products")
    own = npu.chip("rngd").but(efficiency=npu.Efficiency(arrays=0.5))
    assert own.timing_source == "constants of the user's own"
    ds = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    assert ds.attrs["timing"].startswith("warboy: fitted on MLPerf v1.1: ResNet-50")
