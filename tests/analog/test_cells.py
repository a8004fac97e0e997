"""Cells computed some rows at a time are the cells computed at once, and what is held of them is small."""

import tracemalloc

import numba
import numpy as np
import pytest

import pimlab as pim
from pimlab.analog import DAC, Crossbar, Slices, Wires, cells, device
from pimlab.analog.devices import Device, PowerLawDrift
from pimlab.analog.devices.curves import Polynomial

YEAR = 31557600.0
W, X = (
    np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    for seed, shape in ((0, (90, 21)), (1, (7, 90)))
)
BITS = DAC(bits=5, encoding="bit serial")
MACHINES = {
    "pcm": Crossbar(rows=40, cell=device("pcm-joshi2020"), devices=2),
    "slices": Crossbar(
        rows=40,
        cell=device("reram-wan2022"),
        dac=BITS,
        coding="offset column",
        slices=Slices(bits=6, per_cell=2),
        scaling="tile",
    ),
    "telegraph": Crossbar(
        cell=device("gaussian").but(
            read_noise=pim.analog.devices.TelegraphNoise(depth=0.3, share=0.2)
        )
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_rows_at_a_time_do_not_matter(monkeypatch, name):
    answers = []
    for chunk in (1, 200, 10**6):
        monkeypatch.setattr(cells, "_CHUNK", chunk)
        answers.append(MACHINES[name].program(W, 3).matmul(X, 5, at=YEAR))
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], rtol=2e-6, atol=1e-6)


def test_threads_do_not_matter():
    before, answers = numba.get_num_threads(), []
    for threads in (1, min(2, before)):
        numba.set_num_threads(threads)
        answers.append(MACHINES["pcm"].program(W, 3).matmul(X, 5, at=YEAR))
    numba.set_num_threads(before)
    np.testing.assert_array_equal(*answers)


class _Wild(Device):
    """Draws for a whole array from a generator of its own."""

    def program(self, g_target, key=0):
        rng = np.random.default_rng(int(pim.keys.as_key(key).words[0]))
        return np.clip(g_target * (1 + 0.1 * rng.standard_normal(g_target.shape)), 0, self.g_max)


def test_a_users_own_cell_is_programmed_at_once(monkeypatch):
    monkeypatch.setattr(cells, "_CHUNK", 21)
    machine = Crossbar(rows=30, cell=_Wild(name="wild", g_min="1 uS", g_max="9 uS"))
    programmed = machine.program(W, 3)
    plus, minus = (bank.programmed[0] for _, bank in programmed.polarities[0])
    span = (machine.cell.g_max - machine.cell.g_min) / programmed.written.scale
    np.testing.assert_allclose(programmed.matmul(X, 0), X @ ((plus - minus) / span), rtol=1e-4)


def test_what_is_held_of_a_weight():
    machine = pim.target("pcm-hermes")
    w, x = np.tile(W, (5, 12)), np.tile(X, (1, 5))
    machine.program(w, 0).matmul(x, 0)
    tracemalloc.start()
    programmed = machine.program(w, 0)
    programmed.matmul(x[:1], 0)
    programmed.matmul(x, 0)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 24 * w.size


def test_weights_may_change_after_they_are_programmed():
    w = W.copy()
    programmed = MACHINES["pcm"].program(w, 3)
    w[:] = 0
    expected = MACHINES["pcm"].program(W, 3).matmul(X, 5)
    np.testing.assert_array_equal(programmed.matmul(X, 5), expected)


@pytest.mark.parametrize("wires", [None, Wires(r_in=1.0, r_out=1.0, topology="C")])
def test_energy_of_a_read_follows_drift(wires):
    cell = device("gaussian").but(
        read_noise=None,
        drift=PowerLawDrift(time="1 s", mean=Polynomial(coefficients=(0.05,)), g_reference=1e-5),
    )
    programmed = Crossbar(cell=cell, wires=wires, dac=DAC(bits=8)).program(W, 0)
    now, later = (programmed.integrals(X, at)["cell read"] for at in (0.0, "10 years"))
    assert later / now == pytest.approx((1 + 10 * YEAR) ** -0.05, rel=2e-3)


def test_energy_of_an_answer_is_that_of_its_last_time():
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=20)
    machine = pim.target("pcm-hermes")
    old = pim.run(model, machine, data, at="10 years")
    both = pim.run(model, machine, data, at=["0 s", "10 years"])
    np.testing.assert_allclose(both.energy, old.energy, rtol=1e-12)
    new = pim.run(model, machine, data)
    assert float(old.energy.sum()) < float(new.energy.sum())
