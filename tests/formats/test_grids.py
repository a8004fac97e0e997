"""Blocks that share a scale: the microscaling rule written out, weight-only rules against gguf, scaled floats."""

import gguf
import ml_dtypes
import numpy as np
import pytest
from gguf.quants import dequantize as gguf_dequantize
from gguf.quants import quantize as gguf_quantize
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pimlab import formats

ELEMENTS = {  # emax, largest, how a clipped number is rounded
    "mxfp8_e4m3": (8, 448.0, ml_dtypes.float8_e4m3fn),
    "mxfp8_e5m2": (15, 57344.0, ml_dtypes.float8_e5m2),
    "mxfp6_e2m3": (2, 7.5, ml_dtypes.float6_e2m3fn),
    "mxfp6_e3m2": (4, 28.0, ml_dtypes.float6_e3m2fn),
    "mxfp4": (2, 6.0, ml_dtypes.float4_e2m1fn),
    "mxint8": (0, 127 / 64, None),
    "mxint4": (0, 7 / 4, None),
}


def _rule(x, name):
    """OCP MX: scale 2**(floor(log2 max) - emax), saturate, nearest even; x (rows, 32 b)."""
    emax, largest, dtype = ELEMENTS[name]
    step = {"mxint8": 64, "mxint4": 4}.get(name)
    blocks = x.astype(np.float64).reshape(x.shape[0], -1, 32)
    peak = np.abs(blocks).max(axis=-1, keepdims=True)
    exponent = np.maximum(np.frexp(peak)[1] - 1 - emax, -127)
    element = np.clip(blocks * 2.0**-exponent, -largest, largest)
    rounded = (
        np.rint(element * step) / step
        if dtype is None
        else element.astype(np.float32).astype(dtype).astype(np.float64)
    )
    return (rounded * 2.0**exponent).astype(np.float32).reshape(x.shape)


@pytest.mark.parametrize("name", ELEMENTS)
def test_microscaling_rule(name):
    rng = np.random.default_rng(5)
    x = (
        rng.standard_normal((300, 96))
        * 10.0 ** rng.uniform(-38, 38, (300, 1))
        * 10.0 ** rng.uniform(-3, 0, (300, 96))
    ).astype(np.float32)
    np.testing.assert_array_equal(formats.cast(x, name), _rule(x, name))
    np.testing.assert_array_equal(formats.quantize(x, name).dequantize(), _rule(x, name))
    np.testing.assert_array_equal(formats.cast(x.T, name, axis=0), _rule(x, name).T)


def test_by_hand():
    x = np.zeros((1, 34), np.float32)
    x[0, :4] = (
        5.0,
        0.25,
        -0.3,
        7.9,
    )  # floor(log2 7.9) - 2 = 0: the scale is 1, and 7.9 saturates at 6
    x[0, 32:] = 0.75, 0.0  # the shorter last block has its own scale, 2**-3
    q = formats.quantize(x, "mxfp4")
    assert q.dequantize()[0, [0, 1, 2, 3, 32]].tolist() == [4.0, 0.0, -0.5, 6.0, 0.75]
    assert q.scale.tolist() == [[1.0, 0.125]]
    assert q.saturated == 1
    assert q.codes[0, :4].tolist() == [0b0110, 0, 0b1001, 0b0111]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_block_that_is_not_finite_is_nan_as_a_whole(bad):
    x = np.ones((1, 64), np.float32)
    x[0, 3] = bad
    y = formats.cast(x, "mxfp8_e4m3")
    assert np.isnan(y[0, :32]).all()
    assert (y[0, 32:] == 1).all()


@pytest.mark.parametrize("rounding", ["toward_zero", "stochastic"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_other_roundings_stay_next_to_x(name, rounding):
    x = np.random.default_rng(2).standard_normal((40, 70)).astype(np.float32)
    y, near = formats.cast(x, name, rounding=rounding), formats.cast(x, name)
    np.testing.assert_array_equal(formats.cast(y, name)[y != 0] != 0, True)
    if rounding == "toward_zero":
        assert (np.abs(y) <= np.abs(x)).all()
    else:
        assert (y != near).any()


def test_stochastic_blocks_are_unbiased():
    row = np.linspace(-3, 3, 64, dtype=np.float32)  # 3.1 would saturate: six steps of 0.5
    y = formats.cast(np.tile(row, (4000, 1)), "mxfp4", rounding="stochastic", seed=1)
    spread = np.maximum(y.std(axis=0), 1e-3) / np.sqrt(len(y))
    assert (np.abs(y.mean(axis=0) - row) < 5 * spread).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stochastic_blocks_do_not_depend_on_how_the_work_is_cut(axis, monkeypatch):
    x = np.random.default_rng(0).standard_normal((70, 33, 5)).astype(np.float32)
    whole = formats.cast(x, "mxfp4", rounding="stochastic", seed=5, axis=axis)
    monkeypatch.setattr("pimlab.formats.casting._SLAB", 700)
    np.testing.assert_array_equal(
        formats.cast(x, "mxfp4", rounding="stochastic", seed=5, axis=axis), whole
    )
    monkeypatch.setattr("pimlab.formats.casting._SLAB", 10**6)
    np.testing.assert_array_equal(
        formats.cast(x, "mxfp4", rounding="stochastic", seed=5, axis=axis), whole
    )


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float32, (2, 40), elements=st.floats(-(2.0**120), 2.0**120, width=32)),
    st.sampled_from(sorted(ELEMENTS)),
)
def test_idempotent_and_bounded(x, name):
    y = formats.cast(x, name)
    np.testing.assert_array_equal(formats.cast(y, name), y)
    assert (np.abs(y) <= 2 * np.abs(x).max()).all()


@pytest.mark.parametrize("rule", ["q4_0", "q4_1", "q8_0"])
def test_weight_blocks_as_gguf(rule):
    kind = gguf.GGMLQuantizationType[rule.upper()]
    x = (
        np.random.default_rng(3).standard_normal((50, 256))
        * 10.0 ** np.linspace(-3, 2, 50)[:, None]
    ).astype(np.float32)
    x[0, :32] = 0
    theirs = gguf_dequantize(gguf_quantize(x, kind), kind)
    np.testing.assert_array_equal(formats.quantize(x, rule).dequantize(), theirs)
    np.testing.assert_array_equal(formats.quantize(x.T, rule, axis=0).dequantize(), theirs.T)


@pytest.mark.parametrize("name", ["fp8_e4m3", "fp8_e5m2", "fp6_e2m3", "fp4_e2m1"])
@pytest.mark.parametrize(("axis", "group"), [(None, None), (1, None), (0, 8)])
def test_small_floats_are_scaled_to_their_range(name, axis, group):
    w = np.random.default_rng(4).standard_normal((32, 5)).astype(np.float32) * 1e-4
    q = formats.quantize(w, name, axis, group)
    assert q.saturated == 0
    grid = formats.format(name)
    assert np.abs(q.numbers()).max() == grid.largest
    assert np.abs(q.dequantize() - w).max() <= np.abs(w).max() * 2.0 ** -(grid.mantissa + 1)


def test_wide_floats_are_not_scaled():
    x = np.random.default_rng(4).standard_normal(100).astype(np.float32)
    np.testing.assert_array_equal(formats.quantize(x, "fp16").dequantize(), x.astype(np.float16))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: formats.quantize(x, "q4_0"), "blocks of 32 do not divide axis 1 of length 40"),
        (lambda x: formats.quantize(x * 1e9, "q8_0", axis=0), "beyond binary16"),
        (lambda x: formats.quantize(x, "mxfp4", group=16), "group=16: blocks of mxfp4 have 32"),
        (lambda x: formats.quantize(x, "mxfp4", scale=1.0), "choose their own"),
        (lambda x: formats.quantize(x, "fp8_e4m3", zero_point=1, scale=1.0), "belong to integer"),
        (lambda x: formats.MicroscalingFormat(element=formats.format("uint8")), "unsigned"),
        (
            lambda x: formats.MicroscalingFormat(element=formats.format("fp4"), block=0),
            "block=0 is outside",
        ),
        (lambda x: formats.BlockedFormat(rule="q5_0"), "did you mean"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call(np.ones((32, 40), np.float32))
