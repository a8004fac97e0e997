"""Is a weight the sum of its cells, and does an update move those whose turn it is, by what was
asked for?
"""

import numpy as np
import pytest

from pimlab.analog.learning import (
    SGD,
    LinearStep,
    MixedPrecision,
    PowerStep,
    TikiTakaV2,
    UnitCell,
    UpdateDevice,
    reference_cell,
    tile,
    update_device,
)
from pimlab.keys import Key

KEY = Key(seed=6)
PLAIN = UpdateDevice(name="plain", dw_min=0.02, w_min=-1.0, w_max=0.6, cycle=0.3)
SQUARE = PLAIN.but(name="square", cycle=0.0, step=PowerStep(gamma=1.0))
FINE = UpdateDevice(name="fine", dw_min=1e-4, w_min=-10.0, w_max=10.0)
SOFT = UpdateDevice(
    name="soft", dw_min=0.01, w_min=-1.0, w_max=0.5, step=LinearStep(gamma_up=1.0, gamma_down=1.0)
)


@pytest.mark.parametrize(
    ("pulses", "up", "down"),
    [
        ("all", (0.466762, 0.026805), (0.199782, 0.032857)),
        ("in turn", (0.235498, 0.018965), (0.102895, 0.023219)),
    ],
)
def test_many_cells_end_where_aihwkit_s_vector_cells_do(pulses, up, down):
    """Means and deviations of its C++ `VectorRPUDevice` (commit 4545f11), factors 1 and 0.5, after 20
    pulses up and 10 down.
    """
    cell = UnitCell(name="two", cells=(PLAIN, SQUARE), factors=(1.0, 0.5), pulses=pulses)
    one = tile(cell, (100, 100), KEY)
    for sign, count, (mean, deviation) in ((1, 20, up), (-1, 10, down)):
        for _ in range(count):
            one.pulse(np.full((100, 100), sign, np.int32))
        error = 3 * deviation * np.sqrt(1 / 1e4 + 1 / 4e5)
        assert one.weights.mean() == pytest.approx(mean, abs=error)
        assert one.weights.std() == pytest.approx(deviation, rel=0.03)
    assert (one.used == (30 if pulses == "in turn" else 60)).all()


@pytest.mark.parametrize("pulses", ["all", "in turn", "random", "first"])
def test_the_mean_change_is_the_outer_product(pulses):
    factors = (1.0, -0.5) if pulses == "first" else (1.0, 0.25)
    cell = UnitCell(name="two", cells=(FINE, FINE.but(dw_min=2e-4)), factors=factors, pulses=pulses)
    one = tile(cell, (3, 2), KEY)
    x, d = np.array([[0.5, -1.0, 0.0]], np.float32), np.array([[1.0, -0.25]], np.float32)
    for _ in range(400):
        one.update(x, d, 1e-3)
    wanted = -400 * 1e-3 * np.outer(x, d)
    assert one.weights == pytest.approx(wanted, abs=4 * np.sqrt(400 * 1e-3 * 2e-4))
    assert one.trains == 400


def test_writing_holds_the_weight_in_every_policy():
    w = np.array([[0.2, -0.3]], np.float32)
    for pulses in ("all", "in turn", "first"):
        one = tile(UnitCell(name="two", cells=(PLAIN, PLAIN), pulses=pulses), (1, 2), KEY)
        one.write(w)
        assert one.weights == pytest.approx(w, abs=1e-6)


def test_a_reference_cell_takes_the_symmetry_point_away():
    """Soft bounds balance at 0; downward steps that are smaller move the point upwards."""
    cell = reference_cell(SOFT.but(up_down=0.5))
    one = tile(cell, (2, 3), KEY)
    one.refer_to_symmetry_point()
    assert one.weights == pytest.approx(0, abs=1e-6)
    point = one.members[0].symmetry_point()
    assert np.abs(point).min() > 0.05
    assert one.members[1].weights == pytest.approx(point, abs=1e-6)
    before = one.weights.copy()
    for _ in range(50):
        one.pulse(np.ones((2, 3), np.int32))
        one.pulse(-np.ones((2, 3), np.int32))
    assert one.weights == pytest.approx(before, abs=0.01)
    assert (one.members[1].used == 0).all()
    assert one.symmetry_point() == pytest.approx(0, abs=1e-6)


def test_a_reference_that_cannot_reach_the_point_leaves_its_difference():
    narrow = SOFT.but(name="narrow", w_min=-0.05, w_max=0.05)
    one = tile(reference_cell(SOFT.but(up_down=0.5), narrow), (1, 1), KEY)
    one.refer_to_symmetry_point()
    point = float(one.members[0].symmetry_point()[0, 0])
    assert float(one.weights[0, 0]) == pytest.approx(point - np.sign(point) * 0.05, abs=1e-6)


@pytest.mark.parametrize("rule", [SGD, MixedPrecision])
def test_rules_learn_with_unit_cells(rule):
    """Four outputs of three inputs, 400 samples: the error falls to a fifth."""
    device = update_device("ecram-tang2018")
    rng = np.random.default_rng(1)
    goal = rng.uniform(-0.3, 0.3, (3, 4)).astype(np.float32)
    for cell in (reference_cell(device), UnitCell(name="two", cells=(device, device))):
        learner = rule(device=cell).learner(np.zeros((3, 4), np.float32), KEY)
        for _ in range(40):
            x = rng.normal(size=(20, 3)).astype(np.float32)
            learner.update(x, x @ (learner.weights - goal), 0.05)
        assert np.abs(learner.weights - goal).mean() < 0.2 * np.abs(goal).mean()
        assert learner.pulses > 0


def test_tiki_taka_stays_where_it_is_without_errors():
    """The reference cells hold the symmetry points of A, so rows of A read 0."""
    cell = reference_cell(SOFT.but(up_down=0.3))
    learner = TikiTakaV2(device=cell).learner(np.full((2, 3), 0.1, np.float32), KEY)
    learner.update(np.ones((40, 2)), np.zeros((40, 3)), 0.02)
    assert learner.weights == pytest.approx(0.1, abs=1e-6)
    assert learner.pulses == 0


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"cells": (PLAIN,)}, ValueError, "two devices or more"),
        ({"cells": PLAIN}, TypeError, "no row of UpdateDevices"),
        ({"cells": (PLAIN, 3)}, TypeError, "no row of UpdateDevices"),
        ({"factors": (1.0,)}, ValueError, "one each"),
        ({"factors": (1.0, 0.0)}, ValueError, "finite and not 0"),
        ({"factors": (1.0, -1.0)}, ValueError, "pulses do not move the weight"),
        (
            {"cells": (PLAIN, update_device("pcm-nandakumar2020"))},
            ValueError,
            "none of them one-sided",
        ),
        ({"pulses": "al"}, ValueError, "did you mean 'all'"),
    ],
)
def test_wrong_unit_cells_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        UnitCell(**{"name": "two", "cells": (PLAIN, PLAIN), **given})
