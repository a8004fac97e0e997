"""The encoder's graph equals a plain NumPy BERT; safetensors are read or refused; Pearson by hand."""

import json

import numpy as np
import pytest
from scipy.special import erf

from pimlab.workload import ModelError, PearsonSimilarity
from pimlab.workload.importers.onnx_split import OnnxModel
from pimlab.workload.zoo.minilm import encoder, pooled, tensors

RNG = np.random.default_rng(0)
WIDTH, WORDS, LENGTH = 24, 30, 7


def random_tensors():
    def t(*shape):
        return (RNG.standard_normal(shape) * 0.3).astype(np.float32)

    found = {
        "embeddings.word_embeddings.weight": t(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": t(10, WIDTH),
        "embeddings.token_type_embeddings.weight": t(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(6):
        key = f"encoder.layer.{layer}"
        norms += [f"{key}.attention.output.LayerNorm", f"{key}.output.LayerNorm"]
        for part, shape in {
            "attention.self.query": (WIDTH, WIDTH),
            "attention.self.key": (WIDTH, WIDTH),
            "attention.self.value": (WIDTH, WIDTH),
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (48, WIDTH),
            "output.dense": (WIDTH, 48),
        }.items():
            found[f"{key}.{part}.weight"], found[f"{key}.{part}.bias"] = t(*shape), t(shape[0])
    for norm in norms:
        found[f"{norm}.weight"], found[f"{norm}.bias"] = 1 + t(WIDTH), t(WIDTH)
    return found


def bert(found, ids):
    """float64 hidden states (n, tokens, WIDTH), term by term."""
    f = {name: value.astype(np.float64) for name, value in found.items()}

    def dense(x, key):
        return x @ f[f"{key}.weight"].T + f[f"{key}.bias"]

    def norm(x, key):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * f[
            f"{key}.weight"
        ] + f[f"{key}.bias"]

    def heads(x):
        return x.reshape(*x.shape[:2], 12, -1).swapaxes(1, 2)

    x = (
        f["embeddings.word_embeddings.weight"][ids]
        + f["embeddings.position_embeddings.weight"][: ids.shape[1]]
    )
    x = norm(x + f["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(6):
        key = f"encoder.layer.{layer}"
        q, k, v = (
            heads(dense(x, f"{key}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        scores = (
            q @ k.swapaxes(2, 3) / np.sqrt(WIDTH // 12)
            + np.where(ids == 0, -np.inf, 0)[:, None, None]
        )
        p = np.exp(scores - scores.max(-1, keepdims=True))
        seen = (p / p.sum(-1, keepdims=True)) @ v
        x = norm(
            x + dense(seen.swapaxes(1, 2).reshape(x.shape), f"{key}.attention.output.dense"),
            f"{key}.attention.output.LayerNorm",
        )
        wide = dense(x, f"{key}.intermediate.dense")
        x = norm(
            x + dense(wide * (1 + erf(wide / np.sqrt(2))) / 2, f"{key}.output.dense"),
            f"{key}.output.LayerNorm",
        )
    return x


def test_the_encoder_equals_bert_in_plain_numpy():
    found = random_tensors()
    model = OnnxModel(
        encoder(found, LENGTH),
        adapt=lambda ids: {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)},
    )
    ids = RNG.integers(1, WORDS, (3, LENGTH))
    ids[1, 4:] = 0
    expected, kept = bert(found, ids), ids != 0
    np.testing.assert_allclose(model.execute(ids, model.exact)[kept], expected[kept], atol=2e-4)
    np.testing.assert_allclose(model.oracle(ids)[kept], expected[kept], atol=2e-4)
    assert len(model.mac_ops) == 6 * 8
    assert sum(op.kind == "activations" for op in model.mac_ops) == 12
    assert len(model.biases) == 36


def test_pooling_leaves_padding_out():
    hidden = np.array([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]], np.float32)
    np.testing.assert_allclose(
        pooled(hidden, {"attention_mask": np.array([[1, 1, 0]])}), [[0.6, 0.8]]
    )


def test_safetensors_are_read_and_cut_ones_refused(tmp_path):
    data = np.arange(6, dtype=np.float32)
    header = json.dumps(
        {"__metadata__": {}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    ).encode()
    path = tmp_path / "m.safetensors"
    whole = len(header).to_bytes(8, "little") + header + data.tobytes()
    path.write_bytes(whole)
    np.testing.assert_array_equal(tensors(path)["w"], data.reshape(2, 3))
    for cut in (20, len(whole) - 4):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelError, match=r"m\.safetensors is damaged"):
            tensors(path)


def test_pearson_by_hand():
    angles = np.array([0.0, 0.4, 1.1, 2.0])
    outputs = np.column_stack([np.cos(angles), np.sin(angles)])
    judged = np.cos(angles[:, None] - angles)
    labels = np.column_stack([np.arange(4), judged])
    metric = PearsonSimilarity(4)
    value, low, high = metric.summarise(metric.contributions(outputs, labels))
    assert value == pytest.approx(1.0)
    assert low <= value <= high == pytest.approx(1.0)
    turned = np.column_stack([np.arange(4), -judged])
    assert metric.summarise(metric.contributions(outputs, turned))[0] == pytest.approx(-1.0)


def test_pearson_of_the_first_documents_alone_and_of_too_few():
    outputs = np.eye(5)[:, :3] + 0.1
    outputs /= np.linalg.norm(outputs, axis=1, keepdims=True)
    labels = np.column_stack([np.arange(5), RNG.random((5, 5))])
    metric = PearsonSimilarity(5)
    value, low, high = metric.summarise(metric.contributions(outputs[:4], labels[:4]))
    above = np.triu_indices(4, 1)
    assert value == pytest.approx(
        np.corrcoef((outputs @ outputs.T)[:4, :4][above], labels[:4, 1:5][above])[0, 1]
    )
    assert low <= value <= high
    with pytest.raises(ValueError, match="pearson of 2 documents"):
        metric.summarise(metric.contributions(outputs[:2], labels[:2]))
