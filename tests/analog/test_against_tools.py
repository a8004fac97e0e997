"""The same answers as aihwkit and CrossSim, where they are right."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, device

DATA = Path(__file__).parents[2] / "datasets" / "reference" / "analog"


@pytest.fixture(scope="module")
def aihwkit():
    with np.load(DATA / "aihwkit_pcm_stats.npz") as stored:
        return dict(stored)


def test_aihwkit_tile_bit_for_bit():
    with np.load(DATA / "aihwkit_mvm_8b_ABS_MAX.npz") as tile:
        machine = Crossbar(
            rows=96, dac=DAC(bits=8), adc=ADC(bits=8, range="fixed", margin=8.0), scaling="layer"
        )
        assert np.array_equal(machine.program(tile["W"].T).matmul(tile["X"]), tile["Y"])


def test_aihwkit_programming_moments(aihwkit):
    pcm = device("pcm-joshi2020")
    g = aihwkit["g_target_uS"] * 1e-6
    assert pcm.programming.spread(g) == pytest.approx(
        aihwkit["sigma_prog_formula"] * 1e-6, rel=1e-9
    )
    sample = pcm.program(np.tile(g, (100_000, 1)), 1) * 1e6
    error = aihwkit["sigma_prog_formula"] * np.sqrt(1 / 100_000 + 1 / 200_000)
    assert np.all(np.abs(sample.mean(axis=0) - aihwkit["prog_mean"]) < 4 * error)
    assert np.all(np.abs(sample.std(axis=0) - aihwkit["prog_std"]) < 4 * error)


def test_aihwkit_drift_exponents(aihwkit):
    pcm = device("pcm-joshi2020")
    g = np.tile(aihwkit["g_target_uS"] * 1e-6, (50_000, 1))
    from pimlab.keys import Key

    nu = pcm.drift.exponent(g, Key(seed=2))
    error = aihwkit["nu_std"] * np.sqrt(1 / 50_000 + 1 / 200_000)
    assert np.all(np.abs(nu.mean(axis=0) - aihwkit["nu_mean"]) < 4 * error)
    assert np.all(np.abs(nu.std(axis=0) - aihwkit["nu_std"]) < 4 * error)


def test_aihwkit_conductance_after_a_year(aihwkit):
    """aihwkit scales 1/f noise with the programmed conductance, the paper with the target: alike where the cell is well above zero."""
    pcm = device("pcm-joshi2020")
    g = np.tile(aihwkit["g_target_uS"] * 1e-6, (20_000, 1))
    programmed = pcm.program(g, 1)
    for row, seconds in enumerate(aihwkit["t_inference_s"]):
        now = pcm.drifted(programmed, float(seconds), 2, target=g)
        spread = pcm.read_noise.spread(now, float(seconds), programmed)
        seen = (
            np.maximum(now + spread * np.random.default_rng(row).standard_normal(g.shape), 0) * 1e6
        )
        mean, std = aihwkit["g_final_mean"][row], aihwkit["g_final_std"][row]
        error = std * np.sqrt(1 / 20_000 + 1 / 200_000)
        assert np.all(np.abs(seen.mean(axis=0) - mean) < 4.5 * error)
        assert np.all(np.abs(seen.std(axis=0) - std) < 6 * error)


FITS = {
    "PCM Nandakumar": "pcm-joshi2020",
    "PCM HERMES 1 dev": "pcm-hermes",
    "PCM HERMES 2 dev": "pcm-hermes-pair",
}


@pytest.mark.parametrize("prefix", FITS)
def test_programming_spread_table(prefix):
    with open(DATA / "device_sigma_table.csv", newline="", encoding="utf-8") as stored:
        rows = {row[0]: [float(v) for v in row[1:]] for row in list(csv.reader(stored))[1:]}
    row = next(values for name, values in rows.items() if name.startswith(prefix))
    cell = device(FITS[prefix])
    g = np.array([0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0]) * cell.g_max
    assert cell.programming.spread(g) / cell.g_max == pytest.approx(row, abs=6e-6)
