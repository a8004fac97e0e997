"""Is the fastest training found among all combinations, and is what does not fit said?"""

import pytest
from cluster_examples import SMALL, Clock, cluster

from pimlab.cluster import Training, training_step
from pimlab.cluster.training_search import best_training, combinations

PLAIN = SMALL.but(feed_forward="gelu", hidden=256)
ONE = Training(sequences=4, tokens=64, bandwidth="1 GB/s")


def test_combinations_divide_layers_heads_and_batch():
    found = list(combinations(PLAIN, 4, ONE))
    assert len(found) == len(set(map(repr, found)))
    for one in found:
        assert one.tensor * one.pipeline * one.data <= 4
        assert PLAIN.layers % one.pipeline == 0
        assert ONE.sequences % (one.data * one.microbatch) == 0


def test_nothing_tried_is_faster():
    rack = cluster(2)
    best = best_training(PLAIN, rack, ONE)
    slowest = min(training_step(PLAIN, rack, one).seconds for one in combinations(PLAIN, 2, ONE))
    assert best.latency == slowest
    assert best.bound <= best.latency
    assert best.throughput == pytest.approx(4 * 64 / best.latency)
    assert list(best.alternatives.latency.values) == sorted(best.alternatives.latency.values)
    assert "recompute" in best.why[0]


def test_one_chip_has_no_links_and_no_gap():
    assert best_training(PLAIN, cluster(1), ONE).gap == 0


def test_what_fits_nowhere_is_refused():
    with pytest.raises(ValueError, match="no training of this model fits on 1 chips"):
        best_training(PLAIN, cluster(1, machine=Clock(), memory="1 kB"), ONE)
