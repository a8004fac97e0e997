"""Do a memory's prices say where they come from, and grow with the memory?"""

import pytest

from pimlab import dram_pim
from pimlab.catalogue import names
from pimlab.constants import assumed
from pimlab.dram_pim import DramPim
from pimlab.dram_pim.currents import command_energies
from pimlab.dram_pim.presets import build, table
from pimlab.dram_pim.prices import ARRAY_BIT, ARRAY_WRITE_BIT, BACKGROUND, REFRESH, prices

WIDE = """
title = "five times the channels"
source = "kwon2021"
base = "{base}"

[channels]
value = {channels}
status = "assumed"
reason = "a test"
"""


@pytest.mark.parametrize("base", names("pim"))
def test_standby_and_the_limit_grow_with_the_channels(base, tmp_path, monkeypatch):
    """2 W were kept for 64 channels and for 320."""
    small = build(base)
    channels = 5 * small.organisation.channels
    room = tmp_path / "pim"
    room.mkdir()
    (room / "wide.toml").write_text(WIDE.format(base=base, channels=channels))
    monkeypatch.setenv("PIMLAB_CATALOGUE", str(tmp_path))
    large = build("wide")
    for machine in (large, small.but(organisation=small.organisation.but(channels=channels))):
        power, before = (one.all_bank_power().nominal for one in (machine, small))
        assert power["background"] == pytest.approx(5 * before["background"])
        assert machine.power_limit.value == pytest.approx(5 * small.power_limit.value)


def test_currents_price_what_a_file_does_not():
    described = table("lpddr-pim")
    energies, priced = command_energies(described.meta["currents"]), prices(described)
    assert "energy.array_bit" not in described
    assert priced[ARRAY_BIT].constant.value == energies["read bit"].value
    assert priced[ARRAY_WRITE_BIT].constant.value == energies["write bit"].value
    assert priced[REFRESH].constant.value == energies["refresh"].value
    assert priced[BACKGROUND].constant.value == energies["standby"].value


def test_ends_taken_from_currents_are_those_of_the_currents():
    hbm, aim = table("hbm-pim"), table("gddr6-aim")
    measured, tool = command_energies("hbm2"), command_energies("hbm2-dramsim3")
    assert hbm["energy.activate"].low == pytest.approx(tool["activation"].value, rel=1e-3)
    assert hbm["energy.activate"].high == pytest.approx(measured["activation"].value, rel=1e-3)
    assert hbm["energy.array_bit"].high == pytest.approx(measured["read bit"].value, rel=2e-3)
    samsung = command_energies("gddr6")
    for key, name in (("array_bit", "read bit"), ("array_write_bit", "write bit")):
        assert aim[f"energy.{key}"].low == pytest.approx(samsung[name].low, rel=5e-3)
        assert aim[f"energy.{key}"].high == pytest.approx(samsung[name].high, rel=5e-3)
    assert aim["energy.activate"].low == pytest.approx(samsung["activation"].value, rel=1e-3)
    assert aim["energy.activate"].high == pytest.approx(samsung["activation"].high, rel=1e-3)


def test_an_all_bank_product_of_aim_costs_what_its_simulators_script_says():
    """3 x 876.3 / 2 mW for tCCDL 1 ns, against 4,895 pJ before."""
    aim = table("gddr6-aim")
    bits, macs = 16 * 256, 16 * 16
    total = bits * aim["energy.bank_bit"].value + macs * aim["energy.unit_mac"].value
    assert total == pytest.approx(3 * 876.3e-3 / 2 * 1e-9, rel=2e-3)


def test_a_write_costs_another_price_than_a_read():
    for name in ("hbm-pim", "gddr6-aim", "lpddr-pim"):
        read, written = (one(name, 1 << 20) for one in (dram_pim.host_read,
                                                        dram_pim.host_write))  # fmt: skip
        bits = 8 << 20
        assert int(read.events.sel(event=ARRAY_BIT)) == bits
        assert int(written.events.sel(event=ARRAY_BIT)) == 0
        assert int(written.events.sel(event=ARRAY_WRITE_BIT)) == bits
        energies = [float(ds.energy.sel(component="DRAM columns")) for ds in (read, written)]
        machine = build(name)
        wanted = [bits * machine.prices[e].constant.value for e in (ARRAY_BIT, ARRAY_WRITE_BIT)]
        assert energies == pytest.approx(wanted)


def test_packages_over_their_limit_slow_down():
    free = build("gddr6-aim").but(channel_limit=None)
    watts = sum(free.all_bank_power().nominal.values())
    channels = free.organisation.channels
    limit = assumed("limit", 0.6 * watts / channels, "W", "a test")
    held = free.but(channel_limit=limit)
    assert free.paced == free.timing
    assert held.paced.tCCDL > held.timing.tCCDL
    assert sum(held.all_bank_power().nominal.values()) <= 0.6 * watts
    faster = held.paced.but(tCCDL=held.paced.tCCDL - 1)
    assert sum(held._streaming(faster).nominal.values()) > 0.6 * watts, "no slower than needed"
    fast, slow = (dram_pim.gemv(one, 4096, 4096) for one in (free, held))
    assert float(fast.slowdown) == 1 < float(slow.slowdown)
    assert float(slow.seconds) > 1.2 * float(fast.seconds)
    assert float(slow.power) < float(fast.power)
    dynamic = [ds.energy.sel(component="bank columns") for ds in (fast, slow)]
    assert float(dynamic[0]) == float(dynamic[1]), "the same work"
    tool = dram_pim.gemv(held, 4096, 4096, compat="aim_simulator")
    assert int(tool.cycles) == int(dram_pim.gemv(free, 4096, 4096, compat="aim_simulator").cycles)


def test_a_limit_below_standby_is_refused():
    aim = build("gddr6-aim")
    limit = assumed("limit", "50 mW", "W", "a test")
    with pytest.raises(ValueError, match="standby and refresh draw .* channels may dissipate"):
        aim.but(channel_limit=limit)
    assert isinstance(aim.but(channel_limit=None), DramPim)
