"""Cases of `pimlab.kernels.int8`: bit for bit against plain integers, and the NPU's fastest proven
path beside them.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import int8 as kernels
from pimlab.npu import integers
from pimlab.reference import int8 as reference

_CUBE = (1024, 1024, 1024)
_SHAPES = {"tiny": (1, 3, 2), "small": (9, 2300, 33), "large": _CUBE}
_ROWS = {"tiny": (2, 9), "small": (40, 1000), "large": (2048, 1024)}


def _codes(rng, size, bits=8):
    batch, k, n = _SHAPES[size]
    low, high, kind = -(2 ** (bits - 1)), 2 ** (bits - 1), np.int8 if bits <= 8 else np.int32
    x, w = (
        rng.integers(low, high, (batch, k)).astype(kind),
        rng.integers(low, high, (k, n)).astype(kind),
    )
    x[0], w[:, 0] = low, low
    return x, w


def _accumulators(rng, size):
    shape = _ROWS[size]
    acc = (
        (rng.standard_normal(shape) * 2.0 ** rng.integers(4, 31, shape))
        .clip(-(2**31), 2**31 - 1)
        .astype(np.int32)
    )
    acc.flat[:4] = (-(2**31), 2**31 - 1, 0, -1)
    return acc


def _outputs(acc):
    return np.empty(acc.shape, np.int64), np.empty(acc.shape[0], np.int64)


def _accumulate(part, acc):
    acc = acc.copy()
    kernels.accumulate(part, acc)
    return acc


def _saturating(x, w, chunk, low, high, acc):
    acc = acc.copy()
    kernels.saturating(x, w, chunk, low, high, acc)
    return acc


def _rows(kernel):
    def run(values, *rest):
        q, clipped = _outputs(values)
        kernel(values, *rest, q, clipped)
        return q, clipped

    return run


def _wrap(acc, bits):
    out = np.empty_like(acc)
    kernels.wrap(acc, bits, out)
    return out


def _make_saturating(rng, size):
    x, w = (a.astype(np.int32) for a in _codes(rng, size))
    x = x[: 1 + len(x) // 4]
    return x, w, 3, -(2**17), 2**17 - 1, rng.integers(-(2**16), 2**16, (len(x), w.shape[1]))


def _make_quantise(rng, size):
    x = rng.standard_normal(_ROWS[size]).astype(np.float32)
    x[0, :8] = np.arange(8) / 2 - 2
    return x, np.linspace(0.5, 0.01, len(x), dtype=np.float32), -7, -128, 127


def _make_onnx(rng, size):
    acc = _accumulators(rng, size)
    return acc, (2.0 ** rng.uniform(-28, -4, acc.shape[1])).astype(np.float32), 5, -128, 127


def _make_gemmlowp(rng, size):
    acc = _accumulators(rng, size)
    n = acc.shape[1]
    return (
        acc,
        rng.integers(2**30, 2**31 - 1, n).astype(np.int32),
        rng.integers(-24, 3, n).astype(np.int32),
        -3,
        -128,
        127,
    )


CASES = {
    "int8.gemm": Case(
        kernels.gemm, reference.gemm, _codes, gemm=_CUBE, covers=("int8.gemm", "int8.accumulate")
    ),
    "int8.gemm.fastest": Case(integers.gemm, reference.gemm, _codes, gemm=_CUBE),
    "int8.gemm_wide": Case(
        kernels.gemm_wide,
        reference.gemm_wide,
        lambda rng, size: _codes(rng, size, 16),
        gemm=_CUBE,
        covers=("int8.gemm_wide",),
    ),
    "int8.accumulate": Case(
        _accumulate,
        reference.accumulate,
        lambda rng, size: (
            rng.integers(-(2**24), 2**24, _ROWS[size]).astype(np.float32),
            rng.integers(-(2**31), 2**31, _ROWS[size]).astype(np.int32),
        ),
        covers=("int8.accumulate",),
    ),
    "int8.saturating": Case(
        _saturating,
        reference.saturating,
        _make_saturating,
        gemm=(257, 1024, 1024),
        covers=("int8.saturating",),
    ),
    "int8.quantise": Case(
        _rows(kernels.quantise), reference.quantise, _make_quantise, covers=("int8.quantise",)
    ),
    "int8.requantise_onnx": Case(
        _rows(kernels.requantise_onnx),
        reference.requantise_onnx,
        _make_onnx,
        covers=("int8.requantise_onnx",),
    ),
    "int8.requantise_gemmlowp": Case(
        _rows(kernels.requantise_gemmlowp),
        reference.requantise_gemmlowp,
        _make_gemmlowp,
        covers=("int8.requantise_gemmlowp", "int8.doubling_high", "int8.rounding_shift"),
    ),
    "int8.wrap": Case(
        _wrap,
        reference.wrap,
        lambda rng, size: (rng.integers(-(2**40), 2**40, _ROWS[size]), 24),
        covers=("int8.wrap",),
    ),
}
