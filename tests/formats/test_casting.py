"""Casts: every code of every format, ties, NaN, infinities and saturation against ml_dtypes and gfloat."""

import gfloat
import ml_dtypes
import numpy as np
import pytest
from gfloat import formats as gf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pimlab import formats
from pimlab.keys import Key

ORACLES = {
    "fp16": (np.float16, gf.format_info_binary16),
    "bf16": (ml_dtypes.bfloat16, gf.format_info_bfloat16),
    "fp8_e4m3": (ml_dtypes.float8_e4m3fn, gf.format_info_ocp_e4m3),
    "fp8_e5m2": (ml_dtypes.float8_e5m2, gf.format_info_ocp_e5m2),
    "fp6_e2m3": (ml_dtypes.float6_e2m3fn, gf.format_info_ocp_e2m3),
    "fp6_e3m2": (ml_dtypes.float6_e3m2fn, gf.format_info_ocp_e3m2),
    "fp4_e2m1": (ml_dtypes.float4_e2m1fn, gf.format_info_ocp_e2m1),
}
WITH_SPECIALS = ("fp16", "bf16", "fp8_e4m3", "fp8_e5m2")
MODES = {"nearest": gfloat.RoundMode.TiesToEven, "toward_zero": gfloat.RoundMode.TowardZero}
SPLITS = st.builds(
    lambda e, m: formats.format(f"fp{1 + e + m}_e{e}m{m}"), st.integers(2, 8), st.integers(1, 10)
)
FLOATS = hnp.arrays(np.float32, 40, elements=st.floats(width=32, allow_nan=False))


def _critical(fmt):
    """Every value of the format, every midpoint between two, the float32 numbers around them, and what lies beyond."""
    grid = formats.format(fmt)
    v = grid.values[np.isfinite(grid.values)].astype(np.float64)
    beyond = min(2 * grid.largest, 3.4028232e38)
    v = np.unique(np.append(v, [beyond, -beyond]))
    points = np.clip(np.concatenate([v, (v[1:] + v[:-1]) / 2]), -3.4028232e38, 3.4028232e38).astype(
        np.float32
    )
    extremes = np.array([1e-45, -1e-45, 1e-38, 3.4e38, -3.4e38, 0.0, -0.0], np.float32)
    return np.concatenate(
        [
            points,
            np.nextafter(points, np.float32(np.inf)),
            np.nextafter(points, np.float32(-np.inf)),
            extremes,
        ]
    )


def _same(ours, theirs):
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(
        np.signbit(ours)[~np.isnan(ours)], np.signbit(theirs)[~np.isnan(theirs)]
    )


@pytest.mark.parametrize("name", ORACLES)
def test_every_code_and_tie_as_ml_dtypes(name):
    x, dtype = _critical(name), ORACLES[name][0]
    largest = formats.format(name).largest
    _same(formats.cast(x, name), np.clip(x, -largest, largest).astype(dtype).astype(np.float32))
    if name in WITH_SPECIALS:
        x = np.concatenate([x, np.array([np.inf, -np.inf, np.nan], np.float32)])
        with np.errstate(over="ignore"):
            _same(formats.cast(x, name, saturate=False), x.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("saturate", [True, False])
@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("name", ORACLES)
def test_every_code_and_tie_as_gfloat(name, rounding, saturate):
    x = _critical(name)
    if name in WITH_SPECIALS:
        x = np.concatenate([x, np.array([np.inf, -np.inf, np.nan], np.float32)])
    elif not saturate:
        x = x[np.abs(x) <= formats.format(name).largest]
    theirs = gfloat.round_ndarray(ORACLES[name][1], x.astype(np.float64), MODES[rounding], saturate)
    _same(formats.cast(x, name, rounding=rounding, saturate=saturate), theirs.astype(np.float32))


@pytest.mark.parametrize("name", ORACLES)
def test_codes_decode_as_ml_dtypes_and_encode_back(name):
    grid = formats.format(name)
    codes = np.arange(2**grid.width).astype(grid.dtype)
    theirs = codes.view(ORACLES[name][0]).astype(np.float32)
    _same(grid.decode(codes), theirs)
    number = ~np.isnan(theirs)
    np.testing.assert_array_equal(grid.encode(theirs[number]), codes[number])


@pytest.mark.parametrize("name", ["tf32", "fp32", "fp17_e7m9", "fp3_e2m0/none", "fp6_e2m3"])
def test_codes_of_any_width_come_back(name):
    split = name.partition("/")
    grid = (
        formats.FloatFormat(exponent=2, mantissa=0, specials="none")
        if split[2]
        else formats.format(name)
    )
    codes = np.unique(np.random.default_rng(0).integers(0, 2**grid.width, 3000))
    values = grid.decode(codes)
    number = ~np.isnan(values)
    np.testing.assert_array_equal(grid.encode(values[number]), codes[number])
    assert grid.encode(np.float32(1.0)).shape == ()
    assert np.isnan(grid.decode(grid.encode(values[~number]))).all()


def test_float64_is_rounded_once():
    x = np.float64(1 + 2**-4 + 2**-40)  # float32 would first make a tie of it
    assert formats.cast(x, "fp8_e4m3") == 1.125
    assert np.float32(x).astype(ml_dtypes.float8_e4m3fn) == 1.0
    wide = np.random.default_rng(0).standard_normal(20000) * 10.0 ** np.random.default_rng(
        1
    ).uniform(-9, 6, 20000)
    theirs = gfloat.round_ndarray(gf.format_info_bfloat16, wide)
    _same(formats.cast(wide, "bf16"), theirs.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int16])
@pytest.mark.parametrize("name", ["fp8_e4m3", "fp16", "tf32", "fp32", "mxfp4"])
def test_the_order_in_memory_does_not_matter(dtype, name):
    x = (30 * np.random.default_rng(0).standard_normal((5, 33, 7))).astype(dtype)
    for rounding in ("nearest", "toward_zero", "stochastic"):
        for view in (np.asfortranarray(x), x.T, x[::2], x[..., ::-1]):
            plain = formats.cast(np.array(view, order="C"), name, rounding=rounding, seed=2)
            np.testing.assert_array_equal(
                formats.cast(view, name, rounding=rounding, seed=2), plain
            )


@pytest.mark.parametrize("x", [500.0, np.float32(500), np.float64(500), np.int8(100)])
def test_a_number_stays_one(x):
    assert formats.cast(x, "fp8_e4m3").shape == formats.quantize(x, "int8").dequantize().shape == ()


def test_formats_with_the_whole_mantissa_of_float32():
    x = np.random.default_rng(0).standard_normal(5000)
    np.testing.assert_array_equal(formats.cast(x, "fp32"), x.astype(np.float32))
    kept = np.abs(x.astype(np.float32)) >= 2.0**-14
    assert kept.any()
    for rounding in ("nearest", "toward_zero", "stochastic"):
        np.testing.assert_array_equal(
            formats.cast(x[kept], "fp29_e5m23", rounding=rounding), x[kept].astype(np.float32)
        )


def test_tf32_keeps_ten_bits():
    x = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    step = np.exp2(np.floor(np.log2(np.abs(x))) - 10)
    np.testing.assert_array_equal(formats.cast(x, "tf32"), np.rint(x / step) * step)


@settings(max_examples=60, deadline=None)
@given(SPLITS, FLOATS, st.sampled_from(["nearest", "toward_zero", "stochastic"]))
def test_any_split_is_idempotent_and_monotone(grid, x, rounding):
    y = formats.cast(x, grid, rounding=rounding)
    np.testing.assert_array_equal(formats.cast(y, grid), y)
    assert np.abs(y).max() <= grid.largest
    if rounding != "stochastic":
        assert (np.diff(y[np.argsort(x, kind="stable")]) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(1, 9), FLOATS)
def test_error_is_half_a_step_and_more_mantissa_is_never_worse(exponent, mantissa, x):
    grids = [formats.FloatFormat(exponent=exponent, mantissa=m) for m in (mantissa, mantissa + 1)]
    x = np.clip(x, -grids[0].largest, grids[0].largest)
    errors = [np.abs(formats.cast(x, g).astype(np.float64) - x) for g in grids]
    step = np.maximum(np.abs(x.astype(np.float64)) * 2.0**-mantissa, grids[0].smallest)
    assert (errors[0] <= step / 2).all()
    assert (errors[1] <= errors[0]).all()


def test_stochastic_is_unbiased_with_the_variance_of_theory():
    x = np.linspace(1, 2, 400, dtype=np.float32)[:, None] * np.ones((1, 4000), np.float32)
    error = (formats.cast(x, "fp8_e4m3", rounding="stochastic", seed=7) - x) * 8  # in steps
    part = x[:, 0] * 8 % 1
    assert abs(error.mean()) < 5 * np.sqrt(1 / 6 / error.size)
    np.testing.assert_allclose(error.var(axis=1), part * (1 - part), atol=0.02)
    assert (
        abs(np.mean(error**2) - 1 / 6) < 0.002
    )  # PHYSICS: twice the variance of rounding to nearest


def test_stochastic_numbers_belong_to_rows():
    x = np.random.default_rng(0).standard_normal((50, 3, 700)).astype(np.float32)
    whole = formats.cast(x, "fp4_e2m1", rounding="stochastic", seed=3)
    parts = [
        formats.cast(x[a:b], "fp4_e2m1", rounding="stochastic", seed=Key(seed=3).rows(a))
        for a, b in ((0, 17), (17, 50))
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, formats.cast(x, "fp4_e2m1", rounding="stochastic", seed=4))


def test_overflows_are_counted():
    assert (
        formats.overflows(np.array([448, 464, 464.1, -1e9, np.inf, np.nan], np.float32), "fp8_e4m3")
        == 2
    )
    assert formats.overflows(np.array([65519.99, 65520], np.float32), "fp16") == 1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: formats.cast(1.0, "fp8_e4m2"),
            "1 sign . 4 exponent . 2 mantissa bits are 7, not 8",
        ),
        (lambda: formats.cast(1.0, "fp8_e4m3x"), "did you mean 'fp8_e4m3'"),
        (lambda: formats.cast(1.0, "fp8_e4m3", rounding="nearset"), "did you mean 'nearest'"),
        (lambda: formats.cast(1.0, "int8"), "write quantize"),
        (lambda: formats.cast(np.nan, "fp4_e2m1"), "fp4_e2m1 has no NaN"),
        (lambda: formats.cast(7.1, "fp4_e2m1", saturate=False), "beyond 6"),
        (lambda: formats.cast([1.0], "mxfp4", saturate=False), "saturates by definition"),
        (lambda: formats.cast([1.0], "mxfp4", axis=1), "axis=1 is outside"),
        (lambda: formats.cast([1j], "fp16"), "complex"),
        (lambda: formats.cast([1.0], "mxfp4", axis=None), "axis=None is not an integer"),
        (
            lambda: formats.cast([1.0], "fp16", saturate="no"),
            "cast saturate='no' is not True or False",
        ),
        (
            lambda: formats.IntegerFormat(width=8, signed="no"),
            "IntegerFormat signed='no' is not True or False",
        ),
        (lambda: formats.format("fp9_e8m0"), "cannot exist"),
        (lambda: formats.format("fp12_e9m2"), "exponent=9 is outside 1..8"),
        (lambda: formats.FloatFormat(exponent=8, mantissa=3, specials="none"), "beyond float32"),
        (lambda: formats.FloatFormat(exponent=1, mantissa=3), "cannot exist"),
        (lambda: formats.FloatFormat(exponent=4, mantisa=3), "did you mean 'mantissa'"),
        (lambda: formats.format("fp16").encode(np.float32(1.0001)), "does not hold"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()


@pytest.mark.parametrize("name", ["fp16", "fp32", "mxfp8_e4m3"])
@pytest.mark.parametrize("axis", ["gibberish", 0.5, True, None])
def test_an_axis_that_is_none_is_refused_whatever_the_format(name, axis):
    with pytest.raises(TypeError, match=f"cast axis={axis!r} is not an integer"):
        formats.cast(np.ones((2, 32), np.float32), name, axis=axis)


@pytest.mark.parametrize("saturate", [True, False])
@pytest.mark.parametrize("name", ["fp8_e4m3fnuz", "fp8_e5m2fnuz"])
def test_fnuz_equals_ml_dtypes(name, saturate):
    """Every code, every neighbour of one and every middle; ml_dtypes does not saturate."""
    kind, grid = getattr(ml_dtypes, name.replace("fp8", "float8")), formats.format(name)
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(grid.values, codes.view(kind).astype(np.float32))
    values = np.sort(grid.values[np.isfinite(grid.values)])
    x = np.concatenate([values, (values[1:] + values[:-1]) / 2, [1e9, -1e9, np.inf, np.nan, -0.0]])
    x = x.astype(np.float32)
    x = np.concatenate([x, np.nextafter(x, np.float32(9e9)), np.nextafter(x, np.float32(-9e9))])
    wanted = x.astype(kind).astype(np.float32)
    if saturate:
        beyond = np.isnan(wanted) & ~np.isnan(x)
        wanted = np.where(beyond, np.copysign(np.float32(grid.largest), x), wanted)
    y = formats.cast(x, name, saturate=saturate)
    np.testing.assert_array_equal(y, wanted)
    assert not np.signbit(y[y == 0]).any()
    np.testing.assert_array_equal(grid.encode(y), y.astype(kind).view(np.uint8))


def test_e8m0_equals_ml_dtypes():
    grid, codes = formats.format("e8m0"), np.arange(256, dtype=np.uint8)
    values = codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    np.testing.assert_array_equal(grid.decode(codes), values)
    # ml_dtypes rounds up between 2**-127 and 2**-126, where float32 is subnormal
    x = np.exp2(np.random.default_rng(0).uniform(-126, 128, 4000)).astype(np.float32)
    x = np.concatenate([x, values, 1.5 * values[:254], [0, -1, np.inf, -np.inf, 3.3e38]])
    x = x.astype(np.float32)
    wanted = x.astype(ml_dtypes.float8_e8m0fnu)
    y = formats.cast(x, "e8m0", saturate=False)
    np.testing.assert_array_equal(y, wanted.astype(np.float32))
    np.testing.assert_array_equal(grid.encode(y), wanted.view(np.uint8))
    assert formats.cast(np.array([3.3e38, np.inf]), "e8m0").tolist() == [2.0**127] * 2
    small = np.array([1e-45, 1.4 * 2.0**-127, 1.6 * 2.0**-127])
    assert formats.cast(small, "e8m0").tolist() == [2.0**-127, 2.0**-127, 2.0**-126]
    with pytest.raises(ValueError, match=r"does not hold"):
        grid.encode(np.array([3.0], np.float32))
    with pytest.raises(ValueError, match=r"rounded to nearest"):
        formats.cast(x, "e8m0", rounding="toward_zero")
