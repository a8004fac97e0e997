"""Does one plan say who runs what, for accuracy, energy and time alike?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plan import Plan, planned

MODEL = pim.load_model("digits-mlp")
NPU, BANKS, CHIP = pim.target("warboy"), pim.target("gddr6-aim"), pim.target("pcm-hermes")
PCM = CHIP.but(digital=None)  # so that ReLU is the host's
FIRST, SECOND = (op.name for op in MODEL.mac_ops)


def test_a_machine_alone_is_the_trivial_plan():
    plan = planned(MODEL, PCM)
    assert [m.name for m in plan.machines] == ["pcm-hermes", "warboy"]
    assert plan.owners[FIRST] == plan.owners[SECOND] == "pcm-hermes"
    assert {plan.owners[op.name] for op in MODEL.vector_ops} == {"warboy"}
    assert (plan.name, plan.stage, plan.causes) == ("pcm-hermes", 3, PCM.causes)
    bare = planned(MODEL, PCM.but(host=None))
    assert [m.name for m in bare.machines] == ["pcm-hermes", "warboy"]


def test_a_chip_that_executes_everything_needs_no_host():
    assert [m.name for m in planned(MODEL, CHIP).machines] == ["pcm-hermes"]
    pooled = planned(pim.load_model("fashion-cnn"), CHIP)
    assert [m.name for m in pooled.machines] == ["pcm-hermes", "warboy"]
    assert {pooled.owners[op.name] for op in pooled.model.vector_ops} == {"pcm-hermes", "warboy"}


def test_run_answers_the_same_for_a_machine_and_for_its_plan():
    data = pim.load_data("digits", limit=20)
    alone, by_plan = pim.run(MODEL, PCM, data), pim.run(MODEL, planned(MODEL, PCM), data)
    assert alone.drop_attrs().identical(by_plan.drop_attrs())


def test_an_operator_runs_where_the_plan_says_for_values_and_costs():
    data = pim.load_data("digits", limit=50)
    plan = Plan(model=MODEL, machines=[NPU, PCM], owners={SECOND: "pcm-hermes"})
    answer = pim.run(MODEL, plan, data, at="1 year", seed=3)
    assert answer.executor.sel(layer=[FIRST, SECOND]).values.tolist() == ["warboy", "pcm-hermes"]
    assert float(answer.energy.sel(layer=SECOND, component="cells")) > 0
    assert float(answer.energy.sel(layer=FIRST, component="cells")) == 0
    again = pim.run(MODEL, plan, data, at="1 year", seed=4)
    assert plan.varies
    assert float(answer.energy.sel(layer=SECOND, component="cells")) != float(
        again.energy.sel(layer=SECOND, component="cells")
    )
    assert answer.attrs["target"] == "warboy + pcm-hermes"
    assert answer.attrs["stage"] == 3
    assert set(PCM.cited) | set(NPU.cited) == set(answer.attrs["sources"].split(","))


def test_explain_takes_a_plan_and_shows_the_causes_of_all_its_machines():
    data = pim.load_data("digits", limit=20)
    plan = Plan(model=MODEL, machines=[NPU, PCM], owners={SECOND: "pcm-hermes"})
    assert set(plan.causes) == {*NPU.causes, *PCM.causes}
    story = pim.explain(MODEL, plan, data)
    assert story.step.values.tolist() == ["ideal", *(f"+ {cause}" for cause in plan.causes)]
    assert plan.with_causes(("drift",)).causes == ("drift",)
    with pytest.raises(ValueError, match="did you mean 'drift'"):
        plan.with_causes(("drif",))


@pytest.mark.parametrize("machine", [NPU, BANKS.but(host=NPU), PCM], ids=lambda m: m.name)
def test_a_batch_shares_the_weights_and_costs_no_more_an_inference(machine):
    one, eight = (pim.run(MODEL, machine, batch=batch) for batch in (1, 8))
    assert float(eight.energy.sum()) <= float(one.energy.sum()) * (1 + 1e-12)
    assert float(one.latency.sum()) <= float(eight.latency.sum())
    assert float(eight.latency.sum()) <= 8 * float(one.latency.sum()) * (1 + 1e-12)
    seconds = float(eight.latency.sum())
    assert float(eight.throughput) == pytest.approx(8 / seconds)
    assert (eight.macs == one.macs).all()
    static = [layer for layer in eight.layer.values if layer.startswith("static ")]
    assert static
    for layer in static:  # watts times the batch's seconds, shared by its inferences
        watts = float(one.energy.sel(layer=layer).sum()) / float(one.latency.sum())
        assert float(eight.energy.sel(layer=layer).sum()) == pytest.approx(watts * seconds / 8)


def test_links_are_crossed_by_edges_between_machines_alone():
    """Neighbours on one machine hand over nothing, and q, k and v pay for one input once."""
    model = pim.load_model("llama2-7b").at(context=128)
    banks, between = pim.target("gddr6-aim").but(attention="banks"), pim.link("cxl")
    mine = [op.name for op in model.mac_ops if op.name.startswith("layer0.")]
    plan = Plan(
        model=model,
        machines=[pim.target("warboy"), banks],
        owners=dict.fromkeys(mine, "gddr6-aim"),
        links={"gddr6-aim": between},
    )
    assert plan.crosses["layer0.q"] == (True, True)
    assert plan.crosses["layer0.k"] == (False, True)  # its rotation runs on the NPU
    assert plan.crosses["layer0.v"] == (False, False)  # the banks multiply with it
    ops = {op.name: op for op in plan.operators}
    word = between.word
    assert plan.counts(ops["layer0.q"])["link bit"] == 2 * 4096 * word
    assert plan.counts(ops["layer0.k"])["link bit"] == 4096 * word
    assert plan.phases(ops["layer0.k"])["link"] == pytest.approx(between.seconds(4096 * word / 8))
    whole = MODEL.but() if hasattr(MODEL, "but") else MODEL
    names = [op.name for op in (*whole.mac_ops, *whole.vector_ops)]
    near = NPU.but(name="near", host=None)
    beyond = Plan(model=whole, machines=[NPU, near], owners=dict.fromkeys(names, "near"),
                  links={"near": between})  # fmt: skip
    crossing = [name for name in names if any(beyond.crosses[name])]
    graph = whole.graph
    inner = {edge.reader for edge in graph.edges} & {edge.maker for edge in graph.edges}
    assert not inner & set(crossing), "the whole model beyond a link: only its ends cross"


def test_links_are_crossed_by_the_operators_beyond_them():
    near = NPU.but(name="near", host=None)
    between = pim.link("cxl")
    plan = Plan(model=MODEL, machines=[NPU, near], owners={FIRST: "near"}, links={"near": between})
    answer = pim.run(MODEL, plan)
    op = MODEL.mac_ops[0]
    bits = op.m * (op.k + op.n) * between.word
    assert int(answer.events.sel(layer=FIRST, event="link bit")) == bits
    assert float(answer.phase_latency.sel(layer=FIRST, phase="link")) == pytest.approx(
        2 * between.delay + bits / between.bandwidth
    )
    assert float(answer.energy.sel(component="link").sum()) == pytest.approx(
        bits * between.bit.value
    )
    assert set(between.bit.sources) <= set(answer.attrs["sources"].split(","))


def test_occupancy_adds_up_over_the_operators_of_a_machine():
    plan = planned(MODEL, BANKS.but(widest=None))
    shares = [BANKS.occupancy(op) for op in MODEL.mac_ops]
    assert plan.occupancy["gddr6-aim"] == pytest.approx(sum(shares))
    assert np.isclose(plan.occupancy["warboy"], 0) or "warboy" in plan.occupancy


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"machines": []}, ValueError, "one machine or more"),
        ({"machines": NPU}, TypeError, "allowed: a list of machines"),
        ({"machines": [NPU, NPU]}, ValueError, "each with its own name"),
        ({"machines": [NPU], "owners": {FIRST: "warbi"}}, ValueError, "did you mean 'warboy'"),
        ({"machines": [NPU], "owners": {"fc0": "warboy"}}, ValueError, "'fc0' is no operator"),
        ({"machines": [PCM]}, ValueError, "pcm-hermes do not execute"),
        ({"machines": [NPU], "links": {"warboy": "cxl"}}, TypeError, "is not a Link"),
        ({"machines": [NPU], "shared": ["x"]}, ValueError, "'x' is not known"),
        ({"machines": [NPU], "batch": 0}, ValueError, "batch=0 is outside 1.."),
        ({"machines": [NPU], "model": 3}, TypeError, "model=3 is no model"),
    ],
)
def test_bad_plans_are_refused_by_name(fields, error, text):
    with pytest.raises(error, match=text):
        Plan(**{"model": MODEL, **fields})


def test_a_plan_is_of_one_model_and_names_its_operators():
    plan = planned(MODEL, NPU)
    with pytest.raises(ValueError, match="is for the model 'digits-mlp', not for 'cancer-mlp'"):
        pim.run(pim.load_model("cancer-mlp"), plan)
    with pytest.raises(KeyError, match="is no operator of the model"):
        plan.machine("fc99")
    with pytest.raises(TypeError, match="neither a Target nor a Plan"):
        planned(MODEL, "warboy")


def test_a_batch_that_the_banks_do_not_take_runs_on_the_host():
    banks = pim.target("hbm-pim").but(widest=1)
    one, four = (pim.run(MODEL, banks, batch=batch) for batch in (1, 4))
    macs = [op.name for op in MODEL.mac_ops]
    assert set(one.executor.sel(layer=macs).values.tolist()) == {"hbm-pim"}
    assert set(four.executor.sel(layer=macs).values.tolist()) == {"warboy"}


def test_a_batch_whose_caches_do_not_fit_says_how_many_chips_would():
    shape, npu = pim.load_model("llama2-7b"), pim.target("warboy")
    assert pim.run(shape, npu, batch=4).attrs["chips"] == "1"
    for ask in (
        lambda: pim.run(shape, npu, batch=64),
        lambda: pim.schedule(pim.Plan(model=shape, machines=[npu], batch=64)),
        lambda: pim.operating_points(shape, npu, batch=64),
    ):
        with pytest.raises(pim.plan.CapacityError, match=r"memory of warboy .* times .*chips=5"):
            ask()


def test_a_card_brings_its_link_to_a_plan():
    card = pim.target("aimx")
    alone = planned(MODEL, card)
    assert alone.links == {"warboy": card.link}
    assert pim.plan.plan.own_links([NPU, card]) == {"aimx": card.link}
    assert pim.plan.plan.own_links([NPU, BANKS]) == {}
    bare = planned(MODEL, card.but(link=None))
    relu = next(op for op in alone.operators if alone.owners[op.name] == "warboy")
    assert set(alone.phases(relu)) - set(bare.phases(relu)) == {"link"}
    placed = pim.place(MODEL, [NPU, card], "energy")
    assert set(placed.links) <= {"aimx"}
    on_card = Plan(
        model=MODEL, machines=[NPU, card], owners={FIRST: "aimx"}, links={"aimx": card.link}
    )
    bits = pim.run(MODEL, on_card).events.sel(layer=FIRST, event="link bit")
    assert int(bits) == 16 * (64 + next(op.n for op in MODEL.mac_ops))


def _sharing(pins_of="gddr6-aim", **changes):
    banks = pim.target(pins_of).but(host=None, **changes)
    npu = NPU.but(memory=NPU.memory.but(weights_in="dram"))
    apart = Plan(model=MODEL, machines=[npu, banks], owners={FIRST: banks.name})
    return banks, apart, apart.but(shared=["warboy", banks.name])


def test_a_shared_dram_changes_hands_before_and_after_the_banks():
    banks, apart, together = _sharing()
    t = banks.timing
    # write 6 + data 2 + tWR 33, tRP 32, tRCD 36 cycles of 0.5 ns
    assert banks.handover == pytest.approx((6 + 2 + 33 + 32 + 36) * 0.5e-9)
    assert banks.handover == (t.write_to_precharge + t.tRP + t.tRCDRD) * t.tCK
    assert together.handovers == (FIRST,)
    assert apart.handovers == ()
    for op in together.operators:
        lost = together.phases(op).get("handover", 0.0)
        assert lost == (banks.handover if op.name == FIRST else 0.0)
        assert sum(together.phases(op).values()) == pytest.approx(
            sum(apart.phases(op).values()) + lost
        )


def test_the_host_reads_through_the_pins_of_the_memory_it_shares():
    slow = pim.target("lpddr5x-pim").organisation.but(channels=1)
    banks, apart, together = _sharing("lpddr5x-pim", organisation=slow, channel_limit=None)
    t = banks.timing
    assert banks.pins == pytest.approx(256 / 1.875e-9 * (1 - t.tRFC / t.tREFI))
    assert together.placed["warboy"].memory.bandwidth == banks.pins
    assert apart.placed["warboy"].memory.bandwidth > banks.pins
    mine = [op for op in together.operators if together.owners[op.name] == "warboy"]
    took = [sum(sum(p.phases(op).values()) for op in mine) for p in (together, apart)]
    assert took[0] > took[1]
    # a memory faster than the host's own changes nothing
    assert _sharing()[2].placed["warboy"].memory == _sharing()[1].placed["warboy"].memory


def test_a_second_row_buffer_leaves_the_pins_to_the_host():
    blocked, free = (_sharing(row_buffers=rows)[2] for rows in ("one", "two"))
    banks = free.placed["gddr6-aim"]
    op = next(op for op in free.operators if op.name == FIRST)
    phases = banks.latency(op)
    inside = phases["in-bank MAC"] + phases["row opening"]
    assert free.unblocked["gddr6-aim"] == pytest.approx(inside - banks.handover)
    assert blocked.unblocked["gddr6-aim"] == pytest.approx(-banks.handover)
    assert set(banks.resources(op).values()) == {"DRAM channel", "banks"}
