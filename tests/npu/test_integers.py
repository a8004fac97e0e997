"""Is the fast byte product exact, by whichever path this CPU takes?"""

import numpy as np
import pytest

from pimlab.kernels import int8 as kernels
from pimlab.npu import integers

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 64, 16), (17, 1025, 5)])
@pytest.mark.parametrize("values", ["random", "extreme"])
def test_the_product_is_that_of_wide_integers(shape, values):
    batch, k, n = shape
    x, w = (RNG.integers(-128, 128, size).astype(np.int8) for size in ((batch, k), (k, n)))
    if values == "extreme":
        x[:], w[:] = -128, np.where(w > 0, 127, -128)
    y = integers.gemm(x, w)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, x.astype(np.int64) @ w.astype(np.int64))


def test_a_path_that_is_not_exact_is_not_taken(monkeypatch):
    x, w = (RNG.integers(-128, 128, size).astype(np.int8) for size in ((4, 50), (50, 6)))
    monkeypatch.setattr(integers, "_by_bytes", lambda x, w: kernels.gemm(x, w) + 1)
    integers.bytes_path_is_exact.cache_clear()
    try:
        assert not integers.bytes_path_is_exact()
        np.testing.assert_array_equal(integers.gemm(x, w), x.astype(int) @ w.astype(int))
    finally:
        integers.bytes_path_is_exact.cache_clear()
