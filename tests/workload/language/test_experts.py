"""Does a token pass and read as many experts as its router chooses, and hold all of them?"""

import pytest

import pimlab as pim
from pimlab.workload.language.experts import ExpertShape

SIZES = {"vocabulary": 96, "width": 64, "layers": 6, "heads": 8, "kv_heads": 4, "head_width": 8}
MIXED = ExpertShape(**SIZES, hidden=96, context=128, experts=8, active=2)


def test_mixtral_has_the_weights_that_its_makers_print():
    """46.7 and 12.9 billion (mistral.ai/news/mixtral-of-experts), embedding and head included."""
    shape = pim.load_model("mixtral-8x7b").shape
    ends = 2 * shape.head_weights
    assert (shape.layer_weights + ends) / 1e9 == pytest.approx(46.7, abs=0.05)
    assert (shape.active_weights + ends) / 1e9 == pytest.approx(12.9, abs=0.05)


@pytest.mark.parametrize(
    ("tokens", "chips", "every", "answer"),
    [
        (1, 1, False, (2, 1)),
        (2, 1, False, (4, 1)),  # 8 (1 - 0.75^2) = 3.5
        (64, 1, False, (8, 16)),
        (64, 4, False, (2, 16)),
        (1, 8, False, (1, 1)),
        (1, 1, True, (8, 1)),
    ],
)
def test_experts_that_a_batch_touches(tokens, chips, every, answer):
    assert MIXED.routed(tokens, chips, every) == answer


def test_a_token_multiplies_by_its_experts_alone():
    model = pim.load_model("mixtral-8x7b").at(context=16)
    shape = model.shape
    products = sum(op.macs for op in model.mac_ops if op.kind == "weights")
    assert products == shape.active_weights + shape.head_weights


def test_every_operator_has_its_place_in_the_graph():
    model = pim.load_model("mixtral-8x7b").at(context=16)
    names = {op.name for op in (*model.mac_ops, *model.vector_ops)}
    linked = {end for edge in model.graph.edges for end in (edge.maker, edge.reader)}
    assert linked == names
    assert {"layer0.router", "layer0.combine"} < names


def test_more_active_experts_than_there_are_are_refused():
    with pytest.raises(ValueError, match=r"active=9 is outside 1..8"):
        MIXED.but(active=9)
