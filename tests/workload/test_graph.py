"""Dependencies of a model: who needs how much of whom, and in which order they can run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pimlab as pim
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.workload.graph import Edge, Graph, chain


def test_rows_that_a_window_needs_are_counted_by_hand():
    # 3 rows, stride 2, one row of padding: output row 0 reads rows -1, 0, 1; row 1 reads 1, 2, 3
    edge = Edge(maker="a", reader="b", whole=False, stride=2, reach=1)
    assert [edge.needed(r, 6) for r in range(3)] == [1, 3, 5]
    assert edge.needed(5, 6) == 5, "never more rows than there are"
    assert Edge(maker="a", reader="b").needed(0, 6) == 5
    padding = Edge(maker="a", reader="b", whole=False, reach=-2)
    assert padding.needed(0, 6) == -2 < 0


@given(st.permutations(range(7)), st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6))))
def test_an_order_puts_makers_before_readers(order, pairs):
    names = [f"op{i}" for i in order]
    pairs = {(f"op{a}", f"op{b}") for a, b in pairs if a < b}
    graph = Graph(edges=tuple(Edge(maker=a, reader=b) for a, b in pairs), rows={})
    found = graph.order(names)
    assert sorted(found) == sorted(names)
    assert all(found.index(a) < found.index(b) for a, b in pairs)


def test_a_circle_is_refused_by_its_operators():
    pairs = [("a", "b"), ("b", "c"), ("c", "b")]
    graph = Graph(edges=tuple(Edge(maker=a, reader=b) for a, b in pairs), rows={})
    with pytest.raises(ValueError, match=r"circle \(b -> c -> b\)|circle \(c -> b -> c\)"):
        graph.order("abc")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Edge(maker="a", reader="a"), "waits for itself"),
        (lambda: Edge(maker="a", reader="b", stride=0), "stride=0"),
        (lambda: Edge(maker="a", reader="b", whole="no"), "whole='no'"),
        (lambda: Graph(edges=(), rows={"a": 0}), r"rows\['a'\]=0"),
        (lambda: Graph(edges=("ab",), rows={}), r"edges=\('ab',\)"),
        (lambda: Graph(edges=(), rows="a"), "rows='a'"),
        (
            lambda: Graph(edges=(Edge(maker="conv1", reader="conv9"),), rows={}).order(["conv1"]),
            "conv9",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_model_that_says_nothing_is_a_chain():
    ops = [
        MacOp(name="a", m=1, k=1, n=1),
        MacOp(name="b", m=1, k=1, n=1),
        VectorOp(name="c", kind="relu", elements=1),
    ]
    assert [(e.maker, e.reader, e.whole) for e in chain(ops).edges] == [
        ("a", "b", True),
        ("b", "c", True),
    ]


@pytest.mark.parametrize("name", ["fashion-cnn", "digits-mlp", "small-lm", "llama2-7b"])
def test_every_operator_of_a_model_is_in_its_graph(name):
    model = pim.load_model(name)
    names = [op.name for op in (*model.mac_ops, *model.vector_ops)]
    order = model.graph.order(names)
    assert sorted(order) == sorted(names)
    joined = {name for edge in model.graph.edges for name in (edge.maker, edge.reader)}
    assert joined == set(names), "an operator that nothing reads and that reads nothing"
    assert set(model.graph.rows) <= set(names)
