"""Does a cluster know its chips, boards and links, and is one that cannot be refused by name?"""

import pytest
from cluster_examples import LINK, Clock, cluster

import pimlab as pim
from pimlab.cluster.cluster import memory_bytes


def test_collectives_leave_the_board_where_they_must():
    boards = cluster(16, board=8, between=pim.network("dgx-a100-nodes"))
    assert boards.seconds("all-reduce", 1e6, 8) == boards.inner.seconds("all-reduce", 1e6, 8)
    far = boards.outer
    assert boards.seconds("all-reduce", 1e6, 16) == far.seconds("all-reduce", 1e6, 16, on_board=8)
    assert boards.seconds("all-reduce", 1e6, 2, 8) == far.seconds("all-reduce", 1e6, 2)
    assert boards.seconds("all-reduce", 1e6, 1) == boards.bits("all-reduce", 1e6, 1) == 0
    assert boards.bit_price(8) == LINK.bit != boards.bit_price(16)


def test_racks_stand_side_by_side():
    mixed = cluster(4, beside=[cluster(2, machine=Clock(name="other"))])
    assert mixed.count == 6
    assert [rack.chip.name for rack in mixed.racks] == ["clock", "other"]
    assert mixed.racks[0].beside == ()


def test_memory_is_what_the_rack_or_the_catalogue_says():
    rngd = cluster(1, machine=pim.target("rngd"))
    assert memory_bytes(rngd) == 48e9
    assert memory_bytes(rngd.but(memory="1 GB")) == 1e9
    assert memory_bytes(cluster(1)) is None


def test_sources_of_chips_and_links_are_kept():
    rack = cluster(8, machine=pim.target("rngd"), between=pim.network("dgx-h100"))
    assert {"furiosa-rngd", "vidur", "fomsn-qsfp28"} <= set(rack.cited)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: pim.Cluster(chip=Clock(), chips=2), ValueError, "2 chips clock has no link"),
        (lambda: cluster(0), ValueError, "Cluster chips=0 is outside 1"),
        (lambda: cluster(12, board=8), ValueError, "board=8 does not divide chips=12"),
        (lambda: cluster(2, beside=[cluster(1)]), ValueError, "'clock' in two racks"),
        (lambda: cluster(2, beside=[3]), TypeError, "beside=3 is not a Cluster"),
        (lambda: pim.Cluster(chip="rngd"), TypeError, "chip='rngd' is not a Target"),
        (lambda: cluster(2).but(link=5), TypeError, "link=5 is not a Link or Network"),
    ],
)
def test_bad_clusters_are_refused_by_name(make, kind, text):
    with pytest.raises(kind, match=text):
        make()
