"""Does waking from a state bring back the weights that the state forgot?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plan import planned
from pimlab.schedule.states import state_table, weight_bits

MODEL = pim.load_model("digits-mlp")


def test_weight_bits_are_those_of_the_operators_a_machine_runs():
    npu = pim.target("warboy")
    sizes = sum(op.k * op.n for op in MODEL.mac_ops)
    assert weight_bits(planned(MODEL, npu), npu) == npu.weight_bits * sizes


def test_volatile_weights_come_back_and_cells_keep_theirs():
    npu = state_table(planned(MODEL, pim.target("warboy")))
    off, gated = (npu.sel(machine="warboy", state=state) for state in ("off", "gated"))
    assert 0 < float(gated.wake_energy) < float(off.wake_energy)
    assert (
        (npu.wake_energy_low <= npu.wake_energy_high).where(npu.wake_energy.notnull(), True).all()
    )
    pcm = pim.target("pcm-hermes")
    table = state_table(planned(MODEL, pcm))
    bare = {state.name: state.wake_energy.value for state in pcm.states}
    for name, joules in bare.items():
        found = float(table.wake_energy.sel(machine="pcm-hermes", state=name))
        assert found == pytest.approx(joules)
    assert np.isnan(table.state_power.sel(machine="pcm-hermes")).all() == (not bare)
