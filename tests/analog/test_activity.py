"""Charge of bit lines against hand sums."""

import numpy as np
import pytest

import pimlab as pim

W = np.float32([[1.0, -0.5], [0.25, 0.75], [0.0, -1.0]])


def test_charge_by_hand():
    """4-bit weights in offset coding: a code c stands for (c + 8) / 15 of a full cell; 4-bit inputs."""
    machine = pim.target("sinangil2021")
    programmed = machine.program(W)
    x = np.float32([[1.0, 0.2, 0.0], [0.0, 0.0, 0.0]])
    held = (np.rint(W / np.abs(W).max(axis=0) * 7) + 8) / 15
    expected = float((np.float64([1.0, 0.2, 0.0]) @ held).sum())
    found = programmed.integrals(x)
    assert found["discharge"] == pytest.approx(expected, rel=1e-6)
    assert found["active read"] == 1


def test_reads_of_several_arrays_are_active_one_by_one():
    machine = pim.target("sinangil2021")
    programmed = machine.program(np.ones((130, 17), np.float32))
    x = np.zeros((1, 130), np.float32)
    x[0, [0, 129]] = 1
    assert programmed.integrals(x)["active read"] == 2 * 2


def test_macros_without_such_prices_have_none():
    assert set(pim.target("neurram").program(W).integrals(np.ones((1, 3), np.float32))) == set()
    assert set(pim.target("isaac").program(W).integrals(np.ones((1, 3), np.float32))) == {
        "cell read"
    }
