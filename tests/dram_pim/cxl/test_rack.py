"""Does a decoder run operator by operator on CXL devices with the time and joules of its whole program?"""

import copy

import numpy as np
import pytest

import pimlab as pim
from pimlab.plan.costs import costs
from pimlab.plan.plan import planned

LAYERS = 4


def _decoder():
    model = copy.copy(pim.load_model("llama2-7b"))
    model.shape = model.shape.but(layers=LAYERS, context=512)
    return model.at(context=512)


MODEL = _decoder()


@pytest.mark.parametrize(("pipeline", "tensor"), [(2, 1), (4, 1), (1, 2)])
def test_operators_add_up_to_the_program_of_a_block(pipeline, tensor):
    rack = pim.dram_pim.cxl_rack(MODEL, devices=2, pipeline=pipeline, tensor=tensor)
    ds = costs(planned(MODEL, rack))
    whole = rack.devices.decode(MODEL.shape, 512, pipeline, tensor)
    parts = whole.latency.sel(part=["banks", "switch", "near-memory units"]).sum()
    layers = [name for name in ds.layer.values if name.startswith("layer")]
    mine = ds.phase_latency.sel(layer=layers)
    mine = mine.drop_sel(phase="call") if "call" in mine.phase.values else mine
    assert float(mine.sum()) == pytest.approx(float(parts), rel=0.02)
    for component in ("DRAM rows", "MAC", "I/O", "controllers"):
        joules = float(ds.energy.sel(layer=layers, component=component).sum())
        assert joules == pytest.approx(float(whole.energy.sel(component=component)), rel=0.03)
    assert float(ds.phase_latency.sel(phase="call").sum()) == rack.devices.sampling


def test_stages_work_on_sequences_of_their_own():
    rack = pim.dram_pim.cxl_rack(MODEL, devices=2, pipeline=2)
    stages = {
        op.name: set(rack.resources(op).values()) for op in (*MODEL.mac_ops, *MODEL.vector_ops)
    }
    assert stages["layer0.q"] == stages["layer1.down"] == {"stage 0"}
    assert stages["layer3.q"] == stages["head"] == {"stage 1"}
    key = next(op for op in MODEL.mac_ops if op.name == "layer0.scores")
    there = 2 * rack.devices.organisation.capacity
    assert rack.occupancy(key) == 2 * 32 * 128 * 512 * 2 / there


def test_values_are_those_of_the_banks():
    rack = pim.dram_pim.cxl_rack(MODEL, devices=2, pipeline=2)
    x, w = np.ones((1, 64), np.float32), np.full((64, 3), 0.5, np.float32)
    np.testing.assert_array_equal(rack.program(w).matmul(x), 32)
    assert rack.static["device second"] == 2
    assert "cent" in rack.cited


def test_splits_that_are_none_are_refused():
    with pytest.raises(ValueError, match="pipeline=3 tensor=1 is no split of 4 blocks"):
        pim.dram_pim.cxl_rack(MODEL, devices=2, pipeline=3)
    with pytest.raises(TypeError, match="has no width"):
        pim.dram_pim.cxl_rack(3, devices=2)
