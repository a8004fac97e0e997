"""Do arrays and what they are given say their peak, their first tile, and what they refuse?"""

import pytest

from pimlab.npu.arrays import MacArray, Product
from pimlab.npu.systolic import gemm_cycles

ARRAY = MacArray(rows=16, cols=8, count=2, clock="1 GHz", rate=2.0)


def test_peak_and_first_tile_by_hand():
    product = Product(m=5, n=6, k=40)
    assert ARRAY.peak == ARRAY.peak_of(product) == 2 * 16 * 8 * 2 * 2.0 * 1e9
    assert ARRAY.first(product) == 16 * 6
    assert ARRAY.slab == 16


def test_a_product_is_counted_as_its_folds():
    counted = ARRAY.counted(Product(m=33, n=20, k=40, groups=3))
    told = gemm_cycles(33, 20, 40, groups=3, rows=16, cols=8, arrays=2, overlap=True)
    assert counted == told


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("m", 0, "Product m=0 is outside"),
        ("x_bits", 0.0, "Product x_bits=0.0 is outside"),
        ("w_bits", float("nan"), "Product w_bits=nan is outside"),
    ],
)
def test_products_without_size_are_refused(field, value, says):
    with pytest.raises(ValueError, match=says):
        Product(**{"m": 1, "n": 1, "k": 1, field: value})


def test_overlap_is_true_or_false():
    with pytest.raises(TypeError, match="MacArray overlap"):
        ARRAY.but(overlap="yes")
