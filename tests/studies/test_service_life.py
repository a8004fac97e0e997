"""A service's life against sums by hand: inference, static power, programming, refresh, wear."""

import numpy as np
import pytest

import pimlab as pim
from pimlab.analog import Refresh

YEAR = 365.25 * 86400


@pytest.fixture(scope="module")
def mlp():
    return pim.load_model("digits-mlp")


def test_by_hand(mlp):
    """20 pJ a cell, a pair of cells a weight, and 64 mW of idle arrays."""
    machine = pim.target("pcm-hermes")
    life = pim.service_life(mlp, machine, rate="10 Hz", span=YEAR)
    answer = pim.run(mlp, machine)
    layers = [name for name in answer.layer.values if not name.startswith("static")]
    each = float(answer.energy.sel(layer=layers).sum())
    weights = sum(op.k * op.n for op in mlp.mac_ops)
    spent = life.life_energy.to_series()
    assert spent["inference"] == pytest.approx(10 * YEAR * each)
    assert spent["static"] == pytest.approx(64e-3 * YEAR)
    assert spent["programming"] == pytest.approx(weights * 2 * machine.devices * 20e-12)
    assert spent["refresh"] == 0
    assert (int(life.writes), float(life.wear)) == (1, pytest.approx(1e-9))
    assert (life.life_energy_low <= life.life_energy).all()
    assert (life.life_energy <= life.life_energy_high).all()


def test_refresh_writes_again_and_wears(mlp):
    machine = pim.target("pcm-hermes")
    monthly = machine.but(refresh=Refresh(period=YEAR / 12))
    life = pim.service_life(mlp, monthly, rate="10 Hz", span=1.01 * YEAR)
    spent = life.life_energy.to_series()
    assert int(life.writes) == 13
    assert spent["refresh"] == pytest.approx(12 * spent["programming"])
    assert float(life.wear) == pytest.approx(13e-9)
    assert float(life.wear_low) < float(life.wear) < float(life.wear_high)


def test_a_machine_without_cells_writes_nothing(mlp):
    life = pim.service_life(mlp, pim.target("warboy"), rate="10 Hz")
    assert int(life.writes) == 0
    assert np.isnan(float(life.wear))
    assert float(life.life_energy.sel(spent_on=["programming", "refresh"]).sum()) == 0
    assert float(life.life_energy.sel(spent_on="static")) > 0


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": "1 Hz", "span": 0}])
def test_no_rate_or_no_life(mlp, wrong):
    with pytest.raises(ValueError, match="allowed: both above 0"):
        pim.service_life(mlp, pim.target("pcm-hermes"), **wrong)


def test_cells_whose_write_is_not_known_are_named(mlp):
    with pytest.raises(KeyError, match="write_energy"):
        pim.service_life(mlp, pim.target("mythic-m1076"), rate="1 Hz")


def test_a_streamed_machine_writes_what_it_holds(mlp):
    """It programs block by block in this computer's memory: the chip's cells are the same."""
    machine = pim.target("pcm-hermes").but(refresh=Refresh(period=YEAR / 12))
    whole, streamed = (
        pim.service_life(mlp, one, rate="10 Hz", span=1.01 * YEAR)
        for one in (machine, pim.streamed(machine, columns=64))
    )
    for name in ("life_energy", "writes", "wear"):
        np.testing.assert_allclose(streamed[name], whole[name], rtol=1e-12)
