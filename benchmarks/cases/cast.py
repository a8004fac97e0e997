"""Cases of `pimlab.kernels.cast`: every kind of grid, every kind of float32, bit for bit."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.formats import format
from pimlab.formats.casting import grid
from pimlab.kernels import cast as kernels
from pimlab.reference import cast as reference

_SIZES, _WIDTHS = {"tiny": 35, "small": 4000}, {"tiny": 7, "small": 400, "large": 4096}
_NAMES = ("fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp4_e2m1", "fp29_e5m23")


def _inputs(rng, size):
    """Any bit pattern, and standard normals over many decades."""
    if size == "large":
        return rng.standard_normal(2**24).astype(np.float32)
    count = _SIZES[size]
    patterns = rng.integers(0, 2**32, count, dtype=np.uint64).astype(np.uint32).view(np.float32)
    normals = rng.standard_normal(count) * 10.0 ** rng.uniform(-8, 5, count)
    return np.concatenate([patterns, normals.astype(np.float32)])


def _wide(rng, size):
    """float64: numbers of any magnitude float32 has (and beyond it, but for the size that runs
    uncompiled), and float32's own.
    """
    if size == "large":
        return (rng.standard_normal(2**24),)
    count, reach = _SIZES[size], 38 if size == "tiny" else 60
    own = np.concatenate(
        [
            rng.standard_normal(count).astype(np.float32),
            np.float32([np.inf, -np.inf, np.nan, 0.0, -0.0, 3.4e38, 1e-45]),
        ]
    )
    return (
        np.concatenate(
            [
                rng.standard_normal(count) * 10.0 ** rng.uniform(-60, reach, count),
                own.astype(np.float64),
            ]
        ),
    )


def _odd(x):
    out = np.empty(x.shape, np.float32)
    kernels.to_odd(x, out)
    return out


def _grid(name, saturate):
    return grid(format(name), saturate)


def _filled(kernel):
    def run(x, *rest):
        out = np.empty_like(x)
        kernel(x, *rest, out)
        return out

    return run


def _plain(name, saturate):
    return lambda rng, size: (_inputs(rng, size), *_grid(name, saturate))


def _keyed(name, saturate):
    def make(rng, size):
        x = _inputs(rng, size).reshape(-1, _WIDTHS[size])
        return (
            x,
            np.uint32(rng.integers(2**32)),
            np.uint32(rng.integers(2**32)),
            5,
            *_grid(name, saturate),
        )

    return make


CASES = {
    f"cast.{rounding} {name}{'' if saturate else ' overflowing'}": Case(
        _filled(getattr(kernels, rounding)),
        getattr(reference, rounding),
        make(name, saturate),
        covers=(f"cast.{rounding}", *more),
    )
    for rounding, make, more in (
        ("nearest", _plain, ("cast.nearest_bits",)),
        ("toward_zero", _plain, ()),
        ("stochastic", _keyed, ()),
    )
    for name in _NAMES
    for saturate in ((True, False) if name.startswith(("fp8", "bf16", "fp16")) else (True,))
}
CASES["cast.to_odd"] = Case(_odd, reference.to_odd, _wide, covers=("cast.to_odd",))
