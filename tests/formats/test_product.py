"""The product of a float MAC array: accumulators, orders, events."""

import ml_dtypes
import numpy as np
import pytest

from pimlab import formats
from pimlab.formats import FloatAccumulator

RNG = np.random.default_rng(0)
X, W = (
    RNG.standard_normal((6, 40)).astype(np.float32),
    RNG.standard_normal((40, 9)).astype(np.float32),
)


def _by_numpy(x, w, dtype):
    """Multiply, round, add, round, in NumPy's own arithmetic."""
    x, w = x.astype(dtype), w.astype(dtype)
    acc = np.zeros((x.shape[0], w.shape[1]), dtype)
    for p in range(x.shape[1]):
        acc = acc + x[:, p, None] * w[p]
    return acc.astype(np.float32)


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16), ("fp32", np.float32)]
)
def test_rounded_sequence_is_numpys(name, dtype):
    y = formats.product(X, W, name, name, FloatAccumulator(format=name, products="rounded")).y
    np.testing.assert_array_equal(y, _by_numpy(X, W, dtype))


def test_chunks_and_tree_by_hand():
    x, w = np.ones((1, 5), np.float32), np.array([[2048], [1], [1], [1], [1]], np.float32)
    total = {
        how: formats.product(x, w, "fp16", "fp16", FloatAccumulator(format="fp16", **how_)).y.item()
        for how, how_ in {
            "sequence": {},
            "chunks": {"order": "chunks", "chunk": 2},
            "tree": {"order": "tree"},
        }.items()
    }
    # 2048 + 1 is a tie that goes back to 2048. Pairs of ones survive: 2048 + 2 = 2050, and 2050 + 1 is a tie that goes to 2052.
    assert total == {"sequence": 2048.0, "chunks": 2052.0, "tree": 2052.0}


@pytest.mark.parametrize("order", ["sequence", "tree"])
def test_one_product_stands_in_the_accumulators_format(order):
    y = formats.product(
        X[:, :1], W[:1], "fp16", "fp16", FloatAccumulator(format="bf16", order=order)
    ).y
    np.testing.assert_array_equal(y, formats.cast(y, "bf16"))


def test_a_wide_accumulator_is_nearer_the_truth():
    truth = X.astype(np.float64) @ W.astype(np.float64)

    def error(accumulator):
        return np.abs(formats.accumulated(X, W, accumulator) - truth).mean()

    fp32, fp16, bf16 = (error(FloatAccumulator(format=name)) for name in ("fp32", "fp16", "bf16"))
    assert fp32 < fp16 < bf16
    assert error(FloatAccumulator(format="bf16", order="chunks", chunk=8)) < bf16


@pytest.mark.parametrize("name", ["mxfp8_e4m3", "mxfp4", "mxint8"])
def test_blocks_lie_along_k(name):
    y = formats.product(X, W, name, name, FloatAccumulator()).y
    exact = formats.cast(X, name).astype(np.float64) @ formats.cast(W, name, axis=0).astype(
        np.float64
    )
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-5)


def test_events_are_counted():
    x = np.array([[1000.0, 500.0, 2.0]], np.float32)
    result = formats.product(
        x, np.full((3, 2), 60000, np.float32), "fp8_e4m3", "fp16", FloatAccumulator(format="fp16")
    )
    assert result.events == {"x saturated": 2, "w saturated": 0, "sums overflowed": 2}
    assert np.isinf(result.y).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: formats.product(X, W[1:], "fp16", "fp16", FloatAccumulator()), "k must agree"),
        (
            lambda: formats.product(X, W, "int8", "fp16", FloatAccumulator()),
            "accumulator of integers",
        ),
        (lambda: formats.product(X, W * np.inf, "fp16", "fp16", FloatAccumulator()), "non-finite"),
        (lambda: formats.product(X[:0], W, "fp16", "fp16", FloatAccumulator()), "none of them 0"),
        (lambda: formats.product(X, W, "fp16", "fp16", "fp32"), "is not a FloatAccumulator"),
        (
            lambda: FloatAccumulator(order="chunks"),
            "chunk=None: allowed with this order: chunk=1 or more",
        ),
        (lambda: FloatAccumulator(chunk=4), "allowed with this order: chunk=None"),
        (lambda: FloatAccumulator(format="fp64"), "did you mean"),
    ],
)
def test_bad_input(call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        call()
