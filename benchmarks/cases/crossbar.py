"""Read noise of a crossbar, and the whole noisy read of 1024 x 1024 weights."""

from __future__ import annotations

import numba
import numpy as np

from benchmarks.cases import Case
from pimlab.analog import ADC, DAC, Crossbar, Slices, device
from pimlab.analog.devices import GaussianReadNoise
from pimlab.kernels import crossbar as fast
from pimlab.kernels.panels import WIDTH
from pimlab.keys import Key
from pimlab.reference import crossbar as slow

_SHAPE = {"tiny": (1, 3), "small": (6, 33), "large": (1024, 1024)}
_KEY = (np.uint32(5), np.uint32(6))
_BATCH = {"tiny": 1, "small": 3, "large": 1024}
"""Rows of a block that are inputs; the rest are further steps of theirs."""


def _address(size):
    return *_KEY, 3, 2, _BATCH[size], 5


def _noise(rng, size):
    current = rng.standard_normal(_SHAPE[size]).astype(np.float32)
    variance = rng.random(_SHAPE[size], np.float32)
    return current, variance, np.float32(0.4), *_address(size)


def _skewed(rng, size):
    current, variance, *rest = _noise(rng, size)
    third, lasting = (rng.standard_normal(_SHAPE[size]).astype(np.float32) for _ in range(2))
    return current, variance, third, lasting, *rest


def _row_noise(rng, size):
    current = rng.standard_normal(_SHAPE[size]).astype(np.float32)
    return current, rng.random(_SHAPE[size][0], np.float32), *_address(size)


def _column_noise(rng, size):
    current = rng.standard_normal(_SHAPE[size]).astype(np.float32)
    return current, rng.random(_SHAPE[size][1], np.float32), *_address(size)


def _cells(rng, size, flip=np.inf):
    rows, k, n = {"tiny": (2, 3, 2), "small": (6, 11, 7), "large": (64, 64, 256)}[size]
    codes = np.where(rng.random((rows, k)) < 0.3, rng.integers(-7, 8, (rows, k)), 0).astype(
        np.float32
    )
    cells = [rng.random((k, n), np.float32) * np.float32(0.3) for _ in range(6)]
    needed = np.where(rng.random(n) < 0.5, np.float32(4), np.float32(0))
    return (
        np.zeros((rows, n), np.float32),
        codes,
        slow.activity(codes).astype(np.float32),
        needed,
        *cells,
        np.float32(0.5),
        np.array([0.02, 0.4], np.float32),
        np.float32(flip),
        *_KEY,
        3,
        2,
        {"tiny": 1, "small": 3, "large": 64}[size],
        5,
    )


def _parts(rng):
    return rng.integers(0, 2**32, 3, dtype=np.uint32), rng.random(3, np.float32)


_COUNTERS = np.arange(704, 707, dtype=np.uint64)


def _panels(rng, size):
    k, n = {"tiny": (3, 2), "small": (37, 20), "large": (1024, 1024)}[size]
    shape = (-(-n // WIDTH), k, WIDTH)
    return rng.standard_normal(shape).astype(np.float32), rng.random(shape, np.float32), n


def _disturbed(rng, size):
    mean, variance, _ = _panels(rng, size)
    return mean, variance, *_KEY, _COUNTERS, *_parts(rng)


def _standing(mean, *rest):
    out = np.empty_like(mean)
    fast.disturbed(mean, *rest, out)
    return out


def _disturbed_product(rng, size):
    mean, variance, n = _panels(rng, size)
    rows = {"tiny": 1, "small": 9, "large": 64}[size]
    x = rng.standard_normal((rows, mean.shape[1] + 3)).astype(np.float32)
    segments, amplitudes = _parts(rng)
    starts = np.unique([0, rows // 3, rows])
    segments = np.tile(segments, (len(starts) - 1, 1))
    segments[:, 0] += np.arange(len(segments), dtype=np.uint32)
    return x, 2, mean, variance, *_KEY, _COUNTERS, starts, segments, amplitudes, n


def _through(x, *rest):
    out = np.empty((len(x), rest[-1]), np.float32)
    fast.disturbed_product(x, *rest[:-1], out)
    return out


def _in_place(kernel):
    def run(current, *rest):
        current = current.copy()
        kernel(current, *rest)
        return current

    return run


def _into(kernel, shape):
    def run(codes):
        out = np.empty(shape(codes), np.float32)
        kernel(codes, out)
        return out

    return run


def _codes(rng, size):
    codes = rng.integers(-127, 128, _SHAPE[size]).astype(np.float32)
    codes[0] = 0
    return (codes,)


def _read(machine):
    def make(rng, size):
        k, n = {"tiny": (6, 2), "small": (300, 5), "large": (1024, 1024)}[size]
        w = rng.standard_normal((k, n)).astype(np.float32)
        return machine().program(w, 0), rng.standard_normal((_SHAPE[size][0], k)).astype(np.float32)

    return make


def _hermes():
    from pimlab.analog import TARGETS

    return TARGETS["pcm-hermes"]()


def _one_sigma():
    """Cells so far above zero that no read is cut: every one has the same spread."""
    cell = device("gaussian").but(g_min="2 uS", read_noise=GaussianReadNoise(absolute="0.05 uS"))
    return Crossbar(cell=cell, dac=DAC(bits=8), adc=ADC(bits=8))


def _bit_serial():
    return _hermes().but(dac=DAC(bits=9, encoding="bit serial"), compensation=None)


def _sliced():
    return (
        _hermes()
        .but(
            dac=DAC(bits=9, encoding="bit serial"),
            adc=ADC(bits=8),
            slices=Slices(bits=8, per_cell=2),
            compensation=None,
        )
        .with_causes(("dac", "adc"))
    )


def _one_thread(programmed, x):
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        return programmed.matmul(x, 0)
    finally:
        numba.set_num_threads(before)


_DECODED = 64
"""Inputs that come one by one: noise that is held for 64 reads is drawn anew among them."""


def _one_by_one(programmed, x):
    rows = (programmed.matmul(x[i : i + 1], Key(seed=0).rows(i)) for i in range(len(x)))
    return np.concatenate(list(rows))


def _few(machine, batch):
    def make(rng, size):
        programmed, x = _read(machine)(rng, size)
        return programmed, x[:batch]

    return make


def _decoding(machine):
    """Inputs that come one by one, as when text is decoded; at once they give the same bits."""
    return Case(
        _one_by_one,
        lambda programmed, x: programmed.matmul(x, 0),
        _few(machine, _DECODED),
        gemm=(1, 1024, 1024),
        times=_DECODED,
    )


def _whole(machine):
    return Case(
        lambda programmed, x: programmed.matmul(x, 0),
        _one_thread,
        _read(machine),
        gemm=(1024, 1024, 1024),
    )


CASES = {
    "disturbed conductances": Case(
        _standing,
        slow.disturbed,
        _disturbed,
        rtol=1e-5,
        atol=1e-5,
        covers=("crossbar.disturbed",),
    ),
    "disturbed product": Case(
        _through,
        slow.disturbed_product,
        _disturbed_product,
        rtol=1e-4,
        atol=1e-4,
        gemm=(64, 1024, 1024),
        covers=("crossbar.disturbed_product",),
    ),
    "read noise": Case(
        _in_place(fast.add_noise),
        slow.add_noise,
        _noise,
        rtol=3e-6,
        atol=3e-6,
        covers=("crossbar.add_noise",),
    ),
    "skewed noise": Case(
        _in_place(fast.add_skewed_noise),
        slow.add_skewed_noise,
        _skewed,
        rtol=1e-5,
        atol=1e-5,
        covers=("crossbar.add_skewed_noise",),
    ),
    "row noise": Case(
        _in_place(fast.add_row_noise),
        slow.add_row_noise,
        _row_noise,
        rtol=3e-6,
        atol=3e-6,
        covers=("crossbar.add_row_noise",),
    ),
    "column noise": Case(
        _in_place(fast.add_column_noise),
        slow.add_column_noise,
        _column_noise,
        rtol=3e-6,
        atol=3e-6,
        covers=("crossbar.add_column_noise",),
    ),
    "cell noise": Case(
        _in_place(fast.add_cell_noise),
        slow.add_cell_noise,
        _cells,
        rtol=1e-5,
        atol=1e-5,
        covers=("crossbar.add_cell_noise",),
    ),
    "telegraph noise": Case(
        _in_place(fast.add_cell_noise),
        slow.add_cell_noise,
        lambda rng, size: _cells(rng, size, 0.8),
        rtol=1e-5,
        atol=1e-5,
        covers=("crossbar.cell_sum",),
    ),
    "square": Case(
        _into(fast.square, lambda c: c.shape), slow.square, _codes, covers=("crossbar.square",)
    ),
    "activity": Case(
        _into(fast.activity, len), slow.activity, _codes, rtol=1e-6, covers=("crossbar.activity",)
    ),
    "noisy read, batch 1": _decoding(_hermes),
    "noisy read, batch 64": Case(
        lambda programmed, x: programmed.matmul(x, 0),
        _one_thread,
        _few(_hermes, 64),
        gemm=(64, 1024, 1024),
    ),
    "read by bits, batch 1": _decoding(_bit_serial),
    "read of 4 x 2-bit weights, 8 x 1-bit inputs, batch 1": _decoding(_sliced),
    "noisy read, 256-row tiles": _whole(_hermes),
    "noisy read, one sigma": _whole(_one_sigma),
    "read of 4 x 2-bit weights, 8 x 1-bit inputs": _whole(_sliced),
}
