"""Is a training step the sum of its parts by hand, does it hold what the equations say, and is what does not fit refused?"""

import pytest
from cluster_examples import SMALL, Clock, cluster

import pimlab as pim
from pimlab.cluster import Training, training_step
from pimlab.cluster.training import activation_bytes, moved_bytes, waiting

PLAIN = SMALL.but(feed_forward="gelu", hidden=256)
ONE = Training(sequences=8, tokens=64, bandwidth="1 GB/s")


def step(chips=8, **change):
    return training_step(PLAIN, cluster(chips), ONE.but(**change))


def test_one_chip_by_hand():
    """Six layers forwards, twice that backwards, the head three times; 8 microbatches of one sequence."""
    tokens, width, hidden = 64, 64, 256
    linear = tokens * (2 * width * 64 + 2 * width * 32 + 2 * width * hidden)
    products = 1e-9 * (linear + 2 * 8 * 64 * 64 * 8)
    softmax, others = 8 * 64 * 64 * 9, 2 * 64 * 64 * (4 + 7) + 64 * 256 * 4
    assert moved_bytes(PLAIN, ONE) == (softmax, others)
    forward = products + (softmax + others) / 1e9
    one = step()
    assert one.layers == pytest.approx(8 * 6 * 3 * forward)
    assert one.head == pytest.approx(8 * 3 * 1e-9 * 64 * 64 * 96)
    assert one.idle == one.gradients == 0
    assert one.seconds == sum(one[1:6])


def test_sequence_parallelism_cuts_what_every_chip_moves():
    """Norms and additions are cut by the tensor degree only where the sequence is cut too."""
    softmax, others = 8 * 64 * 64 * 9 / 4, 64 * 256 * 4 / 4
    apart = ONE.but(tensor=4)
    assert moved_bytes(PLAIN, apart) == (softmax, 2 * 64 * 64 * (4 + 7) + others)
    cut = moved_bytes(PLAIN, apart.but(sequence=True))
    assert cut == (softmax, 2 * 64 * 64 * (4 + 7) / 4 + others)


def test_recomputation_trades_time_for_memory():
    none, some, full = (step(recompute=how) for how in ("none", "selective", "full"))
    assert none.layers < some.layers < full.layers == pytest.approx(4 / 3 * none.layers)
    assert none.activations > some.activations > full.activations


def test_activations_are_the_published_equations():
    """sbh (34 + 5 a s / h) on one chip (Korthikanti et al. 2022, equation 1); 2 sbh where all is computed again."""
    whole = 64 * 64
    assert activation_bytes(PLAIN, ONE) == whole * (34 + 5 * 8 * 64 / 64)
    split = ONE.but(tensor=4, sequence=True)
    assert activation_bytes(PLAIN, split) == whole * (34 + 5 * 8 * 64 / 64) / 4
    assert activation_bytes(PLAIN, split.but(recompute="selective")) == whole * 34 / 4
    assert activation_bytes(PLAIN, ONE.but(tensor=4)) == whole * (10 + (24 + 40) / 4)
    assert activation_bytes(PLAIN, ONE.but(recompute="full")) == 2 * whole


def test_the_bubble_shrinks_with_microbatches_and_chunks():
    plain = step(pipeline=2)
    assert plain.idle == pytest.approx(plain.layers / 8)
    assert step(pipeline=2, chunks=3).idle < plain.idle
    assert step(pipeline=2, microbatch=2).idle > plain.idle
    assert waiting(ONE.but(pipeline=2)) == 2
    assert waiting(ONE.but(pipeline=2, chunks=3)) == 2 * (1 + 1 / 6)
    assert waiting(ONE.but(pipeline=16)) == 8


def test_replicas_share_the_batch_and_exchange_gradients():
    one, four = step(), step(data=4)
    assert four.layers == pytest.approx(one.layers / 4)
    assert four.gradients > 0
    assert four.states == one.states == 16 * one.weights / 2


def test_a_chip_that_is_half_as_efficient_takes_twice_as_long():
    slow, fast = (
        training_step(PLAIN, cluster(1), ONE.but(efficiency=e, bandwidth=1e30)) for e in (0.5, 1.0)
    )
    assert slow.layers == pytest.approx(2 * fast.layers)


def test_the_fastest_training_is_found():
    plan = pim.parallelise(PLAIN, cluster(4), phase="training", training=ONE)
    table = plan.alternatives
    assert plan.latency == float(table.latency[0]) == float(table.latency.min())
    assert plan.bound <= plan.latency
    assert plan.training.chips <= 4
    assert plan.throughput == pytest.approx(8 * 64 / plan.latency)
    assert "recompute" in plan.why[0]
    alone = pim.parallelise(PLAIN, cluster(1), phase="training", training=ONE)
    assert plan.latency <= alone.latency
    assert alone.gap == 0


def test_less_memory_computes_more_again():
    rich = pim.parallelise(PLAIN, cluster(1), phase="training", training=ONE)
    poor = cluster(1, memory=8 * (rich.step.total - 1))
    tight = pim.parallelise(PLAIN, poor, phase="training", training=ONE)
    assert rich.training.recompute == "none"
    assert tight.training.recompute != "none"
    assert tight.step.total < rich.step.total


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ONE.but(data=3), "data=3 x microbatch=1 does not divide sequences=8"),
        (lambda: ONE.but(bandwidth=0), "Training bandwidth=0"),
        (lambda: ONE.but(recompute="ful"), "did you mean 'full'"),
        (lambda: step(tensor=3), "tensor=3 does not divide 8 heads"),
        (lambda: step(pipeline=4), "pipeline=4 x chunks=1 does not divide 6 layers"),
        (lambda: step(chips=1, data=2), "Training needs 2 chips; the cluster has 1"),
        (lambda: step(tokens=256), "tokens=256 is outside 1..128"),
        (
            lambda: training_step(PLAIN, cluster(1, memory="1 MB"), ONE),
            r"a chip clock would hold .* too much\)",
        ),
        (
            lambda: pim.parallelise(
                PLAIN, cluster(1, memory="1 kB"), phase="training", training=ONE
            ),
            "no training of this model fits on 1 chips",
        ),
        (
            lambda: pim.parallelise(PLAIN, cluster(2), "energy", phase="training", training=ONE),
            "objective='energy' of phase='training' is not offered",
        ),
    ],
)
def test_bad_input_is_refused_by_name(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_training_must_be_given():
    with pytest.raises(TypeError, match="phase='training' needs training="):
        pim.parallelise(PLAIN, cluster(2, machine=Clock()), phase="training")


def test_training_with_experts_is_refused():
    shape = pim.load_model("mixtral-8x7b").shape
    with pytest.raises(ValueError, match="training of a model with experts is not offered"):
        training_step(shape, cluster(8), ONE)
