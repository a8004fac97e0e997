"""Are node voltages those of Kirchhoff's laws?"""

import numpy as np
import pytest

from pimlab.analog import Wires, node_voltages


def test_one_cell_divides_the_voltage():
    """1 V over 10 ohm of line, a cell of 100 ohm and 40 ohm of line."""
    nodes = node_voltages(np.array([[0.01]]), np.array([1.0]), Wires(r_in=10, r_out=40))
    current = 1 / (10 + 100 + 40)
    assert nodes.w[0, 0, 0, 0] == pytest.approx(1 - 10 * current)
    assert nodes.b[0, 0, 0] == pytest.approx(40 * current)
    assert nodes.drop[0, 0, 0, 0] == pytest.approx(100 * current)


@pytest.mark.parametrize("topology", ["A", "B"])
def test_what_leaves_the_input_lines_arrives_on_the_columns(topology):
    """Current through the cells of a column is that through its last segment of wire."""
    rng, ohms = np.random.default_rng(5), 3.0
    g, v = rng.uniform(1e-5, 1e-3, (4, 3)), np.array([1.0, 0.0, 1.0, 1.0])
    nodes = node_voltages(g, v, Wires(r_in=2.0, r_out=ohms, topology=topology))
    closed = np.ones(4) if topology == "A" else v
    cells = (nodes.drop[0, 0] * g * closed[:, None]).sum(axis=0)
    assert nodes.b[0, -1] / ohms == pytest.approx(cells, rel=1e-9)
