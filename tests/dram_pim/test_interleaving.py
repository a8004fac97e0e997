"""pimlab.dram_pim.interleaving: two parts of a layer in turn and at once, by hand."""

import pytest

from pimlab.dram_pim import blocked, interleaved


def test_by_hand():
    assert blocked(lambda n: 2.0 * n, lambda n: 1.0 * n, 8) == 24.0
    # halves of four: eight beside four, twice
    assert interleaved(lambda n: 2.0 * n, lambda n: 1.0 * n, 8) == 16.0
    # seven are three and four
    assert interleaved(lambda n: 1.0 * n, lambda n: 1.0 * n, 7) == 8.0


def test_weights_that_cost_the_same_for_any_batch_are_read_twice():
    assert interleaved(lambda n: 5.0, lambda n: 1.0 * n, 4) == 10.0
    assert blocked(lambda n: 5.0, lambda n: 1.0 * n, 4) == 9.0


@pytest.mark.parametrize(("how", "batch"), [(blocked, 0), (interleaved, 1)])
def test_batches_that_cannot_be(how, batch):
    with pytest.raises(ValueError, match=f"batch={batch}; allowed:"):
        how(lambda n: 1.0, lambda n: 1.0, batch)


@pytest.mark.parametrize("how", [blocked, interleaved])
@pytest.mark.parametrize(
    ("weights", "error", "says"),
    [
        (lambda: 1.0, TypeError, "weights=.* takes no number of sequences"),
        (lambda n: None, TypeError, "weights of .* sequences is None; allowed: seconds"),
        (lambda n: -1.0, ValueError, "weights of .* sequences=-1.0 is not a time"),
    ],
)
def test_what_gives_no_seconds_is_refused(how, weights, error, says):
    with pytest.raises(error, match=f"{how.__name__} {says}"):
        how(weights, lambda n: 1.0, 4)


def test_a_function_without_a_signature_is_called():
    assert blocked(int, lambda n: 1.0, 4) == 5.0
