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
_NODES = np.array([1.5, 1.0, 0.2, 0.0, 0.3, 0.7, 1.1, 2.0], np.float32)


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


def _cells(law, curve, noise):
    def make(rng, size):
        shape = _SHAPE[size]
        w = rng.uniform(-0.9, 0.9, shape).astype(np.float32)
        steps = rng.uniform(0.01, 0.1, (2, *shape))
        bounds = np.stack([-rng.uniform(0.8, 1, shape), rng.uniform(0.8, 1, shape)])
        shapes = 1 / bounds[::-1] if law == fast.LINEAR else rng.uniform(0.5, 2, (2, *shape))
        cells = np.concatenate([steps, bounds, shapes]).astype(np.float32)
        counts = rng.integers(-5, 6, shape).astype(np.int32)
        return (
            w,
            w.copy(),
            counts,
            cells,
            law,
            curve,
            np.array(noise, np.float32),
            *_KEY,
            2**33 + 7,
            np.ones(shape, np.int64),
        )

    return make


def _pulse(w, seen, counts, cells, law, curve, noise, k0, k1, row, used):
    w, seen, used = w.copy(), seen.copy(), used.copy()
    fast.pulse(w, seen, counts, cells, law, curve, noise, k0, k1, row, used)
    return w, seen, used


def _responses(w, up, cells, law, curve):
    out = np.empty_like(w)
    fast.responses(w, up, cells, law, curve, out)
    return out


def _states(law, curve):
    def make(rng, size):
        w, _, _, cells, *_ = _cells(law, curve, (0,) * 5)(rng, size)
        return w, False, cells, law, curve

    return make


_PLAIN = np.empty(0, np.float32)
_LAWS = {
    "linear": (fast.LINEAR, _PLAIN, (0.3, 0, 0.02, 0, 0)),
    "exponential": (fast.EXPONENTIAL, _CURVE, (0, 0.5, 0, 0.01, 0.05)),
    "power": (fast.POWER, _PLAIN, (0.3, 0, 0.02, 0, 0)),
    "piecewise": (fast.PIECEWISE, _NODES, (0.3, 0, 0.02, 0, 0)),
    "silent": (fast.LINEAR, _PLAIN, (0, 0, 0, 0, 0)),
}
_COVERS = ("pulses.pulse", "pulses.response")

CASES = {
    "pulse trains": Case(_trains, slow.trains, _probabilities, covers=("pulses.trains",)),
    "coincidences": Case(
        _coincidences, slow.coincidences, _signed, covers=("pulses.coincidences",)
    ),
    **{
        f"pulses, {name} cells": Case(
            _pulse, slow.pulse, _cells(*law), rtol=1e-5, atol=1e-5, covers=_COVERS
        )
        for name, law in _LAWS.items()
    },
    "steps of piecewise cells": Case(
        _responses,
        slow.responses,
        _states(fast.PIECEWISE, _NODES),
        rtol=1e-5,
        atol=1e-6,
        covers=("pulses.responses",),
    ),
}
