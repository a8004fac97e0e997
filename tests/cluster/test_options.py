"""Does a kind of stage cost what its operators cost, at home and with its attention aside?"""

import pytest
from cluster_examples import LINK, SMALL, Clock
from mixed_examples import WORK, racks

from pimlab.cluster import Degrees
from pimlab.cluster.options import ROLES, Stages, crossing, holding, most_layers, options
from pimlab.cluster.shards import layer_macs
from pimlab.cluster.steps import Pricer


def kinds(**given):
    on = Stages(SMALL, racks(**given), WORK, 1, 1, 1)
    return on, {(o.rack, o.tensor, o.aside, o.aside_chips): o for o in options(on)}


def test_a_stage_at_home_costs_what_the_pricer_says():
    on, found = kinds()
    pricer, cut = Pricer(SMALL, on.cluster.racks[0]), Degrees(tensor=2)
    inside = pricer.within_layer(WORK, cut, 2.0)
    chip = pricer.chip(WORK, cut, SMALL.layers)
    one = found[0, 2, None, 0]
    assert one.layer.seconds == pytest.approx(chip.layer.seconds + inside[0])
    assert one.layer.joules == pytest.approx(2 * chip.layer.joules + inside[1].nominal)
    assert one.exchange == inside[0]


def test_attention_aside_crosses_twice():
    on, found = kinds()
    one = found[0, 2, 1, 1]
    macs = layer_macs(SMALL, WORK, 2)
    linear = 1e-9 * sum(op.macs for op in macs if not op.cached)
    looking = 2e-9 * sum(op.macs for op in layer_macs(SMALL, WORK, 1) if op.cached)
    messages = [4 * heads * 8 * 2.0 for heads in (8 + 2 * 4, 8)]
    links = sum(LINK.seconds(m) for m in messages)
    inside = Pricer(SMALL, on.cluster.racks[0]).within_layer(WORK, Degrees(tensor=2), 2.0)[0]
    assert one.layer.seconds == pytest.approx(linear + looking + inside + links)
    assert one.chips(0) == 2
    assert one.chips(1) == 1


def test_as_many_layers_as_memory_holds():
    on, _ = kinds(held=70_000)
    for role, most in zip(ROLES, most_layers(on, 0, 1, "whole"), strict=True):
        shares = [holding(on, 0, 1, n, "whole", role)[0].share for n in (most, most + 1)]
        assert shares[0] <= 1 < shares[1] or most == SMALL.layers
    weights, cache = (most_layers(on, 0, 1, side)[0] for side in ("weights", "cache"))
    assert min(weights, cache) >= most_layers(on, 0, 1, "whole")[0]


def test_racks_hand_activations_over_one_link():
    on, _ = kinds()
    assert crossing(on).seconds == pytest.approx(LINK.seconds(4 * 64 * 2))


def test_a_machine_that_cannot_look_at_the_cache_takes_no_attention():
    class Blind(Clock):
        def serves(self, op):
            return not getattr(op, "cached", False)

    _, found = kinds(other=Blind(name="blind"))
    assert not any(aside == 1 for _, _, aside, _ in found)
