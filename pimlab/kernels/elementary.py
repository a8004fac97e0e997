"""What are the logarithm and the exponential of many numbers? Written out, so that a loop over them
becomes vector instructions: a call to the C library would keep it from that.

Both are within 2 ulp of the true value. ln x = k ln 2 + ln m, m within sqrt(1/2)..sqrt(2), by the
series of 2 artanh((m - 1) / (m + 1)); exp x = 2^k exp r, |r| <= ln(2) / 2, by its Taylor series
(Abramowitz and Stegun 1964, 4.1.27 and 4.2.1), each with as many terms as float64 can hold.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import inline, kernel

_ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)
"""Bits of sqrt(1/2)."""
_FRACTION = np.int64(52)
_BIAS = np.int64(1023)
_LN2_HIGH = 0.693147180369123816490
"""ln 2 without its last 21 bits: times an exponent it is exact."""
_LN2_LOW = 1.90821492927058770002e-10
"""ln 2 - _LN2_HIGH."""
_PER_LN2 = 1.4426950408889634
MOST = 700.0
"""Exponents are cut at this magnitude: exp(-700) is 1e-304."""


@inline
def ln(x):
    """Natural logarithm of a normal positive number, float64, shape ()."""
    bits = np.float64(x).view(np.int64)
    steps = (bits - _ROOT_HALF) >> _FRACTION
    mantissa = np.int64(bits - np.int64(steps << _FRACTION))
    m = mantissa.view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 2.0 / 23.0
    p = p * z + 2.0 / 21.0
    p = p * z + 2.0 / 19.0
    p = p * z + 2.0 / 17.0
    p = p * z + 2.0 / 15.0
    p = p * z + 2.0 / 13.0
    p = p * z + 2.0 / 11.0
    p = p * z + 2.0 / 9.0
    p = p * z + 2.0 / 7.0
    p = p * z + 2.0 / 5.0
    p = p * z + 2.0 / 3.0
    k = np.float64(np.int32(steps))
    return k * _LN2_HIGH + (2.0 * s + (s * z * p + k * _LN2_LOW))


@inline
def exp(x):
    """e^x, float64, shape (); x beyond `MOST` counts as that."""
    x = min(max(x, -MOST), MOST)
    k = np.rint(x * _PER_LN2)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    power = np.int64((np.int64(np.int32(k)) + _BIAS) << _FRACTION)
    return (1.0 + (r + r * r * p)) * power.view(np.float64)


@kernel
def logarithms(x, out):
    """out = ln x. x : float64, shape (n,), normal positive numbers;  out : like x, written."""
    for i in range(x.size):
        out[i] = ln(x[i])


@kernel
def exponentials(x, out):
    """out = e^x. x : float64, shape (n,);  out : like x, written."""
    for i in range(x.size):
        out[i] = exp(x[i])
