"""ADC energy against the survey, noise of physics, prices of a read, writes and lifetimes."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pimlab.analog import (
    ADC,
    DAC,
    TARGETS,
    Crossbar,
    Wires,
    adc_energy,
    adc_price,
    array_area,
    device,
    lifetime,
    macro,
    programming_energy,
    sampled_voltage,
    sampling_energy,
    shot_current,
    thermal_current,
)
from pimlab.analog.physics import snr
from pimlab.constants import assumed
from pimlab.cost import price
from pimlab.machine.protocol import MacOp

DATA = Path(__file__).parents[2] / "datasets" / "reference" / "analog"


@pytest.mark.parametrize("enob", [4, 8, 12, 16])
def test_envelope_is_the_surveys_own(enob):
    assert adc_energy(enob, 1e8, "22 nm") == pytest.approx(
        0.267e-12 + 0.1446e-18 * 4**enob, rel=1e-6
    )


def test_envelope_stays_above_the_class_b_limit():
    for enob in (10, 16):
        floor = 8 * 1.380649e-23 * 300 * 10 ** ((6.02 * enob + 1.76) / 10)
        assert adc_energy(enob, 1e8, "22 nm") > floor


def test_regression_equals_hwcomponents():
    with open(DATA / "hwcomponents_adc_table.csv", newline="", encoding="utf-8") as stored:
        rows = [row for row in csv.DictReader(stored) if float(row["rate_Sps"]) <= 1e7]
    for row in rows:
        ours = adc_energy(
            float(row["enob_bits"]),
            float(row["rate_Sps"]),
            float(row["tech_nm"]) * 1e-9,
            "regression",
        )
        assert ours * 1e12 == pytest.approx(float(row["energy_pJ_per_convert"]), rel=2e-3)


def test_median_is_above_the_envelope_and_equals_the_bins():
    for enob in np.arange(4, 14, 0.5):
        assert adc_energy(enob, "100 MHz", "22 nm", "median") > adc_energy(enob, "100 MHz", "22 nm")
    assert adc_energy(8, 1e6, "22 nm", "median") == pytest.approx(14.63e-12)
    medians = [adc_energy(enob, 1e8, model="median") for enob in np.arange(1, 14, 0.25)]
    assert medians == sorted(medians)
    band = adc_price(8)
    assert (band.low, band.high) == (adc_energy(8), adc_energy(8, model="median"))
    assert band.sources == ("murmann2025",)


def test_adc_errors_teach():
    with pytest.raises(ValueError, match="did you mean 'median'"):
        adc_energy(8, 1e8, "22 nm", "medain")
    with pytest.raises(ValueError, match="ADC energy model .* is not known"):
        adc_energy(8, 1e8, "22 nm", np.array([]))
    with pytest.raises(ValueError, match="outside 1..20 bits"):
        adc_energy(0, 1e8, "22 nm")
    with pytest.raises(ValueError, match="node="):
        adc_energy(8, 1e8, 22.0)


def test_physics_by_hand():
    """256 cells of 10 uS at 0.2 V for 100 ns (5 MHz): 90.9 dB over thermal, 85.0 dB over shot noise; 1 fF samples 2.03 mV."""
    current = 256 * 10e-6 * 0.2
    assert snr(current, thermal_current(256 * 10e-6, "5 MHz")) == pytest.approx(90.9, abs=0.05)
    assert snr(current, shot_current(current, 5e6)) == pytest.approx(85.0, abs=0.05)
    assert sampled_voltage("1 fF") == pytest.approx(2.035e-3, rel=1e-3)
    assert sampling_energy(8, "1 V") == pytest.approx(12 * 1.380649e-23 * 300 * 4**8)


@pytest.mark.parametrize(
    ("tops", "efficiency", "nanoseconds", "watts"),
    [(63.1, 9.76, 132.9, 6.47), (16.1, 2.48, 521, 6.49)],
)
def test_hermes_operating_points(tops, efficiency, nanoseconds, watts):
    assert 64 * 256 * 256 * 2 / (tops * 1e12) * 1e9 == pytest.approx(nanoseconds, rel=1e-3)
    assert tops / efficiency == pytest.approx(watts, rel=1e-3)


def test_a_full_hermes_read_costs_what_the_chip_states():
    """At full use and mean conductance the parts and the remainder add up to 2 x 256 x 256 op / 2.48 TOPS/W within 5 %."""
    hermes = TARGETS["pcm-hermes"]()
    op = MacOp(name="mvm", m=1, k=256, n=256)
    rng = np.random.default_rng(0)
    programmed = hermes.program(rng.standard_normal((256, 256)).astype(np.float32))
    cells = programmed.integrals(rng.uniform(-1, 1, (50, 256)).astype(np.float32))["cell read"] / 50
    energy = price({**hermes.events(op), "cell read": cells}, hermes.prices)
    assert sum(energy.nominal.values()) == pytest.approx(2 * 256 * 256 / 2.48e12, rel=0.05)
    assert sum(energy.low.values()) < 2 * 256 * 256 / 2.48e12 < sum(energy.high.values())
    assert hermes.latency(op)["array read"] == pytest.approx(64 * 256 * 256 * 2 / 16.1e12, rel=1e-3)


def test_one_phase_reads_are_faster_and_cheaper():
    fast, slow = TARGETS["pcm-hermes-one-phase"](), TARGETS["pcm-hermes"]()
    op = MacOp(name="mvm", m=1, k=256, n=256)
    prices = [{k: c.value for k, c in one.costs.constants} for one in (fast, slow)]
    assert prices[0] == prices[1]
    assert 4 * fast.latency(op)["array read"] == pytest.approx(slow.latency(op)["array read"])
    assert fast.events(op)["column slot"] == slow.events(op)["column slot"] / 4 == 256 * 127


def test_a_macro_of_parts_prices_the_adc_by_its_bits():
    op = MacOp(name="fc", m=1, k=256, n=64)
    cost = {}
    for bits in (6, 8, 10):
        machine = Crossbar(dac=DAC(bits=8), adc=ADC(bits=bits))
        cost[bits] = price(machine.events(op), machine.prices)
        assert {"ADC", "DAC", "buffer", "network", "scaling"} <= set(cost[bits].nominal)
    assert cost[6].nominal["ADC"] < cost[8].nominal["ADC"] < cost[10].nominal["ADC"]
    assert (
        Crossbar(adc=ADC(bits=8, enob=6.0)).prices["ADC conversion"].constant.value
        == adc_price(6).value
    )


def test_pulse_widths_pay_for_time_and_amplitudes_for_power():
    w, x = np.ones((4, 3), np.float32), np.array([[1.0, 0.5, 0.5, 0.5]], np.float32)
    joules = {
        encoding: Crossbar(dac=DAC(bits=8, encoding=encoding)).program(w).integrals(x)["cell read"]
        for encoding in ("amplitude", "pulse width")
    }
    assert joules["pulse width"] / joules["amplitude"] == pytest.approx(
        (1 + 1.5) / (1 + 0.75), rel=0.02
    )


@pytest.mark.parametrize("encoding", ["amplitude", "pulse width"])
def test_bent_cells_burn_their_own_current(encoding):
    cell = device("reram-milo2021").but(programming=None)
    machine = Crossbar(
        cell=cell,
        dac=DAC(bits=8, encoding=encoding),
        costs=macro("generic-22nm").but(read_voltage="0.5 V"),
    )
    programmed = machine.program(np.array([[1.0, -0.5], [0.25, 0.75]], np.float32))
    codes = np.array([127, -64])
    joules = 0.0
    for _, bank in programmed.polarities[0]:
        for code, g in zip(codes, bank.programmed[0], strict=True):
            volts = 0.5 if encoding == "pulse width" else 0.5 * abs(code) / 127
            share = abs(code) / 127 if encoding == "pulse width" else 1.0
            joules += (
                volts
                * cell.current.current(g, np.array(volts)).sum()
                * share
                * machine.costs.integration_time
            )
    x = (codes[None] / 127).astype(np.float32)
    assert programmed.integrals(x)["cell read"] == pytest.approx(joules, rel=1e-6)


def test_writes_and_lifetime():
    pcm = device("pcm-joshi2020")
    assert programming_energy(pcm, 1000).value == pytest.approx(1000 * 20e-12)
    assert lifetime(pcm, "1 s").value == pytest.approx(1e9)
    with pytest.raises(ValueError, match="above 0 s"):
        lifetime(pcm, 0)
    with pytest.raises(KeyError, match="endurance"):
        lifetime(device("reram-milo2021"), "1 day")


def test_a_users_own_price():
    mine = assumed("my ADC", 0.5e-12, "J", "measured on my own chip")
    machine = Crossbar(
        adc=ADC(bits=8), costs=macro("generic-22nm").with_price("ADC conversion", mine)
    )
    assert machine.prices["ADC conversion"].constant == mine
    with pytest.raises(KeyError, match="did you mean 'ADC conversion'"):
        machine.costs.with_price("ADC conversions", mine)


def test_area_of_an_array_by_hand():
    area = array_area("generic-22nm", 256, 256, columns_an_adc=8)
    assert area["ADC"].value == pytest.approx(32 * 1200e-12)
    assert area["cells"].value == pytest.approx(65536 * 4 * (22e-9) ** 2, rel=1e-6)


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_pulse_widths_take_time_and_energy_with_every_slot(bits):
    op = MacOp(name="layer", m=3, k=10, n=5)
    flat, wide = (
        Crossbar(dac=DAC(bits=bits, encoding=encoding)) for encoding in ("amplitude", "pulse width")
    )
    slots, window = 2 ** (bits - 1) - 1, flat.costs.integration_time
    more = 3 * window * (slots / 127 - 1)
    assert wide.latency(op)["array read"] - flat.latency(op)["array read"] == pytest.approx(more)
    w, full = np.ones((4, 3), np.float32), np.ones((1, 4), np.float32)
    joules = [machine.program(w).integrals(full)["cell read"] for machine in (flat, wide)]
    assert joules[1] / joules[0] == pytest.approx(slots / 127)
    timed = wide.but(dac=wide.dac.but(slot="2 ns"))
    assert timed.integration_time == pytest.approx(slots * 2e-9)
    with pytest.raises(ValueError, match="slot=2e-09 s is of encoding='pulse width'"):
        DAC(bits=8, slot="2 ns")


def test_wires_settle_before_they_are_read():
    op = MacOp(name="layer", m=2, k=10, n=5)
    wires = Wires(r_in="2 ohm", r_out="1 ohm", rs_in="100 ohm", rs_out="50 ohm")
    plain = Crossbar(rows=64, cols=32, wires=wires, adc=ADC(bits=7))
    slow = plain.but(wires=wires.but(c="0.4 fF"))
    tau = 0.4e-15 * (2 * 32**2 / 2 + 100 * 32 + 1 * 64**2 / 2 + 50 * 64)
    expected = plain.latency(op)["array read"] + 2 * 8 * np.log(2) * tau
    assert slow.latency(op)["array read"] == pytest.approx(expected, rel=1e-12)
    gated = wires.but(topology="B", c="0.4 fF")
    assert gated.settling(64, 999, 7) == gated.settling(64, 1, 7) > 0
