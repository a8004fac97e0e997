"""DAC and ADC codes in plain NumPy: the specification of `pimlab.kernels.converter`."""

from __future__ import annotations

import numpy as np


def dac(x, full_scale, top):
    """Codes of x at one full scale a row. x : float32, shape (batch, k);  full_scale : float32,
    shape (batch,), unit of x.
    """
    relative = np.clip(x / full_scale[:, None], np.float32(-1), np.float32(1))
    return np.rint(relative * np.float32(top))


def dac_offset(x, full_scale, top):
    """Codes of x in offset binary, in half steps. x : float32, shape (batch, k);  full_scale :
    float32, shape (batch,), unit of x.
    """
    relative = np.clip(x / full_scale[:, None], np.float32(-1), np.float32(1))
    return np.float32(2) * np.rint(
        (relative + np.float32(1)) * np.float32(0.5) * np.float32(top)
    ) - np.float32(top)


def scaled(x, full_scale):
    """Inputs of a row relative to its full scale. x : float32, shape (batch, k);  full_scale :
    float32, shape (batch,), unit of x.
    """
    return x / full_scale[:, None]


def adc(v, lsb, low, high, value, out):
    """out plus what the codes of v stand for. v, out : float32, shape (batch, n);  lsb, value :
    float32, shape (n,), unit of v and of out.
    """
    return out + np.clip(np.rint(v / lsb), np.float32(low), np.float32(high)) * value


def adc_clipped(v, lsb, low, high):
    """How many values of each row are nearest to a code beyond low..high. v : float32,
    shape (batch, n);  returns int64, shape (batch,).
    """
    codes = np.rint(v / lsb)
    return ((codes < low) | (codes > high)).sum(axis=1)


def adc_table(v, lsb, shift, gain, thresholds, shared, low, value, out):
    """out plus what the codes of v stand for: a code is the number of edges at or below the
    value. v, out : float32, shape (batch, n);  thresholds : float32, shape (converters, codes - 1),
    unit: codes.
    """
    seen = v / lsb * gain + shift
    codes = np.empty_like(v)
    for j in range(v.shape[1]):
        codes[:, j] = low + np.searchsorted(thresholds[j // shared], seen[:, j], side="right")
    return out + codes * value


def add_scaled(v, scale, out):
    """out plus v times scale. v, out : float32, shape (batch, n);  scale : float32, shape (n,)."""
    return out + v * scale
