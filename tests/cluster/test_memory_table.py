"""Does the table of memory say of every chip what one adds up by hand?"""

import numpy as np
import pytest
from cluster_examples import SMALL, Clock, cluster
from mixed_examples import Looker, racks

import pimlab as pim
from pimlab.cluster import Training, Work
from pimlab.cluster.memory import held
from pimlab.cluster.training import stage_memory, waiting


def test_every_chip_of_every_replica_and_stage_has_a_row():
    cut = {"tensor": 2, "pipeline": 2, "data": 2, "microbatches": 1}
    plan = pim.parallelise(SMALL, cluster(8), batch=4, context=64, **cut)
    table = plan.memory_table
    assert table.sizes == {"chip": 8, "machine": 1}
    assert table.replica.values.tolist() == [0] * 4 + [1] * 4
    assert table.stage.values.tolist() == [0, 0, 1, 1] * 2
    assert table.member.values.tolist() == [0, 1] * 4
    assert table.first_layer.values[[0, 2]].tolist() == [0, plan.layers[0]]
    (first,) = held(SMALL, plan.cluster, Work(batch=2, context=64), 2, plan.layers[0], last=False)
    row = table.isel(chip=0, machine=0)
    parts = ("weights", "cache", "activations")
    assert [float(row[name]) for name in parts] == [getattr(first, name) for name in parts]
    assert float(row.total) == first.total == sum(float(row[name]) for name in parts)
    assert float(table.occupancy.max()) == pytest.approx(max(m.share for m in plan.memory))
    assert pim.cite(table) is not None


def test_padding_is_what_an_uneven_cut_holds_twice():
    """Four key-value heads on eight chips: each of their two projections and caches is held twice."""
    plan = pim.parallelise(SMALL, cluster(8), batch=4, context=64, tensor=8, pipeline=1, data=1)
    one = plan.memory_table.isel(chip=0, machine=0)
    twice = 6 * 2 * (64 * 8 + 8 * 64 * 4)  # layers, keys and values: weights and cache of a head
    byte = plan.cluster.chip.weight_bits / 8
    assert float(one.padding) == pytest.approx(twice / 2 * byte)
    even = pim.parallelise(SMALL, cluster(8), batch=4, context=64, tensor=4, pipeline=1, data=1)
    assert float(even.memory_table.padding.max()) == 0


def test_machines_beside_each_other_are_columns():
    chip = pim.target("hbm-pim").but(host=pim.target("rngd"))
    plan = pim.parallelise(SMALL, pim.Cluster(chip=chip), context=64)
    table = plan.memory_table
    assert table.machine.values.tolist() == ["hbm-pim", "rngd"]
    assert float(table.weights.sel(machine="rngd")[0]) == 0
    assert float(table.capacity.sel(machine="rngd")[0]) == 48e9
    assert np.isnan(table.capacity.sel(machine="hbm-pim")[0])


def test_chips_that_hold_a_cache_aside_hold_no_weights():
    far = racks(4, 4, other=Looker(name="looker", each=1e-6)).but(between=pim.link("nvlink4"))
    plan = pim.parallelise(SMALL, far, batch=4, context=128)
    table = plan.memory_table
    assert table.sizes["chip"] == sum(plan.chips.values())
    aside = table.sel(chip=table.side == "cache", machine="looker")
    assert (aside.weights == 0).all()
    assert (aside.cache > 0).all()
    beside = table.sel(chip=table.side == "weights", machine="clock")
    assert (beside.cache == 0).all()
    assert np.isnan(table.weights.sel(machine="looker")[0])


def test_two_phases_have_rows_of_their_own():
    plan = pim.parallelise(
        SMALL, cluster(4), batch=2, context=64, phase="both", output=16, arrangement="apart"
    )
    table = plan.memory_table
    sides = {"prefill": plan.prefill, "decode": plan.decode}
    for phase, side in sides.items():
        mine = table.sel(chip=table.phase == phase)
        assert mine.sizes["chip"] == side.degrees.chips
        assert float(mine.total.max()) == pytest.approx(side.memory[0].total)


def test_early_stages_of_training_hold_more_activations():
    rack = cluster(4, machine=Clock(), memory="1 GB")
    shape = SMALL.but(kv_heads=8, feed_forward="gelu")
    given = Training(sequences=8, tokens=64, pipeline=3, bandwidth="1 TB/s")
    assert [waiting(given, stage) for stage in range(3)] == [3, 2, 1]
    stages = [stage_memory(shape, rack, given, stage) for stage in range(3)]
    assert stages[0].activations == 3 * stages[2].activations
    assert stages[1].weights < stages[0].weights == stages[2].weights
    assert stages[0].optimiser == 8 * stages[0].weights  # 16 bytes beside two
    plan = pim.parallelise(shape, rack, phase="training", training=given.but(pipeline=1))
    table = plan.memory_table
    assert table.sizes["chip"] == plan.training.chips
    assert float(table.total.max()) == pytest.approx(plan.step.total)
