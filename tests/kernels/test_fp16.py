"""Does the chain that rounds by two products give NumPy's float16 where binary16's grid is hard?"""

import numpy as np
import pytest

from pimlab.kernels import fp16
from pimlab.kernels.jit import PURE
from pimlab.reference import fp16 as reference

RNG = np.random.default_rng(20)
ROWS, STEPS, OUTPUTS = 50, 40, 70  # more rows than are read one by one, more than one block


def operands(draw):
    """x of shape (rows, 1, steps), w of shape (1, steps, outputs), on the grid of binary16."""
    shapes = (ROWS, 1, STEPS), (1, STEPS, OUTPUTS)
    return [draw(shape).astype(np.float16).astype(np.float32) for shape in shapes]


def normal(scale=1.0):
    return lambda shape: scale * RNG.standard_normal(shape)


HARD = {
    "usual": normal(),
    "ties": lambda shape: RNG.integers(-64, 65, shape) / 16,
    "ties above 2^11": lambda shape: RNG.integers(-129, 130, shape) / 4,
    "subnormal products": normal(2.0**-8),
    "subnormal operands": normal(2.0**-16),
    "mostly zero": lambda shape: RNG.standard_normal(shape) * (RNG.random(shape) < 0.2),
    "some overflow": normal(48.0),
    "all overflow": normal(3000.0),
    "every pattern": lambda shape: RNG.integers(0, 2**16, shape, np.uint16).view(np.float16),
}


@pytest.mark.parametrize("kind", HARD)
def test_a_chain_is_numpys_float16(kind):
    x, w = operands(HARD[kind])
    out = np.empty((ROWS, OUTPUTS), np.float32)
    fp16.matmul(x, w, out)
    expected = reference.matmul(x, w)
    np.testing.assert_array_equal(out, expected)  # NaN where NaN
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(out[known]), np.signbit(expected[known]))


@pytest.mark.parametrize(("weight", "expected"), [(0.95, 60800.0), (1.0, 64000.0), (1.05, np.inf)])
def test_a_sum_overflows_where_it_passes_the_largest_number(weight, expected):
    """40 products of 1600 w: the last sum is 64,000 w, rounded on the way."""
    x = np.full((ROWS, 1, STEPS), 1600, np.float32)
    w = np.full((1, STEPS, OUTPUTS), np.float16(weight), np.float32)
    out = np.empty((ROWS, OUTPUTS), np.float32)
    fp16.matmul(x, w, out)
    np.testing.assert_array_equal(out, reference.matmul(x, w))
    np.testing.assert_allclose(out, expected, rtol=1e-2)


@pytest.mark.parametrize("sign", [1, -1])
def test_every_mantissa_of_a_float_is_rounded_to_eleven_bits_as_float16_does(sign):
    values = sign * np.arange(2**23, 2**24, dtype=np.float32) / np.float32(2**22)
    rounded = fp16._eleven_bits if PURE else fp16._eleven_bits.py_func
    np.testing.assert_array_equal(rounded(values), values.astype(np.float16).astype(np.float32))


def test_every_mantissa_of_a_product_is_rounded_by_two_products():
    """8193 x w - 8192 x w with x = 1 and a w of 22 bits, as `_finite_chain` forms it."""
    values = np.arange(2**23, 2**24, 4, dtype=np.float32) / np.float32(2**22)
    rounded = values * np.float32(8193) - values * np.float32(8192)
    np.testing.assert_array_equal(rounded, values.astype(np.float16).astype(np.float32))
