"""Rules that choose a range: what each promises, on data where the answer is known."""

import numpy as np
import pytest

from pimlab import formats
from pimlab.formats import calibration

GAUSS = np.random.default_rng(0).standard_normal(200_000)
OUTLIERS = np.append(GAUSS, [60.0, -55.0])


def _error(samples, low, high, name):
    scale, zero = formats.affine(low, high, formats.format(name))
    q = formats.quantize(samples.astype(np.float32), name, scale=scale, zero_point=zero)
    return float(np.mean((q.dequantize() - samples) ** 2))


def test_minmax_is_the_extremes():
    assert calibration.calibrate(OUTLIERS, "minmax") == (-55.0, 60.0)


def test_percentile_leaves_the_share_outside():
    low, high = calibration.calibrate(GAUSS, "percentile")
    assert np.mean((low > GAUSS) | (high < GAUSS)) == pytest.approx(0.001, abs=2e-4)
    assert high == pytest.approx(3.29, abs=0.1)


@pytest.mark.parametrize(
    ("name", "sigma"), [("int4", 2.69), ("int3", 2.35), ("int5", 3.03), ("int6", 3.33)]
)
def test_mse_finds_the_optimal_clipping_of_a_gaussian(name, sigma):
    """Half of 2**b steps of the uniform quantiser with the smallest error (J. Max, IRE Trans. Inf. Theory 6, 7 (1960))."""
    low, high = calibration.calibrate(GAUSS, "mse", name)
    levels = 2 ** formats.format(name).width
    assert (high - low) / 2 * levels / (levels - 1) == pytest.approx(sigma, abs=0.12)
    best = min(_error(GAUSS, -t, t, name) for t in np.linspace(1.5, 5, 71))
    assert _error(GAUSS, low, high, name) < 1.03 * best


CLIPPING = [
    ("percentile", "int4"),
    ("percentile", "uint8"),
    ("mse", "int4"),
    ("entropy", "int4"),
    ("entropy", "uint8"),
]


@pytest.mark.parametrize(("rule", "name"), CLIPPING)
def test_every_rule_beats_minmax_on_outliers(rule, name):
    ranges = {r: calibration.calibrate(OUTLIERS, r, name) for r in (rule, "minmax")}
    assert _error(GAUSS, *ranges[rule], name) < 0.3 * _error(GAUSS, *ranges["minmax"], name)
    assert 2 < ranges[rule][1] < 20


@pytest.mark.parametrize("rule", ["minmax", "percentile", "entropy"])
def test_mse_is_never_worse_where_it_counts(rule):
    """At 8 bits two outliers in 200,000 are worth keeping: the mean square says so, and decides by it."""
    errors = {
        r: _error(OUTLIERS, *calibration.calibrate(OUTLIERS, r, "uint8"), "uint8")
        for r in (rule, "mse")
    }
    assert errors["mse"] <= errors[rule]


@pytest.mark.parametrize("rule", calibration.RULES)
@pytest.mark.parametrize("side", [1, -1])
def test_one_sided_data_keeps_zero_as_an_end(rule, side):
    low, high = calibration.calibrate(side * np.abs(GAUSS), rule)
    inner, outer = (low, high) if side > 0 else (-high, -low)
    assert abs(inner) < 0.02
    assert 2.5 < outer < 6


@pytest.mark.parametrize("name", ["int4", "int8"])
def test_entropy_is_not_drawn_to_the_zeros_after_a_relu(name):
    """Zeros keep their code in any range: however many they are, the others choose it."""
    rectified = np.maximum(GAUSS, 0)
    more = np.append(rectified, np.zeros(5 * len(GAUSS)))
    (_, few), (_, many) = (calibration.calibrate(x, "entropy", name) for x in (rectified, more))
    assert many == pytest.approx(few, rel=0.1)
    assert _error(rectified, 0, few, name) < 2 * _error(rectified, 0, rectified.max(), name)


@pytest.mark.parametrize("rule", calibration.RULES)
def test_constant_data(rule):
    low, high = calibration.calibrate(np.zeros(5), rule)
    assert low <= 0 <= high
    low, high = calibration.calibrate(np.full(5, 3.0), rule)
    assert high >= 2.9


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: calibration.calibrate(GAUSS, "entropi"), "did you mean 'entropy'"),
        (lambda: calibration.calibrate([], "mse"), "0 samples"),
        (lambda: calibration.calibrate([np.nan], "mse"), "1 non-finite"),
        (lambda: calibration.calibrate(GAUSS, "mse", "fp16"), "integer formats"),
        (lambda: calibration.percentile(*calibration.histogram(GAUSS), share=0.0), "share=0.0"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises(ValueError, match=text):
        call()
