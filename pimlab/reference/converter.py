"""DAC and ADC codes in plain NumPy: the specification of `pimlab.kernels.converter`."""

from __future__ import annotations

import numpy as np


def dac(x, full_scale, top):
    """Codes of x at one full scale a row."""
    relative = np.clip(x / full_scale[:, None], np.float32(-1), np.float32(1))
    return np.rint(relative * np.float32(top))


def scaled(x, full_scale):
    """Inputs of a row relative to its full scale."""
    return x / full_scale[:, None]


def adc(v, lsb, low, high, value, out):
    """out plus what the codes of v stand for."""
    return out + np.clip(np.rint(v / lsb), np.float32(low), np.float32(high)) * value


def add_scaled(v, scale, out):
    """out plus v times scale."""
    return out + v * scale
