"""Edit distance, CTC, and character and word error by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.workload.edit_errors import CharacterError, WordError, collapsed, edits

WORDS = st.lists(st.integers(1, 3), max_size=7).map(lambda values: np.array(values, np.int64))


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2)],
)
def test_known_distances(a, b, distance):
    assert (
        edits(np.frombuffer(a.encode(), np.uint8), np.frombuffer(b.encode(), np.uint8)) == distance
    )


def plain(a, b):
    if not len(a) or not len(b):
        return len(a) + len(b)
    return min(plain(a[1:], b) + 1, plain(a, b[1:]) + 1, plain(a[1:], b[1:]) + (a[0] != b[0]))


@given(WORDS, WORDS)
def test_distance_equals_its_definition(a, b):
    assert (
        edits(a, b) == plain(list(a)[:5], list(b)[:5])
        if max(len(a), len(b)) <= 5
        else edits(a, b) == edits(b, a)
    )


def test_steps_collapse_as_ctc_says():
    np.testing.assert_array_equal(collapsed(np.array([0, 5, 5, 0, 5, 7, 7, 0])), [5, 5, 7])


def test_character_error_by_hand():
    read = np.array([[1, 1, 2, 0], [3, 0, 0, 0]])
    written = np.array([[1, 2, 0], [3, 4, 0]])
    metric = CharacterError()
    contributions = metric.contributions(read, written)
    np.testing.assert_array_equal(contributions, [[0, 2], [1, 2]])
    value, low, high = metric.summarise(contributions)
    assert value == 0.25
    # Cochran 1977, eq. 2.39: residuals -0.5 and 0.5 over 2 lines of 4 characters
    assert (low, high) == (0.0, pytest.approx(0.25 + 1.959964 * np.sqrt(2 * 0.5) / 4))
    with pytest.raises(ValueError, match="no samples"):
        metric.summarise(np.empty((0, 2)))


def test_word_error_by_hand():
    space, metric = 9, WordError(space=9)
    read = np.array([[1, 1, 2, space, 3, space, 4, 0]])
    written = np.array([[1, 2, space, 3, 5, space, 4]])
    np.testing.assert_array_equal(metric.contributions(read, written), [[1, 3]])
    each = WordError().contributions(np.array([[1, 2, 0]]), np.array([[1, 3, 4]]))
    np.testing.assert_array_equal(each, [[2, 3]])


def test_scores_are_read_at_their_largest():
    steps = np.array([[1, 1, 0, 2]])
    scores = np.eye(4)[steps]
    np.testing.assert_array_equal(
        CharacterError().contributions(scores, np.array([[1, 2, 0]])), [[0, 2]]
    )


@pytest.mark.parametrize(
    ("outputs", "labels", "says"),
    [
        (np.zeros((1, 2)), np.array([[1.5, 0]]), "labels are not all whole numbers"),
        (np.array([[-1, 0]]), np.array([[1, 0]]), "outputs are not all whole numbers"),
        (np.zeros((1, 2, 3)) * np.nan, np.array([[1, 0]]), "outputs hold 6 non-finite"),
        (np.zeros(3), np.zeros((3, 1)), r"outputs \(3,\) and labels"),
    ],
)
def test_what_no_line_can_be_is_refused(outputs, labels, says):
    with pytest.raises(ValueError, match=f"character_error: {says}"):
        CharacterError().contributions(outputs, labels)
    with pytest.raises(ValueError, match="space=0; allowed"):
        WordError(space=0)
