"""Is the flow of a placement the least cut, by hand?"""

import pytest

from pimlab.cluster.placement.flow import SINK, SOURCE, edges, maximum_flow
from pimlab.cluster.placement.problem import LayerPlacement

ENDS = dict.fromkeys("abc", 100.0)
PROBLEM = LayerPlacement(
    layers=2,
    rates={key: {1: 20.0, 2: 8.0} for key in "abc"},
    links={("a", "b"): 5.0, ("c", "b"): 50.0},
    source=ENDS,
    sink=ENDS,
)


@pytest.mark.parametrize(
    ("runs", "flow"),
    [
        ({"a": (0, 2)}, 8.0),
        ({"a": (0, 1), "b": (1, 1)}, 5.0),
        ({"c": (0, 1), "b": (1, 1)}, 20.0),
        ({"a": (0, 1), "c": (0, 1), "b": (1, 1)}, 20.0),
        ({"a": (0, 2), "c": (0, 1), "b": (1, 1)}, 28.0),
        ({"b": (0, 1), "a": (1, 1)}, 0.0),
        ({"a": (0, 1)}, 0.0),
    ],
)
def test_tokens_a_second_by_hand(runs, flow):
    assert maximum_flow(PROBLEM, runs)[0] == pytest.approx(flow)


def test_the_flow_of_every_link_is_told():
    assert maximum_flow(PROBLEM, {"a": (0, 1), "b": (1, 1)})[1] == pytest.approx(
        {(SOURCE, "a"): 5.0, ("a", "b"): 5.0, ("b", SINK): 5.0}
    )


@pytest.mark.parametrize("run", [(0, 3), (1, 2), (-1, 1)])
def test_runs_that_a_machine_cannot_hold_are_refused(run):
    with pytest.raises(ValueError, match="machine 'a' cannot hold"):
        edges(PROBLEM, {"a": run})
