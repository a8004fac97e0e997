"""Does a step depend on the state as the law says, and do many cells end where aihwkit's do?

Means and standard deviations are those of aihwkit's own C++ devices (commit 4545f11), 400,000
cells that start at 0: dw_min 0.02, range -1..0.6.
"""

import numpy as np
import pytest

from pimlab import catalogue
from pimlab.analog.learning import PiecewiseStep, PowerStep, UpdateDevice, tile
from pimlab.analog.learning.devices import build
from pimlab.catalogue.entries import parse
from pimlab.keys import Key

KEY = Key(seed=4)
CELL = UpdateDevice(name="cell", dw_min=0.02, w_min=-1.0, w_max=0.6)
MEASURED = PiecewiseStep(up=(1.5, 1.0, 0.8, 0.2), down=(0.1, 0.4, 1.2, 1.4))
STATISTICS = {  # law and cell: pulses up, mean, deviation; pulses down after them, mean, deviation
    "power": (
        CELL.but(step=PowerStep(gamma=1.5)),
        (60, 0.203948, 0.0),
        (40, -0.189086, 0.0),
    ),
    "power, less downwards": (
        CELL.but(step=PowerStep(gamma=1.5, gamma_up_down=0.2)),
        (60, 0.203948, 0.0),
        (40, -0.235625, 0.0),
    ),
    "power, cells that differ": (
        CELL.but(
            step=PowerStep(
                gamma=1.5, gamma_spread=0.1, gamma_up_down=0.2, gamma_up_down_spread=0.05
            )
        ),
        (60, 0.206283, 0.030456),
        (40, -0.235503, 0.023116),
    ),
    "power, noisy pulses": (
        CELL.but(step=PowerStep(gamma=0.7, gamma_spread=0.2), cycle=0.5, w_max_spread=0.1),
        (60, 0.424067, 0.065539),
        (40, -0.190428, 0.054227),
    ),
    "piecewise": (
        CELL.but(step=MEASURED),
        (30, 0.383462, 0.0),
        (50, -0.477776, 0.0),
    ),
    "piecewise, noisy pulses": (
        CELL.but(step=MEASURED, cycle=0.5, w_max_spread=0.1, up_down=0.1),
        (30, 0.382424, 0.032822),
        (50, -0.435173, 0.040231),
    ),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_many_cells_end_where_aihwkit_s_do(name):
    device, *sides = STATISTICS[name]
    one = tile(device, (100, 100), KEY)
    for sign, (pulses, mean, deviation) in zip((1, -1), sides, strict=True):
        one.pulse(np.full((100, 100), sign * pulses, np.int32))
        error = 3 * deviation * np.sqrt(1 / 1e4 + 1 / 4e5) + 2e-5
        assert one.state.mean(dtype=float) == pytest.approx(mean, abs=error)
        assert one.state.std(dtype=float) == pytest.approx(deviation, rel=0.04, abs=1e-5)


def test_a_power_of_1_is_soft_bounds():
    """1 - w / w_max of a range -1..1 moves by twice dw (w_max - w) / (w_max - w_min)."""
    device = CELL.but(w_min=-1.0, w_max=1.0, step=PowerStep())
    one = tile(device, (1, 2), KEY)
    one.pulse(np.array([[50, -20]], np.int32))
    assert one.weights[0] == pytest.approx([1 - 0.99**50, -1 + 0.99**20], rel=1e-4)


def test_granularity_is_the_mean_step_at_zero():
    for device in (CELL.but(step=PowerStep(gamma=2.0, gamma_up_down=0.1)), CELL.but(step=MEASURED)):
        steps = []
        for sign in (1, -1):
            one = tile(device, (1, 1), KEY)
            one.pulse(np.full((1, 1), sign, np.int32))
            steps.append(abs(float(one.state[0, 0])))
        assert device.granularity == pytest.approx(np.mean(steps), rel=1e-4)


def test_the_symmetry_point_of_nodes_is_where_their_lines_cross():
    """Up falls from 1.0 to 0.8 and down rises from 0.4 to 1.2 between the second and third node."""
    cross = -1 + 1.6 * (1 + 0.6) / 3
    assert tile(CELL.but(step=MEASURED), (1, 1), KEY).symmetry_point() == pytest.approx(
        cross, abs=1e-5
    )


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"up": (1.0,), "down": (1.0,)}, ValueError, "two sizes or more"),
        ({"up": (1.0, 2.0), "down": (1.0, 2.0, 3.0)}, ValueError, "as many of each"),
        ({"up": (1.0, -2.0), "down": (1.0, 2.0)}, ValueError, "finite, 0 or above"),
        ({"up": 3, "down": (1.0, 2.0)}, TypeError, "is no row of numbers"),
        ({"up": "12", "down": (1.0, 2.0)}, TypeError, "is no row of numbers"),
    ],
)
def test_wrong_nodes_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        PiecewiseStep(**given)


def _entry(text):
    fact = 'where = "test"\nstatus = "assumed"\nreason = "test"\n'
    return parse("mine", text.replace(";", "\n" + fact))


def test_files_describe_powers_and_nodes():
    cell = "[dw_min]\nvalue = 0.02;[w_min]\nvalue = -1.0;[w_max]\nvalue = 0.6;"
    power = build("mine", _entry(f'model = "power"\n{cell}[gamma]\nvalue = 1.5;'))
    assert power.step == PowerStep(gamma=1.5)
    nodes = "".join(
        f"[{way}.{i}]\nvalue = {1 + i / 2};" for way in ("up", "down") for i in range(3)
    )
    piecewise = build("mine", _entry(f'model = "piecewise"\n{cell}{nodes}'))
    assert piecewise.step == PiecewiseStep(up=(1.0, 1.5, 2.0), down=(1.0, 1.5, 2.0))
    with pytest.raises(ValueError, match="model 'powr' is not known; did you mean 'power'"):
        build("mine", _entry(f'model = "powr"\n{cell}'))
    with pytest.raises(catalogue.CatalogueError, match=r"has no \[up\]"):
        build("mine", _entry(f'model = "piecewise"\n{cell}'))
