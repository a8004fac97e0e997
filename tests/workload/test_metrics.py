"""Do metrics say what scikit-learn says, which way is better, and no word about what they cannot judge?"""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

import pimlab as pim
from pimlab.result import NORMAL_95
from pimlab.workload import (
    Accuracy,
    AveragePrecision,
    Determination,
    RootMeanSquareError,
    TopAccuracy,
    intervals,
)
from pimlab.workload.metrics import Own
from pimlab.workload.named_metrics import metric

RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=(200, 5)).round(1)  # many are equal
CLASSES = RNG.integers(0, 5, 200)
VALUES = RNG.normal(size=(200, 3))
NEAR = VALUES + 0.3 * RNG.normal(size=(200, 3))


def judged(kind, outputs, labels):
    halves = [
        kind.contributions(outputs[i : i + 77], labels[i : i + 77])
        for i in range(0, len(labels), 77)
    ]
    return kind.summarise(np.concatenate(halves))


def test_accuracy_counts_the_largest_output():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    np.testing.assert_array_equal(Accuracy().contributions(outputs, np.array([1, 0, 0])), [1, 1, 0])


def test_wilson_interval_by_hand():
    value, low, high = Accuracy().summarise(np.array([1.0] * 8 + [0.0] * 2))
    # Wilson 1927 for 8 of 10 at z = 1.96: (0.4902, 0.9433)
    assert value == 0.8
    np.testing.assert_allclose([low, high], [0.49016, 0.94332], atol=1e-5)


@given(st.integers(1, 500), st.data())
def test_the_interval_holds_the_value_and_stays_in_zero_to_one(n, drawn):
    right = drawn.draw(st.integers(0, n))
    value, low, high = Accuracy().summarise(np.array([1.0] * right + [0.0] * (n - right)))
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0


def test_no_samples_and_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="accuracy of no samples"):
        Accuracy().summarise(np.array([]))
    with pytest.raises(ValueError, match=r"outputs \(3,\) and labels \(3,\)"):
        Accuracy().contributions(np.zeros(3), np.zeros(3))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_top_k_finds_the_label_among_the_k_largest(k):
    found = judged(TopAccuracy(k), SCORES, CLASSES)[0]
    expected = [label in sorted(range(5), key=lambda c: -row[c])[:k]
                for row, label in zip(SCORES, CLASSES, strict=True)]  # fmt: skip
    assert found == pytest.approx(np.mean(expected))
    if k == 1:
        assert found == judged(Accuracy(), SCORES, CLASSES)[0]


def test_regression_as_scikit_learn_has_it():
    r2, rmse = judged(Determination(), NEAR, VALUES), judged(RootMeanSquareError(), NEAR, VALUES)
    expected = sk.r2_score(VALUES, NEAR, multioutput="variance_weighted")
    assert r2[0] == pytest.approx(expected)
    assert rmse[0] == pytest.approx(np.sqrt(np.mean((NEAR - VALUES) ** 2)))
    for value, low, high in (r2, rmse):
        assert low < value < high
    one = judged(RootMeanSquareError(), NEAR[:, :1], VALUES[:, 0])
    assert one[0] == pytest.approx(np.sqrt(np.mean((NEAR[:, 0] - VALUES[:, 0]) ** 2)))


def test_average_precision_as_scikit_learn_has_it():
    holds = (RNG.random((200, 5)) < [0.1, 0.5, 0.9, 0.3, 0.0]).astype(int)
    value, low, high = judged(AveragePrecision(), SCORES, holds)
    each = [sk.average_precision_score(holds[:, c], SCORES[:, c]) for c in range(4)]
    assert value == pytest.approx(np.mean(each))
    assert low < value < high
    classes = judged(AveragePrecision(), SCORES, CLASSES)[0]
    assert classes == pytest.approx(sk.average_precision_score(np.eye(5)[CLASSES], SCORES))


@given(st.integers(0, 2**32 - 1))
def test_intervals_cover_about_as_often_as_they_say(seed):
    rng = np.random.default_rng(seed)
    _, error = intervals.ratio(rng.normal(1, 1, 100), np.ones(100))
    assert 0.12 < error < 0.30  # 1.96 / 10, give or take
    assert scipy.stats.norm.ppf(0.975) == pytest.approx(NORMAL_95)


def test_a_bootstrap_is_near_the_normal_interval_and_the_same_each_time():
    values = RNG.normal(size=400)
    ends = [intervals.bootstrap(lambda w: w @ values / 400, 400) for _ in range(2)]
    assert ends[0] == ends[1]
    half = 1.96 * values.std() / 20
    assert ends[0] == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 3)


@pytest.mark.parametrize("name", ["accuracy", "top-5", "average_precision"])
def test_nan_is_no_answer(name):
    kind = metric(name)
    outputs = np.full((4, 6), np.nan)
    with pytest.raises(ValueError, match=rf"{kind.name}: the outputs of 4 of 4 samples hold NaN"):
        kind.contributions(outputs, np.zeros(4, int))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.array([0, 1, -1, 0]), r"labels\[2\]=-1 is no class \(1 of 4"),
        (np.array([0, 1, 5, 0]), r"labels\[2\]=5, and the model has 5 outputs; allowed: 0\.\.4"),
        (np.array([0, 1, 0.5, 0]), r"labels\[2\]=0.5 is no class"),
        (np.array([0, 1, np.nan, 0]), r"labels\[2\]=nan is no class"),
        (np.array(["a", "b", "c", "d"]), r"labels are <U1 such as \['a'\]"),
    ],
    ids=["negative", "beyond", "fraction", "nan", "text"],
)
@pytest.mark.parametrize("name", ["accuracy", "top-2"])
def test_labels_that_are_no_class_are_refused(name, labels, says):
    with pytest.raises(ValueError, match=says):
        metric(name).contributions(SCORES[:4], labels)


@pytest.mark.parametrize("name", ["r2", "rmse"])
def test_regression_refuses_what_is_no_number(name):
    kind = metric(name)
    with pytest.raises(ValueError, match="outputs hold 1 non-finite"):
        kind.contributions(np.array([1.0, np.inf]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"outputs \(2, 1\) and labels \(2, 2\)"):
        kind.contributions(np.zeros(2), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="labels are <U1"):
        kind.check(np.array(["a"]))


def test_what_has_no_answer_says_so():
    with pytest.raises(ValueError, match="r2: all 3 labels are"):
        judged(Determination(), np.zeros((3, 1)), np.ones((3, 1)))
    with pytest.raises(ValueError, match="no class holds"):
        judged(AveragePrecision(), np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="hold 2; allowed: 0 and 1"):
        AveragePrecision().check(np.array([[0, 2]]))


@pytest.mark.parametrize(
    ("name", "better"),
    [("accuracy", "higher"), ("top-5", "higher"), ("r2", "higher"), ("rmse", "lower"),
     ("average_precision", "higher"), ("character_error", "lower"), ("word_error", "lower")],
)  # fmt: skip
def test_every_metric_knows_its_direction(name, better):
    assert metric(name).better == better


def near_miss(outputs, labels):
    return np.abs(outputs.argmax(axis=1) - labels) <= 1


def test_a_function_of_ones_own_is_a_metric_with_its_direction():
    digits = pim.load_data("digits", limit=40)
    data = digits.but(metric=near_miss, better="higher")
    out = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"), data, chunk=7)
    assert out.near_miss.attrs["better"] == "higher"
    assert float(out.near_miss_low) <= float(out.near_miss) <= float(out.near_miss_high)
    f1 = digits.but(
        metric=lambda y, labels: sk.f1_score(labels, y.argmax(1), average="macro"), better="higher"
    )
    out = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"), f1)
    assert 0.8 < float(out.own_metric) <= 1
    assert np.isnan(float(out.own_metric_low))


@pytest.mark.parametrize("said", [None, "x", np.zeros((4, 2)), np.zeros(3), float("nan")])
def test_a_function_that_returns_no_number_is_named(said):
    kind = Own(lambda outputs, labels: said, "lower")
    with pytest.raises(ValueError, match=r"metric own_metric returned"):
        kind.summarise(kind.contributions(np.zeros((4, 2)), np.zeros(4)))


def test_k_of_top_k_is_a_count():
    for k in (0, True, 1.5, None):
        with pytest.raises(ValueError, match=f"top-k k={k!r}"):
            TopAccuracy(k)
