"""Energy against the rate of requests: by hand, its ends, and where two machines cross."""

import numpy as np
import pytest

import pimlab as pim
from pimlab.machine.power import CELLS, STATES
from pimlab.schedule.load import energy_at
from tests.schedule.made import plan


def _busy(watts=3.0, seconds=2.0):
    return pim.schedule(plan({"a": {"x": seconds}}, watts=watts), inferences=4)


def test_energy_is_counted_by_hand():
    busy = _busy()
    idle, gated = (float(busy.state_power.sel(state=s)[0]) for s in ("idle", "gated"))
    wake = (
        float(busy.wake_energy.sel(state="gated")[0]),
        float(busy.wake_time.sel(state="gated")[0]),
    )
    assert (idle, gated) == (3.0, pytest.approx(0.3))
    found = pim.energy_at(busy, [0.5, 0.1])
    # at 0.5 Hz the machine never waits; at 0.1 Hz it waits 8 s gated or off
    assert float(found.energy[0]) == pytest.approx(0.5 + 3.0 * 2)
    candidates = {
        "gated": 0.3 * (8 - wake[1]) + wake[0],
        "off": float(busy.wake_energy.sel(state="off")[0]),
    }
    best = min(candidates, key=candidates.get)
    assert str(found.state[1, 0].item()) == best
    assert float(found.energy[1]) == pytest.approx(0.5 + 3.0 * 2 + candidates[best])
    np.testing.assert_allclose(found.power, found.energy * found.rate)


def test_at_saturation_it_is_the_energy_of_the_schedule():
    for name in ("warboy", "hbm-pim", "pcm-hermes"):
        busy = pim.schedule(pim.load_model("fashion-cnn"), pim.target(name))
        at = pim.energy_at(busy, float(busy.throughput))
        for end in ("", "_low", "_high"):
            assert float(at["energy" + end]) == pytest.approx(float(busy["energy" + end].sum()))
        assert np.isnan(float(pim.energy_at(busy, 2 * float(busy.throughput)).energy))


def test_parts_add_up_and_intervals_hold():
    busy = pim.schedule(pim.load_model("digits-mlp"), pim.target("hbm-pim"))
    found = pim.energy_at(busy, np.geomspace(1e-3, float(busy.throughput), 40))
    whole = found.dynamic_energy + found.static_energy.sum("machine")
    np.testing.assert_allclose(found.energy, whole)
    assert (found.energy_low <= found.energy).all()
    assert (found.energy <= found.energy_high).all()
    assert (np.diff(found.energy) <= 1e-12).all(), "an inference never costs more when more come"


def test_the_high_end_does_not_wait_in_a_state_that_is_dear_there():
    busy = _busy()
    found = pim.energy_at(busy, 0.1)
    # gated or off may take so long to wake that idling is cheaper: nobody would gate then
    dear = busy.assign({name + "_high": 1000.0 * busy[name + "_high"]
                        for name in ("wake_energy",)})  # fmt: skip
    high = pim.energy_at(dear, 0.1).energy_high
    idle = float(busy.static_power_high.sum()) * 10 + float(busy.dynamic_energy_high)
    assert float(high) == pytest.approx(idle)
    assert found.energy_low < found.energy < found.energy_high < high
    assert str(pim.energy_at(dear, 0.1).state[0].item()) == str(found.state[0].item())


def test_waiting_is_the_part_of_static_energy_between_requests():
    busy = _busy()
    found = pim.energy_at(busy, [0.5, 0.1])
    awake = found.static_energy - found.waiting_energy
    np.testing.assert_allclose(awake.values, 3.0 * 2)
    assert float(found.waiting_energy[0].sum()) == 0
    assert float(found.waiting_energy[1].sum()) > 0


def test_the_share_that_rests_on_assumed_numbers_follows_its_parts():
    for name in ("warboy", "pcm-hermes"):
        model, machine = pim.load_model("fashion-cnn"), pim.target(name)
        busy, alone = pim.schedule(model, machine), pim.run(model, machine)
        once = pim.schedule(model, machine, inferences=1, overlap=False)
        assert float(once.assumed_share) == pytest.approx(float(alone.assumed_share))
        full = pim.energy_at(busy, float(busy.throughput))
        assert float(full.assumed_share) == pytest.approx(float(busy.assumed_share))
        rare = pim.energy_at(busy, float(busy.throughput) / 100)
        assert float(full.assumed_share) < float(rare.assumed_share) <= 1


def test_values_of_data_change_the_share_too():
    model, machine = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    alone = pim.run(model, machine, pim.load_data("digits", limit=20))
    busy = pim.schedule(model, machine, inferences=1, overlap=False, answer=alone)
    assert float(busy.assumed_share) == pytest.approx(float(alone.assumed_share), rel=1e-9)
    static = [str(name).startswith("static ") for name in alone.layer.values]
    dynamic = float(alone.energy.sum()) - float(alone.energy.isel(layer=static).sum())
    assert float(busy.dynamic_energy) == pytest.approx(dynamic)


def test_what_a_machine_forgets_differs():
    npu, banks, cells = (pim.target(name) for name in ("warboy", "hbm-pim", "pcm-hermes"))
    forgets = [{s.name: s.forgets for s in m.states} for m in (npu, banks)]
    assert forgets[0] == {"active": (), "idle": (), "gated": ("SRAM",), "off": ("DRAM", "SRAM")}
    assert forgets[1] == {"active": (), "idle": (), "gated": (), "off": ("DRAM",)}
    assert cells.holds == CELLS
    busy = pim.schedule(pim.load_model("digits-mlp"), npu)
    bare = {s.name: s.wake_time.value for s in npu.states}
    bits = 8 * 4736
    assert float(busy.wake_time.sel(state="gated")[0]) == pytest.approx(
        bare["gated"] + bits / npu.memory.bandwidth
    )
    assert tuple(busy.state.values) == STATES


def test_two_machines_cross_where_their_energies_meet():
    frugal, fast = _busy(watts=3.0, seconds=0.05), _busy(watts=6.0, seconds=0.01)
    found = pim.crossings({"frugal": frugal, "fast": fast})
    for at in range(found.sizes["crossing"]):
        rate = float(found.rate[at])
        one, other = (float(energy_at(busy, rate).energy) for busy in (frugal, fast))
        assert one == pytest.approx(other, rel=1e-6)
        assert found.rate_low[at] <= rate <= found.rate_high[at]
        assert {str(found.below[at].item()), str(found.above[at].item())} == {"frugal", "fast"}
    assert found.sizes["crossing"] >= 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pim.energy_at(_busy(), -1.0), "rate=-1.0; allowed: above 0"),
        (lambda: pim.energy_at(_busy(), ["1 Hz", 0]), "rate=0; allowed: above 0"),
        (lambda: pim.energy_at(_busy(), "3 s"), "Hz"),
        (lambda: pim.energy_at(_busy(), "-3 Hz"), "rate='-3 Hz'; allowed: above 0"),
        (lambda: pim.energy_at(_busy(), float("nan")), "rate=nan; allowed: above 0"),
        (lambda: pim.energy_at(_busy(), []), r"rate=\[\]; allowed: above 0"),
        (lambda: pim.energy_at(3, 1.0), "int is no schedule"),
        (lambda: pim.crossings([_busy()]), "allowed: two schedules or more"),
        (lambda: pim.crossings(_busy()), "of one schedule; allowed: two schedules or more"),
        (lambda: pim.energy_at(_busy(), rat="1 Hz"), "no argument 'rat'; did you mean 'rate'"),
        (lambda: pim.crossings([_busy(), _busy()]), "repeats a name"),
        (lambda: pim.crossings({"a": _busy(), "b": _busy()}, lowest=-1), "lowest=-1"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
