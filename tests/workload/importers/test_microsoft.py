"""What ONNX Runtime's fusions stand for: equal to ONNX Runtime, and refused where they say more."""

import numpy as np
import pytest
from onnx_graphs import node, write

from pimlab.workload import ModelError, OnnxModel

RNG = np.random.default_rng(5)
OWN = ("com.microsoft",)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def equal(path, *x):
    model = OnnxModel(path)
    given = x[0] if len(x) == 1 else dict(zip(model.shapes, x, strict=True))
    np.testing.assert_allclose(
        model.execute(given, model.exact), model.oracle(given), rtol=1e-4, atol=1e-5
    )
    return model


def made(tmp_path, kind, inputs, x, constants, **attributes):
    one = node(kind, inputs, name="fused", domain="com.microsoft", **attributes)
    shape = ("batch", *x.shape[1:])
    return write(tmp_path / "m.onnx", [one], {"x": shape}, constants, domains=OWN)


@pytest.mark.parametrize(("turned", "alpha"), [(0, 1.0), (1, 0.25)])
def test_products_that_are_turned_and_scaled(tmp_path, turned, alpha):
    w = floats(6, 5).T.copy() if turned else floats(6, 5)
    path = made(
        tmp_path, "FusedMatMul", ["x", "w"], floats(3, 6), {"w": w}, transB=turned, alpha=alpha
    )
    assert equal(path, floats(3, 6)).weights["fused"].shape == (1, 6, 5)


@pytest.mark.parametrize(
    ("activation", "more"),
    [
        ("Relu", {}),
        ("Clip", {"activation_params": [-0.5, 1.0]}),
        ("LeakyRelu", {"activation_params": [0.1]}),
    ],
)
def test_convolutions_with_their_activation(tmp_path, activation, more):
    constants = {"w": floats(4, 2, 3, 3), "b": floats(4)}
    path = made(tmp_path, "FusedConv", ["x", "w", "b"], floats(1, 2, 5, 5), constants,
                activation=activation, kernel_shape=[3, 3], **more)  # fmt: skip
    equal(path, floats(2, 2, 5, 5))


def test_gemm_with_its_activation(tmp_path):
    constants = {"w": floats(6, 5), "b": floats(5)}
    path = made(tmp_path, "FusedGemm", ["x", "w", "b"], floats(1, 6), constants, activation="Relu")
    equal(path, floats(3, 6))


@pytest.mark.parametrize("kind", ["Gelu", "BiasGelu", "FastGelu", "QuickGelu"])
def test_gelus(tmp_path, kind):
    first = node("MatMul", ["x", "w"], "h", name="product")
    names = ["h", "b"] if kind in ("BiasGelu", "FastGelu") else ["h"]
    second = node(kind, names, name="bent", domain="com.microsoft")
    path = write(tmp_path / "m.onnx", [first, second], {"x": ("batch", 6)},
                 {"w": floats(6, 8), "b": floats(8)}, domains=OWN)  # fmt: skip
    equal(path, floats(3, 6))


@pytest.mark.parametrize("kind", ["SkipLayerNormalization", "SkipSimplifiedLayerNormalization"])
def test_norms_of_sums(tmp_path, kind):
    first = node("MatMul", ["x", "w"], "h", name="product")
    names = ["h", "x", "g", "b"] if kind == "SkipLayerNormalization" else ["h", "x", "g"]
    second = node(kind, names, name="norm", domain="com.microsoft", epsilon=1e-5)
    constants = {"w": floats(6, 6), "g": floats(6), "b": floats(6)}
    path = write(
        tmp_path / "m.onnx", [first, second], {"x": ("batch", 4, 6)}, constants, domains=OWN
    )
    equal(path, floats(3, 4, 6))


@pytest.mark.parametrize("kind", ["LayerNormalization", "SimplifiedLayerNormalization"])
def test_norms_that_the_standard_has_later_or_never(tmp_path, kind):
    """As ONNX Runtime writes them into a file of version 12."""
    first = node("MatMul", ["x", "w"], "h", name="product")
    names = ["h", "g", "b"] if kind == "LayerNormalization" else ["h", "g"]
    second = node(kind, names, name="norm", axis=-1, epsilon=1e-3)
    constants = {"w": floats(6, 6), "g": floats(6), "b": floats(6)}
    path = write(tmp_path / "m.onnx", [first, second], {"x": ("batch", 4, 6)}, constants, opset=12)
    equal(path, floats(3, 4, 6))


def attended(tmp_path, **attributes):
    constants = {"w": floats(8, 24) / 3, "b": floats(24)}
    return made(
        tmp_path,
        "Attention",
        ["x", "w", "b"],
        floats(1, 5, 8),
        constants,
        num_heads=2,
        **attributes,
    )


def test_attention_of_packed_heads(tmp_path):
    model = equal(attended(tmp_path), floats(2, 5, 8))
    assert {op.name: op.kind for op in model.mac_ops} == {
        "fused.packed": "weights", "fused.scores": "activations", "fused.values": "activations",
    }  # fmt: skip


def test_what_fusions_say_beyond_that_is_refused(tmp_path):
    with pytest.raises(
        ModelError, match=r"'fused' \(Attention\) has a past, a bias of scores or a causal"
    ):
        OnnxModel(attended(tmp_path, unidirectional=1))
    path = made(
        tmp_path, "FusedGemm", ["x", "w"], floats(1, 6), {"w": floats(6, 5)}, activation="Softplus"
    )
    with pytest.raises(ModelError, match="has the activation 'Softplus'; allowed: Relu"):
        OnnxModel(path)
    path = made(
        tmp_path, "FusedMatMul", ["x", "w"], floats(1, 6), {"w": floats(6, 5)}, transBatchA=1
    )
    with pytest.raises(ModelError, match="exchanges batches"):
        OnnxModel(path)
