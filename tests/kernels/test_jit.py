"""Kernels that leave small arrays to one thread give the same bits on both sides of their limit."""

import numba
import numpy as np
import pytest

from pimlab import formats
from pimlab.formats import FloatAccumulator
from pimlab.kernels import int8, jit
from pimlab.npu.operands import quantised


def _codes(x):
    return quantised(x, np.abs(x).max(axis=1) / 90, 3, formats.format("int8"))[0]


def _requantised(x):
    q, clipped = np.empty(x.shape, np.int8), np.empty(len(x), np.int64)
    int8.requantise_onnx(
        (x * 1e6).astype(np.int32),
        np.full(x.shape[1], 3.3e-5, np.float32),
        -7,
        -128,
        127,
        q,
        clipped,
    )
    return np.column_stack([q, clipped])


def _summed(x):
    w = np.linspace(-1, 1, 3 * x.shape[1], dtype=np.float32).reshape(x.shape[1], 3)
    return formats.accumulated(x, w, FloatAccumulator(format="fp16"))


WORK = {
    "quantise": _codes, "requantise": _requantised, "cast": lambda x: formats.cast(x, "fp8_e4m3"),
    "blocks": lambda x: formats.cast(x, "mxfp4"), "sums": _summed,
}  # fmt: skip


@pytest.mark.parametrize("name", WORK)
def test_one_thread_below_the_limit_gives_the_bits_of_many(name):
    side = (
        2**5 if jit.PURE else 2**9
    )  # uncompiled there is no limit, and Python would take a minute
    x = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
    whole = WORK[name](x)
    assert jit.PURE or x.size >= int8.SMALL > x[:20].size
    np.testing.assert_array_equal(np.concatenate([WORK[name](x[:20]), WORK[name](x[20:])]), whole)


@jit.parallel_from(10)
def double(x, out):
    for i in numba.prange(x.size):
        out[i] = 2 * x[i]


@pytest.mark.parametrize("size", [0, 9, 10, 1000])
def test_either_side_of_the_limit(size):
    x, out = np.arange(size, dtype=np.float32), np.empty(size, np.float32)
    double(x, out)
    np.testing.assert_array_equal(out, 2 * x)


@jit.kernel
def plus(x, n):
    return x + n


@pytest.mark.skipif(jit.PURE, reason="nothing is compiled")
def test_constants_of_a_caller_do_not_compile_it_anew():
    for constant in (1, 2, 3):
        plus.get_call_template((numba.int64, numba.types.literal(constant)), {})
    assert plus.signatures == [(numba.int64, numba.int64)]
    assert plus(1, 2) == 3


@jit.kernel
def _half(x):
    return x / 2


@jit.kernel
def quarter(x):
    return _half(_half(x))


@pytest.mark.skipif(jit.PURE, reason="nothing is compiled")
def test_a_private_kernel_is_called_by_kernels_only():
    for _ in range(2):  # before it is compiled, and with an overload that fits
        with pytest.raises(TypeError, match="_half is called by kernels only"):
            _half(8.0)
        assert quarter(8.0) == 2.0
