"""Unequal elements in ADCs: against searches one by one, the spreads of the textbook, time and energy by circuit."""

import numpy as np
import pytest

from pimlab.analog import ADC, ConverterParts, Crossbar, linearity, macro
from pimlab.analog import converter_circuits as circuits
from pimlab.analog.converter_errors import converter_errors
from pimlab.keys import Key
from pimlab.machine.protocol import MacOp

KEY = Key(seed=11)
KINDS = ("sar", "flash", "ramp", "pipeline", "cyclic", "cco")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("codes", ["symmetric", "twos complement", "unsigned"])
def test_equal_elements_give_even_codes(kind, codes):
    adc = ADC(bits=5, kind=kind, codes=codes, mismatch=1e-9)
    ideal = np.arange(adc.high - adc.low) + adc.low + 0.5
    np.testing.assert_allclose(circuits.circuit_edges(adc, KEY, 2), [ideal, ideal], atol=1e-6)


def _by_capacitors(value, weights):
    """Code of `value` [codes], bit by bit, largest capacitor first."""
    held, code = 0.0, 0
    for weight in weights:
        bit = value >= held + weight
        held, code = held + bit * weight, 2 * code + bit
    return code


def _by_residues(value, gains, bits):
    """Code of `value` (-1..1): each stage decides a sign and hands on its residue."""
    residue, code = value, 0
    for gain in gains[:bits]:
        bit = residue >= 0
        residue, code = gain * (2 * residue - (1 if bit else -1)), 2 * code + bit
    return code


def test_edges_of_a_search_by_capacitors():
    """Large mismatch, so that codes are missing: every value finds the code of its edges."""
    adc = ADC(bits=4, codes="unsigned", mismatch=0.4)
    values = np.linspace(-0.4, 15.4, 317)
    for seed in range(6):
        key = Key(seed=seed)
        edges = circuits.circuit_edges(adc, key, 1)[0]
        _, weights = circuits._capacitors(0.4, 1, 4, key)
        # circuit edges count from the middle of code 0
        one_by_one = [_by_capacitors(v + 0.5, weights[0]) for v in values]
        np.testing.assert_array_equal(np.searchsorted(edges, values, side="right"), one_by_one)


@pytest.mark.parametrize("kind", ["pipeline", "cyclic"])
def test_edges_of_a_search_by_residues(kind):
    adc = ADC(bits=4, codes="unsigned", kind=kind, mismatch=0.2)
    values = np.linspace(-0.4, 15.4, 317)
    for seed in range(6):
        key = Key(seed=seed)
        edges = circuits.circuit_edges(adc, key, 1)[0]
        start, weights = circuits._stages(0.2, 1, 4, key, kind == "cyclic")
        gains = np.append(weights[0, :-1] / weights[0, 1:] / 2, 1.0)
        one_by_one = [_by_residues((v + 0.5 - start[0, 0]) / 8, gains, 4) for v in values]
        np.testing.assert_array_equal(np.searchsorted(edges, values, side="right"), one_by_one)


@pytest.mark.parametrize("kind", ["flash", "sar"])
def test_inl_is_a_bridge(kind):
    """s sqrt(N) / 2 in the middle; a ladder's is s sqrt(m (N - m) / N) anywhere."""
    adc, count = ADC(bits=8, kind=kind, codes="unsigned", mismatch=0.01), 3000
    moved = circuits.circuit_edges(adc, KEY, count) - (np.arange(255) + 0.5)
    error = 4 / (2 * count) ** 0.5
    assert moved[:, 127].std() == pytest.approx(0.01 * 256**0.5 / 2, rel=error)
    assert abs(moved[:, 127].mean()) < 4 * 0.08 / count**0.5
    if kind == "flash":
        assert moved[:, 39].std() == pytest.approx(0.01 * (40 * 216 / 256) ** 0.5, rel=error)


def test_dnl_by_circuit():
    count, s = 3000, 0.01
    error = 4 / (2 * count) ** 0.5
    flash, _ = linearity(ADC(bits=8, kind="flash", codes="unsigned", mismatch=s), 3, count)
    assert flash[:, 100].std() == pytest.approx(s, rel=error)
    sar, _ = linearity(ADC(bits=8, codes="unsigned", mismatch=s), 3, count)
    # width of the code below the middle, edges 126 to 127: the largest capacitor less all others
    assert sar[:, 126].std() == pytest.approx(s * 255**0.5, rel=2 * error)
    stages = ADC(bits=8, kind="pipeline", codes="unsigned", mismatch=1e-3)
    wide = circuits.circuit_edges(stages, KEY, count)
    first = np.diff(wide, axis=1)[:, 127] - 1  # above the middle: N / 4 of the first stage's error
    # with the smaller ones of all later stages: (N / 4)^2 (1 + 1/4 + ...), cut where codes vanish
    assert first.std() == pytest.approx(1e-3 * 64 * (4 / 3) ** 0.5, rel=0.1)


def test_one_ramp_serves_all_columns_and_an_oscillator_has_a_gain():
    ramp = circuits.circuit_edges(ADC(bits=6, kind="ramp", mismatch=0.1), KEY, 3)
    np.testing.assert_array_equal(ramp, ramp[[0, 0, 0]])
    cco = ADC(bits=6, kind="cco", codes="unsigned", mismatch=0.1)
    place = circuits.circuit_edges(cco, KEY, 2000) + 0.5
    gain = place[:, :1]
    np.testing.assert_allclose(place, gain * np.arange(1, 64))
    assert (1 / gain).std() == pytest.approx(0.1, rel=4 / 4000**0.5)
    _, inl = linearity(cco, 1, 5)
    assert np.abs(inl).max() < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_edges_never_fall_and_reads_see_them(kind):
    adc = ADC(bits=5, kind=kind, mismatch=0.3)
    edges = converter_errors(adc, KEY, 40).thresholds
    assert (np.diff(edges, axis=1) >= 0).all()
    rng = np.random.default_rng(1)
    w, x = rng.standard_normal((30, 6)).astype(np.float32), rng.random((8, 30), np.float32)
    even = Crossbar(adc=adc.but(mismatch=0.0)).program(w).matmul(x)
    assert (Crossbar(adc=adc).program(w).matmul(x) != even).any()
    assert Crossbar(adc=adc).causes == ("adc",)


def test_time_and_work_by_hand():
    clock = "1 GHz"
    times = {kind: ADC(bits=6, kind=kind, clock=clock, columns=4).conversion_time for kind in KINDS}
    cycles = {"sar": 24, "flash": 4, "ramp": 256, "pipeline": 9, "cyclic": 24, "cco": 256}
    assert times == pytest.approx({kind: n * 1e-9 for kind, n in cycles.items()})
    assert ADC(bits=6, kind="flash").work == {"comparison": 63}
    assert ADC(bits=6, kind="cyclic").work == {"comparison": 6, "residue": 5}
    assert ADC(bits=6, kind="cco").work == {"count": 32}


def test_a_conversion_costs_what_its_parts_do():
    parts = ConverterParts(comparison="10 fJ", residue="2 fJ")
    machine = Crossbar(rows=64, cols=16, adc=ADC(bits=6, parts=parts))
    price = machine.prices["ADC conversion"].constant
    assert (price.value, price.status) == (pytest.approx(72e-15), "assumed")
    op = MacOp(name="x", m=2, k=64, n=16)
    assert machine.events(op)["ADC conversion"] == 32
    with pytest.raises(ValueError, match="parts=None"):
        machine.but(costs=macro("jia2020"))
    with pytest.raises(ValueError, match="allowed: up to 65536"):
        ADC(bits=18, mismatch=0.1)
    with pytest.raises(ValueError, match="mismatch=-0.1"):
        ADC(bits=8, mismatch=-0.1)
