"""What follows from the parts of an analog machine alone?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, Slices, Wires, device
from pimlab.machine.protocol import MacOp, VectorOp

OP = MacOp(name="fc", m=1, k=300, n=70)


def test_arrays_of_a_layer_by_hand():
    """300 inputs over 128 rows, 70 outputs of 7 / 2 -> 4 columns each over 64."""
    machine = Crossbar(
        rows=128, cols=64, slices=Slices(bits=8, per_cell=2), dac=DAC(bits=8), adc=ADC(bits=8)
    )
    assert machine.columns_a_weight == 4
    assert machine.arrays(OP) == (3, 5)
    assert machine.but(subtract="digital").arrays(OP) == (3, 9)
    assert machine.but(bias_rows=100).arrays(OP) == (4, 5)


def test_columns_for_carries_are_taken_from_the_weights():
    machine = Crossbar(rows=128, cols=64, carry_columns=7)
    assert machine.arrays(OP) == (3, 9)
    with pytest.raises(ValueError, match="carry_columns=64; allowed: cols=64 together"):
        Crossbar(cols=64, carry_columns=64)


def test_a_full_input_by_converter():
    plain, coded = Crossbar(), Crossbar(dac=DAC(bits=8), slices=Slices(bits=4, per_cell=3))
    assert (plain.drive, plain.input_top, plain.weight_top, plain.final_divisor) == (1, 1, 1, 1)
    assert (coded.drive, coded.input_top, coded.final_divisor) == (127, 127, 127)
    assert coded.weight_top == 7


def test_what_serves_what():
    plain = Crossbar()
    assert plain.serves(OP)
    assert not plain.serves(OP.but(kind="activations"))
    assert not plain.serves(VectorOp(name="relu", kind="relu", elements=4))


def test_back_to_back_unless_an_interval_is_said():
    machine = Crossbar(dac=DAC(bits=8, encoding="bit serial"))
    assert machine.read_interval == pytest.approx(7 * machine.costs.read_time)
    assert machine.but(interval="1 ms").read_interval == 1e-3


def test_linear_cells_are_driven_by_their_inputs():
    x = np.array([[0.5, -1.0]], np.float32)
    assert Crossbar(cell=device("pcm-hermes")).effective_input(x) is x


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"coding": "complement"}, "needs integer weights"),
        ({"coding": "offset", "subtract": "digital"}, "is for coding='differential'"),
        ({"wires": Wires(r_in=1, r_out=1, topology="B")}, "switch cells by single bits"),
        (
            {"wires": Wires(r_in=1, r_out=1, topology="C"), "coding": "offset"},
            "carry pairs",
        ),
    ],
)
def test_parts_that_do_not_fit_each_other(wrong, message):
    with pytest.raises(ValueError, match=message):
        Crossbar(**wrong)
