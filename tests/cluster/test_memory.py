"""Are the bytes that a chip holds those one adds up by hand?"""

import math

import pytest
from cluster_examples import SMALL, Clock, cluster

import pimlab as pim
from pimlab.cluster import Work
from pimlab.cluster.memory import held


def test_bytes_of_llama_2_7b_by_hand():
    """32 layers of 4 x 4096^2 + 3 x 4096 x 11008 weights and two matrices of 32000 x 4096, one byte each (INT8)."""
    shape = pim.load_model("llama2-7b").shape
    rack = pim.Cluster(chip=pim.target("rngd"))
    (one,) = held(shape, rack, Work(batch=2, context=4096), 1, 32)
    assert one.weights == 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 2 * 32000 * 4096
    assert one.cache == 2 * 32 * 4096 * 4096 * 2
    assert one.share == one.total / 48e9
    (half,) = held(shape, rack, Work(batch=2, context=4096), 2, 16, last=False)
    assert half.weights == 8 * (4 * 4096**2 + 3 * 4096 * 11008) + 16000 * 4096
    assert half.cache == one.cache / 4
    (many,) = held(shape, rack, Work(batch=2, context=4096), 1, 32, microbatches=3)
    assert many.cache == 3 * one.cache
    (trained,) = held(shape, rack, Work(batch=2, context=4096), 1, 32, optimiser=16)
    assert trained.optimiser == 16 * (one.weights - 32000 * 4096)


def test_machines_that_compute_in_memory_say_it_by_occupancy():
    """Two layers of Clock: weights, keys and values over the places it has."""
    rack = cluster(1, machine=Clock(held=10**6))
    (one,) = held(SMALL, rack, Work(batch=1, context=128), 1, 2, last=False)
    weights = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96
    assert one.share == pytest.approx(2 * (weights + 2 * 4 * 8 * 128) / 1e6)


def test_a_host_holds_what_it_runs():
    chip = pim.target("hbm-pim").but(host=pim.target("rngd"))
    banks, npu = held(SMALL, pim.Cluster(chip=chip), Work(batch=1, context=128), 1, 6)
    assert banks.machine == "hbm-pim"
    assert banks.weights > 0
    assert npu.machine == "rngd"
    assert npu.weights == 0
    assert npu.cache == 2 * 6 * 4 * 8 * 128


def test_what_nobody_states_is_unknown():
    npu = pim.target("rngd")
    rack = cluster(1, machine=npu.but(name="mine", memory=npu.memory.but(capacity=None)))
    (one,) = held(SMALL, rack, Work(batch=1, context=16), 1, 6)
    assert math.isnan(one.share)


def test_sequences_are_dealt_out_over_all_microbatches():
    """Six microbatches of one sequence over four chips: two whole caches on the fuller ones."""
    rack = pim.Cluster(chip=pim.target("rngd"))
    work = Work(batch=1, context=128)
    (dealt,) = held(SMALL, rack, work, 4, 6, microbatches=6, attention="sequences")
    assert dealt.cache == 2 * 6 * 2 * 4 * 8 * 128
