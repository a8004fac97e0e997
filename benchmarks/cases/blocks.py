"""Cases of `pimlab.kernels.blocks`: each microscaling element, blocks of zeros, of huge, tiny and
non-finite numbers.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.formats import format
from pimlab.formats.casting import element_grid
from pimlab.kernels import blocks as kernels
from pimlab.reference import blocks as reference

_SHAPES = {"tiny": (4, 41), "small": (40, 107), "large": (4096, 4096)}
_NAMES = ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8", "mxint4")


def _inputs(rng, size):
    if size == "large":
        return rng.standard_normal(_SHAPES[size]).astype(np.float32)
    rows, columns = _SHAPES[size]
    x = (
        rng.standard_normal((rows, columns))
        * 10.0 ** rng.uniform(-44, 38, (rows, 1))
        * 10.0 ** rng.uniform(-4, 0, (rows, columns))
    )
    x[0], x[1, 40], x[2, 3], x[3, 7] = 0.0, np.nan, np.inf, -np.inf
    return x.astype(np.float32)


def _microscale(x, block, *rest):
    out, exponents = np.empty_like(x), np.empty((x.shape[0], -(-x.shape[1] // block)), np.int16)
    kernels.microscale(x, block, *rest, out, exponents)
    return out, exponents


def _columns(x, block, *rest):
    out, exponents = (
        np.empty_like(x),
        np.empty((x.shape[0], -(-x.shape[1] // block), x.shape[2]), np.int16),
    )
    kernels.microscale_columns(x, block, *rest, out, exponents)
    return out, exponents


def _rows(name):
    return lambda rng, size: (_inputs(rng, size), 32, *element_grid(format(name)))


def _exponents(x, block, emax):
    exponents = np.empty((x.shape[0], -(-x.shape[1] // block)), np.int16)
    kernels.shared_exponents(x, block, emax, exponents)
    return exponents


def _rescale(x, block, exponents, sign):
    out = np.empty_like(x)
    kernels.rescale(x, block, exponents, sign, out)
    return out


def _scaled(sign):
    def make(rng, size):
        x = rng.standard_normal(_SHAPES[size]).astype(np.float32)
        exponents = rng.integers(-127, 128, (len(x), -(-x.shape[1] // 32))).astype(np.int16)
        exponents[:2] = 128
        return x, 32, exponents, sign

    return make


def _upright(name):
    def make(rng, size):
        x = _inputs(rng, size)
        return np.ascontiguousarray(x.T).reshape(1, *x.T.shape), 32, *element_grid(format(name))

    return make


CASES = (
    {
        f"blocks.microscale {name}": Case(
            _microscale, reference.microscale, _rows(name), covers=("blocks.microscale",)
        )
        for name in _NAMES
    }
    | {
        f"blocks.microscale_columns {name}": Case(
            _columns,
            reference.microscale_columns,
            _upright(name),
            covers=("blocks.microscale_columns",),
        )
        for name in ("mxfp8_e4m3", "mxfp4", "mxint8")
    }
    | {
        "blocks.shared_exponents": Case(
            _exponents,
            reference.shared_exponents,
            lambda rng, size: (_inputs(rng, size), 32, np.int32(8)),
            covers=("blocks.shared_exponents",),
        )
    }
    | {
        f"blocks.rescale {sign:+d}": Case(
            _rescale, reference.rescale, _scaled(sign), covers=("blocks.rescale",)
        )
        for sign in (1, -1)
    }
)
