"""Logarithms and exponentials by NumPy: the specification of `pimlab.kernels.elementary`."""

from __future__ import annotations

import numpy as np

MOST = 700.0
"""Exponents are cut at this magnitude."""


def ln(x):
    """Natural logarithm, float64, shape of x."""
    return np.log(x)


def exp(x):
    """e^x, float64, shape of x; x beyond `MOST` counts as that."""
    return np.exp(np.clip(x, -MOST, MOST))


logarithms, exponentials = ln, exp
