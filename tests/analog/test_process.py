"""Noise from read to read: averages, correlations and times, against the spectrum that 1/f noise has."""

import numpy as np
import pytest
from scipy.special import sici

from pimlab.analog import Crossbar, device
from pimlab.analog.process import FOREVER, History, spectrum
from pimlab.keys import Key

YEAR, READ = 31557600.0, 250e-9
PCM = device("pcm-joshi2020").but(programming=None, drift=None)


def _covariance(lag, age, read_time):
    """Exact, relative to the variance: [Ci(2 pi f2 tau) - Ci(2 pi f1 tau)] / ln(f2 / f1)."""
    low, high = 1 / (age + read_time), 1 / (2 * read_time)
    difference = sici(2 * np.pi * high * lag)[1] - sici(2 * np.pi * low * lag)[1]
    return difference / np.log(high / low)


def _kept(age, interval, reads):
    """Standard deviation of a mean of reads over that of one, by the spectrum."""
    lags = np.arange(1, reads)
    pairs = 2 * (reads - lags) * _covariance(lags * interval, age, READ)
    return np.sqrt((reads + pairs.sum()) / reads**2)


@pytest.mark.parametrize("age", [20.0, YEAR])
def test_parts_have_the_covariance_of_the_spectrum(age):
    parts = spectrum(age, READ, 5e-7)
    assert sum(share for _, share in parts) <= 1
    for reads, bound in ((1, 0.07), (16, 0.06), (64, 0.01), (1000, 0.01), (10**6, 0.01)):
        shared = sum(share * max(0, 1 - reads / hold) for hold, share in parts)
        assert shared == pytest.approx(_covariance(reads * 5e-7, age, READ), abs=bound)


def test_reads_share_what_the_parts_say():
    parts = spectrum(YEAR, READ, 5e-7)
    for lag in (1, 40, 300):
        shared = []
        for seed in range(300):
            history = History(parts, Key(seed=seed), 10**13)
            same = history.segments(0) == history.segments(lag)
            shared.append(sum(share for (_, share), one in zip(parts, same, strict=True) if one))
        expected = sum(share * max(0, 1 - lag / hold) for hold, share in parts)
        assert np.mean(shared) == pytest.approx(expected, abs=0.02)


def test_a_block_sees_one_draw_of_every_part():
    history, row = History(spectrum(YEAR, READ, 5e-7), Key(seed=3), 10**13), 0
    for _ in range(20):
        following = history.until(row)
        assert 0 < following - row <= 64
        assert (history.segments(row) == history.segments(following - 1)).all()
        assert (history.segments(row) != history.segments(following)).any()
        row = following


def _reads(cell, seeds, reads, at=YEAR):
    """float64 (seeds * 32, reads): reads of one input, apart from their mean over everything."""
    machine = Crossbar(cell=cell, scaling="layer", interval=5e-7)
    rng = np.random.default_rng(0)
    w = rng.uniform(0.3, 1, (64, 32)).astype(np.float32)
    x = np.repeat(rng.uniform(0.3, 1, (1, 64)).astype(np.float32), reads, axis=0)
    programmed = machine.program(w, 1)
    exact = Crossbar(cell=cell.but(read_noise=None), scaling="layer").program(w, 1).matmul(x[:1])
    return np.concatenate(
        [(programmed.matmul(x, seed, at) - exact).T for seed in range(seeds)]
    ).astype(float)


def test_the_mean_of_a_thousand_reads_keeps_what_the_spectrum_says():
    """A year on: 0.87 of one read's spread is left (white noise: 0.03)."""
    noise = _reads(PCM, 30, 1000)
    assert noise.mean(axis=1).std() / noise.std() == pytest.approx(
        _kept(YEAR + 20, 5e-7, 1000), abs=0.03
    )


def test_white_and_frozen_noise_are_choices():
    white, frozen = (
        _reads(PCM.but(read_noise=PCM.read_noise.but(process=name)), 8, 400)
        for name in ("white", "frozen")
    )
    assert white.mean(axis=1).std() / white.std() == pytest.approx(0.05, abs=0.01)
    assert (frozen == frozen[:, :1]).all()
    spread = _reads(PCM, 8, 400).std()
    assert white.std() == pytest.approx(spread, rel=0.08)
    assert frozen.std() == pytest.approx(spread, rel=0.15)
    with pytest.raises(ValueError, match="did you mean 'white'"):
        PCM.read_noise.but(process="whit")


@pytest.mark.parametrize("process", ["spectrum", "frozen", "white"])
def test_one_key_at_two_times_is_not_one_draw(process):
    cell = PCM.but(read_noise=PCM.read_noise.but(process=process))
    now, later = (_reads(cell, 30, 1, at).ravel() for at in (YEAR, 2 * YEAR))
    assert abs(np.corrcoef(now, later)[0, 1]) < 0.2
    g = np.full((100, 100), 10e-6)
    one, two = (cell.read(g, at, 5) - 10e-6 for at in (YEAR, 2 * YEAR))
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.2


def test_a_moment_later_most_noise_is_the_same():
    now, later = (_reads(PCM, 30, 1, at).ravel() for at in (YEAR, YEAR + 5e-4))
    expected = float(_covariance(5e-4, YEAR, READ))
    assert np.corrcoef(now, later)[0, 1] == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("adc", [None, 8])
def test_chunks_see_the_same_history(adc):
    from pimlab.analog import ADC

    machine = Crossbar(cell=PCM, adc=None if adc is None else ADC(bits=adc))
    rng = np.random.default_rng(1)
    w, x = (rng.standard_normal(shape).astype(np.float32) for shape in ((300, 21), (150, 300)))
    programmed = machine.program(w, 1)
    whole = programmed.matmul(x, Key(seed=2).rows(1000), "1 year")
    parts = [
        programmed.matmul(x[a:b], Key(seed=2).rows(1000 + a), "1 year")
        for a, b in ((0, 1), (1, 70), (70, 150))
    ]
    assert np.array_equal(np.vstack(parts), whole)


def test_noise_before_anything_has_accumulated_is_white():
    assert spectrum(0.0, READ, 5e-7) == ()
    assert History((), Key(seed=0), 5).until(3) >= FOREVER
    assert History((), Key(seed=0), 5).white == 1


@pytest.mark.parametrize("process", ["spectrum", "frozen"])
@pytest.mark.parametrize("at", [0.0, YEAR])
def test_reads_one_by_one_are_those_of_a_batch(process, at):
    """Short-lived noise is kept where reads come one by one, and drawn in passing in a batch."""
    cell = PCM.but(read_noise=PCM.read_noise.but(process=process))
    rng = np.random.default_rng(4)
    w, x = (rng.standard_normal(shape).astype(np.float32) for shape in ((40, 20), (150, 40)))
    programmed, key = Crossbar(rows=24, cell=cell).program(w, 0), Key(seed=2)
    single = [programmed.matmul(x[i : i + 1], key.rows(i), at=at) for i in range(len(x))]
    np.testing.assert_array_equal(np.concatenate(single), programmed.matmul(x, key, at=at))


def test_a_long_walk_of_single_reads_draws_what_lasts_once_a_hold(monkeypatch):
    from pimlab.kernels import crossbar

    drawn, plain = [], crossbar.disturbed
    monkeypatch.setattr(crossbar, "disturbed", lambda *a: drawn.append(len(a[5])) or plain(*a))
    programmed, x = Crossbar(cell=PCM).program(np.eye(8, dtype=np.float32)), np.ones((1, 8))
    for row in range(200):
        programmed.matmul(x.astype(np.float32), Key(seed=2).rows(row), at=YEAR)
    assert len(drawn) <= 6
