"""Do energies follow from data sheets' currents as the equations say, and a trace's from its commands?"""

import numpy as np
import pytest
import xarray as xr

import pimlab
from pimlab import dram_pim
from pimlab.catalogue import entry, names
from pimlab.dram_pim.currents import command_energies, trace_energy


def test_the_equations_by_hand():
    """DRAMsim3's HBM2: 1.2 V (65 x 48 - 55 x 34 - 40 x 14) mA ns, and so on."""
    energies = command_energies("hbm2-dramsim3")
    values = {name: constant.value for name, constant in energies.items()}
    assert values == pytest.approx(
        {
            "activation": 1.2 * (65 * 48 - 55 * 34 - 40 * 14) * 1e-12,
            "read bit": 1.2 * (390 - 55) * 2 / 512 * 1e-12,
            "write bit": 1.2 * (500 - 55) * 2 / 512 * 1e-12,
            "refresh": 1.2 * (250 - 55) * 260 * 1e-12,
            "standby": 1.2 * 40e-3,
            "standby with open rows": 1.2 * 55e-3,
        }
    )


def test_rows_that_were_all_open_count_one_bank_in_an_activation():
    """DDR5's IDD3N holds for 32 open banks; as it stands an activation would cost less than nothing."""
    table = entry("currents", "ddr5")
    i0, i2, i3 = (table[f"core.i{n}"].value for n in ("0", "2n", "3n"))
    ras, rp = table["tRAS"].value, table["tRP"].value
    assert i0 * (ras + rp) - i3 * ras - i2 * rp < 0
    one = i2 + (i3 - i2) / 32
    wanted = 1.1 * (i0 * (ras + rp) - one * ras - i2 * rp)
    assert command_energies("ddr5")["activation"].value == pytest.approx(wanted)


@pytest.mark.parametrize("name", names("currents"))
def test_every_file_gives_every_energy(name):
    energies = command_energies(name)
    for part in ("activation", "read bit", "write bit", "refresh", "standby"):
        assert 0 < energies[part].low <= energies[part].value <= energies[part].high
        assert energies[part].sources
    assert energies["standby"].value < energies["standby with open rows"].value


def test_limits_reach_down_to_what_modules_drew_and_measured_currents_do_not():
    share = entry("energy", "drawn-ddr3l")["read"].low
    limit, measured = (command_energies(name)["standby"] for name in ("gddr6", "hbm2"))
    read = command_energies("gddr6")["read bit"]
    assert read.low == pytest.approx(share * read.value)
    assert limit.low < limit.value
    assert measured.low == measured.value


def test_unknown_currents_are_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'lpddr5x'"):
        command_energies("lpddr5")


def _schedule(writes, banks, rows):
    channel = dram_pim.Banks(
        channels=1, ranks=1, banks=16, bank_groups=4, rows=64, columns=32, access_bits=256
    )
    zeros = np.zeros(len(rows), int)
    return dram_pim.schedule(
        dram_pim.timing("hbm2"), channel, np.array(writes), np.array(banks), np.array(rows), zeros
    )


def test_a_trace_by_hand():
    """Two rows of one bank read, one of another written; some row is open from the first ACT to the last PRE."""
    table = _schedule([False, False, True], [0, 0, 1], [0, 1, 0])
    spent = trace_energy(table, "hbm2-dramsim3", clock=1e-9, access_bits=256)
    energies = {name: one.value for name, one in command_energies("hbm2-dramsim3").items()}
    parts = spent.energy.to_series()
    assert parts["activation"] == pytest.approx(3 * energies["activation"])
    assert parts["read"] == pytest.approx(512 * energies["read bit"])
    assert parts["write"] == pytest.approx(256 * energies["write bit"])
    assert parts["pins"] == parts["refresh"] == 0
    cycles = table.attrs["cycles"]
    opened = round(float(spent.open_share) * cycles)
    assert 0 < opened < cycles
    wanted = 1e-9 * ((cycles - opened) * 0.048 + opened * 0.066)
    assert parts["standby"] == pytest.approx(wanted)
    assert float(spent.power) == pytest.approx(float(spent.energy.sum()) / (cycles * 1e-9))


def test_data_that_toggle_cost_more_than_data_that_do_not():
    read = command_energies("hbm2")["read bit"]
    pins = command_energies("hbm2")["read bit at the pins"]
    assert read.low < read.value < read.high
    total = read.value + pins.value
    # measured: 3.18 pJ a bit where nothing toggles, 5.15 for random data
    assert total / 1.62 == pytest.approx(3.18e-12, rel=0.07)


def test_an_answer_by_currents_can_be_cited():
    spent = trace_energy(_schedule([False], [0], [0]), "hbm2", clock=1e-9, access_bits=256)
    assert "hbm-power" in pimlab.cite(spent)


def test_a_trace_needs_commands_and_their_cycles():
    with pytest.raises(ValueError, match="trace has no command, cycle and attrs"):
        trace_energy(xr.Dataset(), "hbm2", clock=1e-9, access_bits=256)
    known = xr.Dataset(
        {"command": ("index", ["ACT"]), "cycle": ("index", [1])}, attrs={"cycles": 9}
    )
    with pytest.raises(ValueError, match="clock=-1; allowed: above 0"):
        trace_energy(known, "hbm2", clock=-1, access_bits=256)
