"""What does a converter make of a value? DAC and ADC codes, ties to even, clipped at the ends of
the code range.

Codes are integers held in float32, exact up to 2**24.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import kernel


@kernel
def dac(x, full_scale, top, codes):
    """codes = clip(rint(x / full_scale * top), -top, top): the codes that the input drivers hold.

    x : float32, shape (batch, k);  full_scale : float32, shape (batch,), the unit of x, > 0;  top :
    float32, largest code;
    codes : float32, shape (batch, k), written. For inputs that are never negative the codes are
    0..top.
    """
    batch, k = x.shape
    for i in range(batch):
        scale = full_scale[i]
        for j in range(k):
            relative = min(max(x[i, j] / scale, np.float32(-1)), np.float32(1))
            codes[i, j] = np.rint(relative * top)


@kernel
def dac_offset(x, full_scale, top, codes):
    """codes = 2 rint((x / full_scale + 1) / 2 * top) - top: levels from -1 to 1 without a zero,
    counted in half steps.

    x, codes : float32, shape (batch, k);  full_scale : float32, shape (batch,), unit of x;  top :
    float32, 2**bits - 1.
    """
    batch, k = x.shape
    for i in range(batch):
        scale = full_scale[i]
        for j in range(k):
            relative = min(max(x[i, j] / scale, np.float32(-1)), np.float32(1))
            codes[i, j] = (
                np.float32(2) * np.rint((relative + np.float32(1)) * np.float32(0.5) * top) - top
            )


@kernel
def scaled(x, full_scale, out):
    """out = x / full_scale by row: inputs without a DAC.

    x, out : float32, shape (batch, k);  full_scale : float32, shape (batch,), unit of x.
    """
    batch, k = x.shape
    for i in range(batch):
        scale = full_scale[i]
        for j in range(k):
            out[i, j] = x[i, j] / scale


@kernel
def adc(v, lsb, low, high, value, out):
    """out += what v's code stands for: clip(rint(v / lsb), low, high) * value, column by column.

    v : float32, shape (batch, n), any unit;  lsb : float32, shape (n,), same unit, > 0;  low,
    high : float32 codes;
    value : float32, shape (n,), unit of out a code;  out : float32, shape (batch, n), accumulated.
    Error variance lsb**2 / 12 inside the range (Bennett 1948).
    """
    batch, n = v.shape
    for i in range(batch):
        for j in range(n):
            code = min(max(np.rint(v[i, j] / lsb[j]), low), high)
            out[i, j] += code * value[j]


@kernel
def adc_clipped(v, lsb, low, high, out):
    """out += how many of a row's values are nearer to a code beyond low..high.

    v : float32, shape (batch, n);  lsb : float32, shape (n,), unit of v;  out : int64,
    shape (batch,).
    """
    batch, n = v.shape
    for i in range(batch):
        count = np.int32(0)
        for j in range(n):
            code = np.rint(v[i, j] / lsb[j])
            # 32 bits as in the values: wider counts halve the lanes of a vector
            count = np.int32(count + np.int32((code < low) | (code > high)))
        out[i] += count


@kernel
def adc_table(v, lsb, shift, gain, thresholds, shared, low, value, out):
    """As `adc`, for converters whose code edges are not evenly spaced.

    shift, gain : float32, shape (n,), the column's offset in codes and its relative gain;
    thresholds : float32, shape (converters, codes - 1), upper edge of each code but the last, in
    codes;  shared : columns a converter.
    """
    batch, n = v.shape
    last = thresholds.shape[1]
    for i in range(batch):
        for j in range(n):
            edges = thresholds[j // shared]
            seen = v[i, j] / lsb[j] * gain[j] + shift[j]
            index = int(min(max(np.rint(seen) - low, np.float32(0)), np.float32(last)))
            while index > 0 and seen < edges[index - 1]:
                index -= 1
            while index < last and seen >= edges[index]:
                index += 1
            out[i, j] += (low + np.float32(index)) * value[j]


@kernel
def add_scaled(v, scale, out):
    """out += v * scale: a read without an ADC.

    v, out : float32, shape (batch, n);  scale : float32, shape (n,), unit of out by unit of v.
    """
    batch, n = v.shape
    for i in range(batch):
        for j in range(n):
            out[i, j] += v[i, j] * scale[j]
