"""DAC and ADC codes."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import Case
from pimlab.kernels import converter as fast
from pimlab.reference import converter as slow

_SHAPE = {"tiny": (1, 3), "small": (9, 37), "large": (1024, 1024)}


def _inputs(rng, size):
    x = rng.standard_normal(_SHAPE[size]).astype(np.float32)
    return x, np.abs(x).max(axis=1) * np.float32(0.9)


def _currents(rng, size):
    v = (30 * rng.standard_normal(_SHAPE[size])).astype(np.float32)
    lsb, value = ((0.5 + rng.random(v.shape[1])).astype(np.float32) for _ in range(2))
    return v, lsb, value, rng.standard_normal(v.shape).astype(np.float32)


def _dac(x, full_scale):
    codes = np.empty_like(x)
    fast.dac(x, full_scale, np.float32(127), codes)
    return codes


def _dac_offset(x, full_scale):
    codes = np.empty_like(x)
    fast.dac_offset(x, full_scale, np.float32(255), codes)
    return codes


def _table(rng, size):
    v, lsb, value, out = _currents(rng, size)
    n, shared = v.shape[1], 4
    shift, gain = (0.1 * rng.standard_normal((2, n))).astype(np.float32)
    edges = np.sort(rng.uniform(-32, 31, (-(-n // shared), 62)), axis=1).astype(np.float32)
    return v, lsb, shift, 1 + gain, edges, shared, np.float32(-31), value, out


def _adc_table(v, lsb, shift, gain, thresholds, shared, low, value, out):
    out = out.copy()
    fast.adc_table(v, lsb, shift, gain, thresholds, shared, low, value, out)
    return out


def _scaled(x, full_scale):
    out = np.empty_like(x)
    fast.scaled(x, full_scale, out)
    return out


def _adc(v, lsb, value, out):
    out = out.copy()
    fast.adc(v, lsb, np.float32(-31), np.float32(31), value, out)
    return out


def _adc_clipped(v, lsb, *_):
    out = np.zeros(len(v), np.int64)
    fast.adc_clipped(v, lsb, np.float32(-20), np.float32(20), out)
    return out


def _add_scaled(v, _lsb, value, out):
    out = out.copy()
    fast.add_scaled(v, value, out)
    return out


CASES = {
    "dac offset binary": Case(
        _dac_offset,
        lambda x, f: slow.dac_offset(x, f, 255),
        _inputs,
        covers=("converter.dac_offset",),
    ),
    "adc with uneven codes": Case(
        _adc_table, slow.adc_table, _table, covers=("converter.adc_table",)
    ),
    "dac": Case(_dac, lambda x, f: slow.dac(x, f, 127), _inputs, covers=("converter.dac",)),
    "scaled input": Case(_scaled, slow.scaled, _inputs, covers=("converter.scaled",)),
    "adc": Case(
        _adc,
        lambda v, lsb, s, o: slow.adc(v, lsb, -31, 31, s, o),
        _currents,
        covers=("converter.adc",),
    ),
    "adc clipped": Case(
        _adc_clipped,
        lambda v, lsb, *_: slow.adc_clipped(v, lsb, -20, 20),
        _currents,
        covers=("converter.adc_clipped",),
    ),
    "no adc": Case(
        _add_scaled,
        lambda v, lsb, s, o: slow.add_scaled(v, s, o),
        _currents,
        covers=("converter.add_scaled",),
    ),
}
