"""Does a machine's arithmetic say which format a MAC multiplies in, and refuse what it cannot be?"""

import numpy as np
import pytest

from pimlab.npu.accumulators import Accumulator
from pimlab.npu.arithmetic import Arithmetic, MacProgrammed, element


@pytest.mark.parametrize(
    ("weights", "activations", "mac"),
    [
        ("int8", "int8", "int8"),
        ("int4", "uint8", "int8"),
        ("int4_g128", "fp16", "fp16"),
        ("fp8_e4m3", "int8", "fp8_e4m3"),
        ("nf4", "bf16", "bf16"),
        (None, "int8", "fp32"),
        ("mxfp4", "mxfp8_e4m3", "fp8_e4m3"),
    ],
)
def test_the_wider_operand_decides_and_floats_come_first(weights, activations, mac):
    assert Arithmetic(weights=weights, activations=activations).mac == mac


def test_the_element_of_a_block_multiplies():
    assert element("int4_g32") == "int4"
    assert element("fp16") == "fp16"


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"weights": "uint8"}, "unsigned"),
        ({"rule": "gemmlowp", "accumulator": Accumulator(bits=40)}, "at most 32"),
        ({"weights": "int9000"}, "width=9000"),
    ],
)
def test_arithmetic_that_cannot_be_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        Arithmetic(**wrong)


def test_rows_are_scaled_by_their_own_largest_value_without_calibration():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 32)).astype(np.float32), rng.normal(size=(32, 5)).astype(np.float32)
    y = MacProgrammed(w, None, Arithmetic(), None, "layer").matmul(x)
    steps_x = np.abs(x).max(axis=1, keepdims=True) / 127
    steps_w = np.abs(w).max(axis=0) / 127
    codes = np.rint(x / steps_x) @ np.rint(w / steps_w)
    np.testing.assert_allclose(y, codes * steps_x * steps_w, rtol=1e-5)


def test_weights_that_all_vanish_are_refused():
    with pytest.raises(ValueError, match="all weights vanish"):
        MacProgrammed(
            np.full((4, 2), 1e-30, np.float32), None, Arithmetic(weights="fp16"), None, "layer"
        )
