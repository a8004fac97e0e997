"""Edit distance, CTC and character error by hand; lines do not change from call to call."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.workload.zoo import ocr
from pimlab.workload.zoo.ocr import CharacterError, collapsed, edits

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


def test_lines_are_the_same_each_time_and_carry_their_noise(monkeypatch):
    monkeypatch.setattr(ocr, "characters", lambda: ("", *map(chr, range(32, 127))))
    clean, labels = ocr.rendered(0, "calibration")
    noisy, again = ocr.rendered(40, "calibration")
    assert clean.shape == (16, 3, 48, 320)
    assert (np.abs(clean) <= 1).all()
    np.testing.assert_array_equal(labels, again)
    np.testing.assert_array_equal(noisy, ocr.rendered(40, "calibration")[0])
    page = (clean == 1) & (noisy != 0)
    half = np.abs((noisy - clean)[page]) * 127.5  # white stays below 255: half of the noise is seen
    assert 13 < half.mean() < 19
