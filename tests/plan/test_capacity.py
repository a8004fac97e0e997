"""Models that do not fit: how many chips they need, what chips cost, and refusals that say it."""

import numpy as np
import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp
from pimlab.machine.together import Together, together
from pimlab.plan import CapacityError, check_fits, chips_needed, planned, shortage, with_chips
from pimlab.plan.plan import CHIP_LINK_BIT
from tests.schedule.made import Bench, Network

LLAMA = "llama2-7b"


def _bench(*arrays, there=4, kind=None):
    """A plan of operators that take so many arrays of a bench that has `there`."""
    ops = [MacOp(name=f"op{i}", m=2, k=3, n=n) for i, n in enumerate(arrays)]
    machine = (kind or _Shelf)(
        name="bench", times={op.name: {"x": 1.0} for op in ops}, arrays=there
    )
    return pim.Plan(model=Network(ops), machines=[machine])


class _Shelf(Bench):
    """A bench whose arrays are its memory."""

    def occupancy(self, op):
        return op.n / self.arrays


def test_chips_are_counted_by_hand():
    assert chips_needed(_bench(1, 2)) == {"bench": 1}
    assert chips_needed(_bench(1, 3)) == {"bench": 1}, "exactly full is no more than one"
    assert chips_needed(_bench(1, 3, 1)) == {"bench": 2}
    assert chips_needed(_bench(9, 3, 1)) == {"bench": 4}


def test_the_refusal_says_how_many():
    with pytest.raises(CapacityError, match=r"bench 3\.25 times \(1 there\); write chips=4 "):
        check_fits(_bench(9, 3, 1))
    assert shortage(_bench(1)) == ""
    with pytest.raises(CapacityError, match=r"\(3 there\); write chips=4"):
        with_chips(_bench(9, 3, 1), 3)


def test_operators_lie_on_chips_one_after_another():
    spread = with_chips(_bench(2, 3, 6, 1), "needed").spread
    assert spread == {"op0": (0, 0), "op1": (0, 1), "op2": (1, 2), "op3": (2, 2)}


def test_what_holds_nothing_lies_on_no_chip_of_its_own():
    class Bare(_Shelf):
        def occupancy(self, op):
            return 0.0 if op.name == "op1" else super().occupancy(op)

    spread = with_chips(_bench(5, 3, 3, kind=Bare), "needed").spread
    assert spread == {"op0": (0, 1), "op1": (0, 0), "op2": (1, 1)}


def test_what_changes_chips_is_counted_by_hand():
    made = with_chips(_bench(2, 3, 6, 1), 3)
    word = made.chip_link.word
    ins, outs = 2 * 3 * word, lambda n: 2 * n * word
    moved = [made.moved(op) for op in made.operators]
    # op0 stays; op1 begins where op0 stands and needs one chip more; op2 begins where op1 ends
    assert moved == [(0, 0), (ins, outs(3)), (ins, outs(6)), (0, 0)]
    alone = made.but(chips={}, chip_link=None)
    for op, bits in zip(made.operators, moved, strict=True):
        assert made.counts(op).get(CHIP_LINK_BIT, 0) == sum(bits)
        more = sum(made.phases(op).values()) - sum(alone.phases(op).values())
        assert more == pytest.approx(sum(made.chip_link.seconds(b / 8) for b in bits if b))


def test_every_chip_draws_its_static_power():
    one, three = _bench(2, 3), with_chips(_bench(2, 3), {"bench": 3})
    layer = "static bench"
    assert three.chip_link.name == "pcie5-x16"
    watts = [
        float(pim.run(p.model, p).energy.sel(layer=layer).sum() / pim.run(p.model, p).latency.sum())
        for p in (one.but(machines=[one.machines[0].but(arrays=8)]), three)
    ]
    assert watts[1] == pytest.approx(3 * watts[0])


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes", "gddr6-aim"])
def test_a_large_language_model_is_refused_or_fits(name):
    model, machine = pim.load_model(LLAMA), pim.target(name)
    needed = chips_needed(planned(model, machine))[name]
    if needed == 1:
        assert int(pim.run(model, machine).chips) == 1
        return
    with pytest.raises(CapacityError, match=rf"llama2-7b does not fit.*{name}.*chips={needed} "):
        pim.run(model, machine)
    held = pim.run(model, machine, chips=needed)
    assert (int(held.chips), held.attrs["chips"]) == (needed, f"{needed} {name}")
    assert float(held.occupancy.where(held.executor == name, 0).sum()) <= 1
    assert "chip link" in held.component.values


def test_1576_analog_chips_hold_seven_billion_weights():
    found = chips_needed(planned(pim.load_model(LLAMA), pim.target("pcm-hermes")))
    assert found["pcm-hermes"] == 1576


def test_a_layer_larger_than_one_chip_is_programmed_over_several():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=10)
    small = pim.target("pcm-hermes").but(rows=16, cols=16, capacity=5)
    with pytest.raises(CapacityError, match="pcm-hermes"):
        pim.run(model, small, data)
    held = pim.run(model, small, data, chips="needed")
    whole = pim.run(model, small.but(capacity=None), data)
    np.testing.assert_array_equal(held.accuracy, whole.accuracy)
    assert int(held.chips) == (16 + 4) // 5


def test_together_has_so_many_times_the_arrays_and_the_static_power():
    pcm = pim.target("pcm-hermes")
    assert (together(pcm, 3).array_count, together(pcm, 1)) == (192, pcm)
    op = MacOp(name="a", m=1, k=256, n=512)
    assert together(pcm, 2).occupancy(op) == 2 / 128
    npu = together(pim.target("warboy"), 4)
    assert isinstance(npu, Together)
    assert npu.static == {name: 4 * rate for name, rate in pim.target("warboy").static.items()}
    assert npu.occupancy(op) == pim.target("warboy").occupancy(op) / 4
    assert together(pim.target("pcm-hermes").but(capacity=None), 2).array_count is None


def test_the_weights_of_an_npu_fill_its_dram():
    npu = pim.target("warboy")
    op = MacOp(name="a", m=1, k=1000, n=1000)
    assert npu.occupancy(op) == 8e6 / npu.memory.capacity
    assert npu.but(memory=npu.memory.but(capacity=None)).occupancy(op) == 0
    scratch = op.but(kind="activations")
    assert npu.occupancy(scratch) == 0, "what is computed and dropped takes nothing for good"
    assert npu.occupancy(scratch.but(cached=True)) > 0


@pytest.mark.parametrize(
    ("chips", "message"),
    [
        (0, "chips=0; allowed: an integer, 1 or more"),
        ("need", "did you mean 'needed'"),
        ({"bench": 0}, r"chips\['bench'\]=0"),
        ({"benk": 2}, "did you mean 'bench'"),
    ],
)
def test_bad_numbers_of_chips_are_refused(chips, message):
    with pytest.raises(ValueError, match=message):
        with_chips(_bench(9, 3), chips)


def test_true_is_no_number_of_chips():
    with pytest.raises(TypeError, match="chips=True is not an integer"):
        with_chips(_bench(9, 3), True)


def test_chips_of_one_machine_work_at_the_same_time_in_a_schedule():
    made = with_chips(_bench(4, 4), "needed")
    busy = pim.schedule(made, inferences=6)
    names = set(busy.unit.values)
    assert {"bench 0: x", "bench 1: x"} <= names
    assert busy.interval < busy.latency
