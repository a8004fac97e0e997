"""Philox: published vectors, addressing, threads, distribution."""

import numba
import numpy as np
import pytest
from scipy import stats

from pimlab.kernels import philox
from pimlab.keys import Key
from pimlab.reference import philox as reference

# Random123, file tests/kat_vectors: counter, key -> words of philox4x32-10.
KNOWN = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def _words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(counter, key, expected):
    assert reference.block(_words(counter), *_words(key)).tolist() == _words(expected)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers_compiled(counter, key, expected):
    block, row_low, lane, row_high = _words(counter)
    out = np.empty((1, 4), np.uint32)
    if block == 0:
        philox.words(*_words(key), row_low, lane, out)
        assert out[0].tolist() == _words(expected)
    twin = reference.words(*_words(key), row_low + 2**32 * (row_high % 2**30), lane, (1, 7))
    out = np.empty((1, 7), np.uint32)
    philox.words(*_words(key), row_low + 2**32 * (row_high % 2**30), lane, out)
    assert np.array_equal(out, twin)


def test_address_is_all_that_matters():
    k0, k1 = Key(seed=3).child("read noise").words
    whole = np.empty((6, 21), np.float32)
    philox.normal(k0, k1, 10, 2, whole)
    part = np.empty((2, 13), np.float32)
    philox.normal(k0, k1, 13, 2, part)
    assert np.array_equal(part, whole[3:5, :13])


@pytest.mark.parametrize("name", ["words", "uniform", "uniform64", "normal"])
def test_threads_do_not_matter(name):
    dtype = {"words": np.uint32, "uniform64": np.float64}.get(name, np.float32)
    many, one = np.empty((9, 30), dtype), np.empty((9, 30), dtype)
    getattr(philox, name)(1, 2, 0, 0, many)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    getattr(philox, name)(1, 2, 0, 0, one)
    numba.set_num_threads(before)
    assert np.array_equal(many, one)


def test_lanes_and_keys_differ():
    drawn = [np.empty((4, 8), np.uint32) for _ in range(3)]
    for (key, lane), out in zip(
        [(Key(seed=0), 0), (Key(seed=0), 1), (Key(seed=1), 0)], drawn, strict=True
    ):
        philox.words(*key.words, 0, lane, out)
    assert not any(
        np.any(a == b)
        for a, b in [(drawn[0], drawn[1]), (drawn[0], drawn[2]), (drawn[1], drawn[2])]
    )


def test_normal_is_standard():
    z = np.empty((400, 500), np.float32)
    philox.normal(11, 12, 0, 0, z)
    flat = z.ravel().astype(float)
    error = 1 / np.sqrt(flat.size)
    moments = [
        (flat.mean(), 0, 1),
        (flat.var(), 1, 2),
        ((flat**3).mean(), 0, 15),
        ((flat**4).mean(), 3, 96),
    ]
    for moment, expected, variance in moments:
        assert abs(moment - expected) < 4 * np.sqrt(variance) * error
    assert stats.kstest(flat, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(flat[0::2], flat[1::2])[0, 1]) < 5 * error


def test_a_row_of_normals_is_that_row_of_the_array():
    whole = reference.normal(3, 4, 5, 1, (4, 10))
    row = np.empty(10, np.float32)
    philox.normal_row(3, 4, np.uint64(7), 1, row)
    np.testing.assert_array_equal(reference.normal_row(3, 4, 7, 1, 10), whole[2])
    np.testing.assert_allclose(row, whole[2], rtol=1e-5)


@pytest.mark.parametrize(("name", "dtype"), [("uniform", np.float32), ("uniform64", np.float64)])
def test_uniform_is_uniform(name, dtype):
    u = np.empty((300, 300), dtype)
    getattr(philox, name)(11, 12, 0, 0, u)
    assert u.min() >= 0
    assert u.max() < 1
    assert stats.kstest(u.ravel().astype(float), "uniform").pvalue > 1e-3
