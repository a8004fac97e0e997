"""Noise that outlasts a read is the same in all its steps: brute force with every cell drawn once a read, converters included."""

import numpy as np
import pytest
from scipy import stats

from pimlab.analog import ADC, DAC, Crossbar, Slices, Wires, device
from pimlab.analog.devices import Device, FlickerNoise, GaussianReadNoise, TelegraphNoise
from pimlab.keys import Key

READS = 4_000


class OnceARead(FlickerNoise):
    """1/f noise of published size that changes from read to read."""

    @property
    def lasts(self):
        return True

    def parts(self, age, interval):
        return ((1, 1.0),)


PCM = device("pcm-joshi2020").but(programming=None, drift=None)
PCM = PCM.but(
    read_noise=OnceARead(**{name: getattr(PCM.read_noise, name) for name in FlickerNoise.fields()})
)
TELEGRAPH = Device(
    name="telegraph",
    g_min=0,
    g_max=1e-5,
    read_noise=TelegraphNoise(depth=0.5, share=0.3, dwell=1e-12),
)
CUT = PCM.but(name="cut", read_noise=PCM.read_noise.but(read_time="1e-30 s"))
"""1/f noise so large that every cell is cut at zero often, and sums are skewed."""


def _operands(k, active, seed=0):
    rng = np.random.default_rng(seed)
    w, x = rng.standard_normal((k, 1)).astype(np.float32), np.zeros(k, np.float32)
    x[rng.choice(k, active, replace=False)] = rng.integers(-31, 32, active)
    x[0] = 31
    return w, x


def _brute(programmed, x):
    """READS reads with one draw a cell and read, each step converted as the machine does."""
    rng, reader = np.random.default_rng(3), programmed.readers.at(0.0)
    total = np.zeros(READS)
    for plane, banks in zip(reader.planes, programmed.polarities, strict=True):
        tile, cell = plane.tiles[0], programmed.machine.pair_cell
        unit = (cell.g_max - cell.g_min) / programmed.written.planes[0].digit
        drawn = []
        for sign, bank in banks:
            g = bank.programmed[0, :, :1]
            sigma = cell.read_noise.spread(g, 0.0, bank.target[:, :1])
            drawn.append(
                sign * cell.read_noise.seen(g, sigma, rng.standard_normal((len(x), READS))) / unit
            )
        for weight, codes in reader.dac.phases(x[None]):
            current = (codes @ sum(drawn))[0]
            if tile.lsb is not None:
                current = np.clip(np.rint(current / tile.lsb[0]), reader.adc.low, reader.adc.high)
            total += weight * plane.weight * current * tile.value[0]
    return total * 31 / reader.divisor * reader.scale[0]


@pytest.mark.parametrize(
    ("cell", "k", "active"),
    [(PCM, 60, 60), (PCM, 60, 2), (TELEGRAPH, 40, 40), (TELEGRAPH, 30, 4), (CUT, 150, 150)],
    ids=lambda v: getattr(v, "name", v),
)
@pytest.mark.parametrize("adc", [None, ADC(bits=7)], ids=["no ADC", "ADC"])
def test_steps_share_each_cells_draw(cell, k, active, adc):
    w, x = _operands(k, active)
    programmed = Crossbar(cell=cell, dac=DAC(bits=6, encoding="bit serial"), adc=adc).program(w, 1)
    ours, brute = (
        programmed.matmul(np.tile(x, (READS, 1)), 5)[:, 0].astype(float),
        _brute(programmed, x),
    )
    error = brute.std() / np.sqrt(READS)
    assert abs(ours.mean() - brute.mean()) < 5 * error + 1e-6
    assert ours.std() == pytest.approx(brute.std(), rel=0.06)
    grain = max(brute.std() / 50, 1e-5 * abs(brute.mean()))
    assert stats.ks_2samp(np.rint(ours / grain), np.rint(brute / grain)).statistic < 0.045


def test_slices_are_cells_of_their_own():
    w, x = _operands(50, 50)
    machine = Crossbar(
        cell=PCM,
        dac=DAC(bits=6, encoding="bit serial"),
        slices=Slices(bits=6, per_cell=2),
        scaling="layer",
    )
    programmed = machine.program(w, 1)
    assert programmed.matmul(np.tile(x, (READS, 1)), 5).std() == pytest.approx(
        _brute(programmed, x).std(), rel=0.05
    )


def test_fast_noise_is_drawn_in_every_step():
    """Bits 1, 2, 4 of a full input: a slow cell's noise counts 7 times, a fast one's sqrt(1 + 4 + 16) times."""
    fast = Device(
        name="fast", g_min=1e-6, g_max=1.1e-5, read_noise=GaussianReadNoise(absolute="1 nS")
    )
    x = np.full((READS, 1), 7, np.float32)
    w = np.ones((1, 1), np.float32)
    spread = (
        Crossbar(cell=fast, dac=DAC(bits=4, encoding="bit serial")).program(w).matmul(x, 1).std()
    )
    assert spread == pytest.approx(np.sqrt(2 * 21) * 1e-4, rel=0.04)
    once = Crossbar(cell=fast, dac=DAC(bits=4)).program(w).matmul(x, 1).std()
    assert once == pytest.approx(np.sqrt(2 * 49) * 1e-4, rel=0.04)


def test_chunks_do_not_matter():
    w, x = _operands(300, 300)
    machine = Crossbar(cell=PCM, dac=DAC(bits=6, encoding="bit serial"), adc=ADC(bits=7), rows=128)
    programmed, many = machine.program(np.tile(w, (1, 9)), 1), np.tile(x, (70, 1))
    whole = programmed.matmul(many, Key(seed=2).rows(40))
    parts = [programmed.matmul(many[a:b], Key(seed=2).rows(40 + a)) for a, b in ((0, 13), (13, 70))]
    assert np.array_equal(np.vstack(parts), whole)


@pytest.mark.parametrize("topology", ["A", "B", "D"])
def test_wires_leave_the_steps_their_common_noise(topology):
    """Wires of no resistance change nothing, and those that take a few percent of the current take as much of its noise."""
    w, x = _operands(12, 12)
    dac = DAC(bits=4, encoding="bit serial")
    many = np.tile(np.clip(x, -7, 7), (READS // 8, 1))
    plain, ideal, real = (
        Crossbar(cell=PCM, dac=dac, wires=wires).program(w, 1).matmul(many, 5)[:, 0]
        for wires in (
            None,
            Wires(r_in=0, r_out=0, topology=topology),
            Wires(r_in=50, r_out=50, topology=topology),
        )
    )
    assert ideal.std() == pytest.approx(plain.std(), rel=0.1)
    assert ideal.mean() == pytest.approx(plain.mean(), abs=6 * plain.std() / np.sqrt(len(many)))
    assert real.std() == pytest.approx(plain.std(), rel=0.12)
