"""Pulse trains, coincidences and pulsed cells."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import pulses as fast
from pimlab.reference import pulses as slow

_SHAPE = {"tiny": (1, 1), "small": (13, 7), "large": (512, 512)}
_UPDATES = {"tiny": 1, "small": 5, "large": 64}
_KEY = (np.uint32(5), np.uint32(6))
_CURVE = np.array([-0.5, -0.5, -1.18445, 5.0, -0.081404, 5.0], np.float32)


def _probabilities(rng, size):
    p = rng.random((_UPDATES[size], _SHAPE[size][0]), np.float32)
    p[0, 0] = 1
    return p, rng.integers(0, 32, len(p)), *_KEY, 2**32 - 2, 1


def _trains(p, length, *rest):
    out = np.empty(p.shape, np.uint32)
    fast.trains(p, length, *rest, out)
    return out


def _signed(rng, size):
    k, n = _SHAPE[size]
    bits = [rng.integers(0, 2**32, count, dtype=np.uint32) for count in (k, n)]
    return *bits, *(rng.integers(-1, 2, count).astype(np.int8) for count in (k, n))


def _coincidences(x, d, x_sign, d_sign):
    out = np.empty((x.size, d.size), np.int32)
    fast.coincidences(x, d, x_sign, d_sign, out)
    return out


def _cells(curve, noise):
    def make(rng, size):
        shape = _SHAPE[size]
        w = rng.uniform(-0.9, 0.9, shape).astype(np.float32)
        steps = rng.uniform(0.01, 0.1, (2, *shape))
        bounds = np.stack([-rng.uniform(0.8, 1, shape), rng.uniform(0.8, 1, shape)])
        cells = np.concatenate([steps, bounds, 1 / bounds[::-1]]).astype(np.float32)
        counts = rng.integers(-5, 6, shape).astype(np.int32)
        return (
            w,
            w.copy(),
            counts,
            cells,
            curve,
            np.array(noise, np.float32),
            *_KEY,
            2**33 + 7,
            np.ones(shape, np.int64),
        )

    return make


def _pulse(w, seen, counts, cells, curve, noise, k0, k1, row, used):
    w, seen, used = w.copy(), seen.copy(), used.copy()
    fast.pulse(w, seen, counts, cells, curve, noise, k0, k1, row, used)
    return w, seen, used


_LINEAR = np.empty(0, np.float32)
_COVERS = ("pulses.pulse", "pulses.response")

CASES = {
    "pulse trains": Case(_trains, slow.trains, _probabilities, covers=("pulses.trains",)),
    "coincidences": Case(
        _coincidences, slow.coincidences, _signed, covers=("pulses.coincidences",)
    ),
    "pulses, linear cells": Case(
        _pulse,
        slow.pulse,
        _cells(_LINEAR, (0.3, 0, 0.02, 0, 0)),
        rtol=1e-5,
        atol=1e-5,
        covers=_COVERS,
    ),
    "pulses, exponential cells": Case(
        _pulse,
        slow.pulse,
        _cells(_CURVE, (0, 0.5, 0, 0.01, 0.05)),
        rtol=1e-5,
        atol=1e-5,
        covers=_COVERS,
    ),
    "pulses, silent cells": Case(
        _pulse, slow.pulse, _cells(_LINEAR, (0, 0, 0, 0, 0)), rtol=1e-6, atol=1e-6, covers=_COVERS
    ),
}
