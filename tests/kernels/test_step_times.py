"""Are tables linear between their points, and beyond them?"""

import numpy as np
import pytest

from pimlab.kernels.step_times import COLUMNS, across, along


def test_lines_go_on_beyond_their_ends():
    grid, table = np.array([1.0, 3.0]), np.outer([10.0, 30.0], np.ones(COLUMNS))
    out = np.empty(COLUMNS)
    for x in (0.0, 1.0, 2.5, 3.0, 7.0):
        along(grid, table, x, out)
        assert out == pytest.approx(10 * x)


def test_planes_are_met_and_products_are_bilinear():
    rows, columns = np.array([1.0, 2.0, 8.0]), np.array([0.0, 4.0])
    table = np.einsum("i,j,c->ijc", rows, columns, np.arange(1.0, COLUMNS + 1))
    out = np.empty(COLUMNS)
    across(rows, columns, table, 5.0, 3.0, out)
    assert out == pytest.approx(15 * np.arange(1, COLUMNS + 1))
