"""What does every machine answer, and what does it refuse?"""

import numpy as np
import pytest
from cluster_examples import Clock

from pimlab.machine.protocol import (
    Calibration,
    MacOp,
    Programmed,
    Range,
    VectorOp,
    checked_operands,
    checked_weights,
    sizes,
)

OP = MacOp(name="fc", m=2, k=3, n=4)


class Plain(Programmed):
    def __init__(self, w, row):
        self.w = w

    def matmul(self, x, key=0, at=0.0):
        return x @ self.w + key.row


class Machine(Clock):
    """Products whose result tells the row of their key."""

    def program(self, w, key=0, *, bias=None, calibration=None):
        return Plain(w, key)


def test_a_batch_of_weights_is_longer_and_of_activations_wider():
    scores = MacOp(name="qk", m=2, k=3, n=4, groups=5, kind="activations", distinct=20)
    assert (OP.batched(3).m, OP.batched(3).groups, OP.batched(3).macs) == (6, 1, 3 * OP.macs)
    wide = scores.batched(3)
    assert (wide.m, wide.groups, wide.distinct, wide.inferences) == (2, 15, 60, 3)
    assert wide.part(1) == scores
    assert VectorOp(name="a", kind="relu", elements=7).batched(2).part(1).elements == 7


def test_parts_of_a_batch_are_whole_inferences():
    with pytest.raises(ValueError, match=r"part\(4\); allowed: 1..3"):
        OP.batched(3).part(4)
    with pytest.raises(ValueError, match="inferences=3 does not divide m=2"):
        OP.but(inferences=3)
    for wrong in (0, True, 1.5, -1):
        with pytest.raises(ValueError, match="batched count="):
            OP.batched(wrong)


def test_distinct_inputs_are_at_most_all():
    assert OP.inputs == 6
    assert OP.but(distinct=4).inputs == 4
    with pytest.raises(ValueError, match=r"distinct=7 is outside 1..6, all its inputs"):
        OP.but(distinct=7)
    with pytest.raises(ValueError, match="cached=True with kind='weights'"):
        OP.but(cached=True)


def test_products_of_activations_read_with_rows_of_one_key():
    from pimlab.keys import Key

    x, w = np.ones((2, 1, 3), np.float32), np.ones((2, 3, 1), np.float32)
    y = Machine().product(x, w, Key(seed=0).rows(7))
    assert y[:, 0, 0].tolist() == [3 + 7, 3 + 8]


def test_what_a_machine_says_unless_it_says_more():
    machine = Clock()
    assert machine.causes == ()
    assert machine.with_causes(()) is machine
    with pytest.raises(ValueError, match="has no non-ideality 'drift'"):
        machine.with_causes(("drift",))
    assert machine.resources(OP) == {"compute": "everything"}
    assert (machine.weight_bits, machine.activation_bits, machine.call) == (16.0, 16.0, 0.0)
    assert machine.throttled(OP) == 1.0
    with pytest.raises(TypeError, match="host=3 is not a Target"):
        Clock(host=3)


def test_a_calibration_of_a_group_keeps_its_ranges():
    one = Calibration(
        x=Range(low=0, high=1), y=Range(low=0, high=2), sample=np.zeros((1, 1)), rule="minmax"
    )
    assert one.group(0).x == one.columns(slice(0, 1)).x == one.x
    with pytest.raises(ValueError, match="both must be finite, low <= high"):
        Range(low=1, high=0)


def test_operands_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"x has shape \(1, 2\), allowed \(batch, 3\)"):
        checked_operands(np.zeros((1, 2)), 3, "m")
    with pytest.raises(ValueError, match="x holds 1 non-finite values"):
        checked_operands(np.array([[np.nan, 0, 0]]), 3, "m")
    with pytest.raises(ValueError, match="x holds 1 non-finite values"):
        checked_operands(np.array([[1e39, 0, 0]]), 3, "m")
    with pytest.raises(ValueError, match=r"weights have shape \(0, 2\)"):
        checked_weights(np.zeros((0, 2)), None, "m")
    with pytest.raises(ValueError, match=r"bias has shape \(3,\), allowed \(2,\)"):
        checked_weights(np.zeros((1, 2)), np.zeros(3), "m")
    w, bias = checked_weights(np.zeros((2, 2), order="F"), np.zeros(2), "m")
    assert w.flags.c_contiguous
    assert w.dtype == bias.dtype == np.float32


@pytest.mark.parametrize(
    ("op", "changes"),
    [
        (
            MacOp(name="fc", m=4, k=6, n=4, kind="activations", groups=2, appended=4),
            {"m": 2, "k": 2, "n": 2, "groups": 4, "kind": "weights", "cached": True}
            | {"appended": 6, "distinct": 8, "inferences": 2},
        ),
        (VectorOp(name="a", kind="relu", elements=8), {"kind": "gelu", "elements": 4, "inferences": 2, "rows": 2}),
    ],
)  # fmt: skip
def test_sizes_are_all_but_the_name(op, changes):
    assert sizes(op.but(name="another")) == sizes(op)
    assert {"name", *changes} == set(op.fields())
    for field, value in changes.items():
        assert sizes(op.but(**{field: value})) != sizes(op), field


def test_operators_of_two_kinds_have_no_equal_sizes():
    assert sizes(MacOp(name="a", m=1, k=1, n=1)) != sizes(
        VectorOp(name="a", kind="weights", elements=1)
    )
