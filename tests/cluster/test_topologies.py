"""Are hops and crowding of a round what one counts on paper?"""

from fractions import Fraction

import pytest

from pimlab.cluster import FatTree, Mesh, Ring, Round, Switch
from pimlab.cluster.topologies import crossings, travelled

ONE = Fraction(1)


def shift(distance):
    return Round(distance=distance, share=ONE)


@pytest.mark.parametrize(
    ("topology", "one", "workers", "hops", "crowding"),
    [
        (Switch(), shift(3), 8, 1, 1),
        (Ring(), shift(1), 8, 1, 1),
        (Ring(), shift(3), 8, 3, 3),
        (Ring(), Round(distance=4, share=ONE, pattern="exchange"), 8, 4, 4),
        (Ring(), Round(distance=2, share=ONE, pattern="tree"), 8, 2, 1),
        (Mesh(columns=4), shift(1), 8, 1, 1),
        (FatTree(leaf=4), shift(4), 8, 3, 1),
        (FatTree(leaf=4, oversubscription=2), shift(4), 8, 3, 2),
        (FatTree(leaf=4, oversubscription=4), shift(1), 8, 3, 1),
        (FatTree(leaf=8, oversubscription=4), shift(4), 8, 1, 1),
    ],
)
def test_hops_and_crowding_by_hand(topology, one, workers, hops, crowding):
    assert travelled(topology, one, workers) == (hops, crowding)


def test_links_crossed_are_what_energy_is_charged_for():
    assert crossings(Switch(), shift(1), 8) == 8
    assert crossings(Ring(), shift(2), 8) == 16
    assert crossings(Ring(), Round(distance=1, share=ONE, pattern="tree"), 8) == 4


def test_a_mesh_needs_full_rows():
    with pytest.raises(ValueError, match="Mesh columns=4 does not divide 6 workers"):
        travelled(Mesh(columns=4), shift(1), 6)
