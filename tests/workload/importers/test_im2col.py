"""Columns of windows: by hand, and as the inverse of scattering."""

import numpy as np

from pimlab.workload.importers.im2col import Window, columns, images, scattered


def test_columns_of_a_two_by_two_window_by_hand():
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    window = Window((2, 2), (1, 1), (1, 1), ((0, 0), (0, 0)))
    expected = [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    np.testing.assert_array_equal(columns(x, window, 1)[0], expected)


def test_padding_reads_zeros_and_strides_skip_pixels():
    x = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4)
    window = Window((3,), (2,), (1,), ((1, 1),))
    np.testing.assert_array_equal(columns(x, window, 1)[0], [[0, 1, 2], [2, 3, 4]])


def test_groups_hold_their_own_channels():
    x = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    cols = columns(x, Window((1,), (1,), (1,), ((0, 0),)), 2)
    assert cols.shape == (2, 6, 2)
    np.testing.assert_array_equal(cols[1, 0], [x[0, 2, 0], x[0, 3, 0]])
    np.testing.assert_array_equal(cols[0, 3], [x[1, 0, 0], x[1, 1, 0]])


def test_images_put_products_back_in_channel_order():
    x = np.random.default_rng(0).random((3, 4, 5, 6), dtype=np.float32)
    window = Window((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)))
    np.testing.assert_array_equal(images(columns(x, window, 2), 3, (5, 6)), x)


def test_scattering_is_the_adjoint_of_columns():
    rng = np.random.default_rng(1)
    window = Window((3, 2), (2, 1), (1, 2), ((1, 0), (0, 1)))
    x = rng.random((2, 4, 7, 6)).astype(np.float32)
    outputs = window.outputs((7, 6))
    cols = columns(x, window, 2)
    y = rng.random(cols.shape).astype(np.float32)
    offset_first = y.reshape(*y.shape[:2], 2, -1).swapaxes(2, 3).reshape(y.shape)
    back = scattered(np.ascontiguousarray(offset_first), 2, window, outputs, (7, 6))
    np.testing.assert_allclose(np.vdot(cols, y), np.vdot(x, back), rtol=1e-5)
