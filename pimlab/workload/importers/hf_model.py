"""How is a decoder in Hugging Face's form read? A folder with config.json, safetensors files, and
tokenizer.json.

Weights quantised by GPTQ and AWQ keep their codes (`StoredWeights`); those in FP8 become what they
stand for, with one scale a matrix, an output or a block of 128 x 128.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.machine.stored import StoredWeights
from pimlab.values import nearest
from pimlab.workload.importers import safetensors_file
from pimlab.workload.importers.gguf_tokens import extra
from pimlab.workload.importers.hf_config import EXPERTS, config, shape_of
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError

_LAYER = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj",
    "o": "self_attn.o_proj", "gate": "mlp.gate_proj", "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}  # fmt: skip
_FUSED = {
    "q": "self_attn.qkv_proj", "k": "self_attn.qkv_proj", "v": "self_attn.qkv_proj",
    "gate": "mlp.gate_up_proj", "up": "mlp.gate_up_proj",
}  # fmt: skip
"""Phi-3's matrices that hold several of ours, one after the other."""
_GAINS = {
    "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm",
}  # fmt: skip
_GEMMA_GAINS = {
    "attention_post_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "ffn_post_norm": "post_feedforward_layernorm",
}  # fmt: skip
_METHODS = ("gptq", "awq", "fp8")
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""Which of eight packed codes is the i-th output of eight (AWQ's GEMM layout)."""


def load_huggingface(path: str | Path, name: str | None = None) -> LanguageModel:
    """The decoder in a folder, or of a .safetensors file with config.json beside it.

    ModelError names the file, the tensor and what is allowed; ImportError the extra that the
    tokenizer needs.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    given = config(folder / "config.json")
    shape = shape_of(given, "config.json")
    paths = sorted(folder.glob("*.safetensors")) if path.is_dir() else [path]
    if not paths:
        raise ModelError(f"{folder.name}: has no .safetensors file beside its config.json")
    tensors: dict[str, np.ndarray] = {}
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for file in paths:
        tensors |= safetensors_file.read(file)
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    reader = _Reader(folder.name, shape, tensors, given)
    matrices = {op: reader.matrix(op) for op in reader.operators()}
    held = {op: codes for op, (_, codes) in matrices.items() if codes is not None}
    model = LanguageModel(
        name=name or folder.name,
        sha256=digest.hexdigest(),
        shape=shape,
        tokenizer=_tokenizer(folder, shape.vocabulary),
        weights={op: w[None] for op, (w, _) in matrices.items()},
        parameters=reader.parameters(),
        biases=reader.biases(),
    )
    model.held = held
    return model


class _Reader:
    """The tensors of a checkpoint by our names."""

    def __init__(
        self,
        file: str,
        shape: DecoderShape,
        tensors: Mapping[str, np.ndarray],
        given: Mapping[str, Any],
    ):
        self.file, self.shape, self.tensors = file, shape, tensors
        self.gemma = str(given["model_type"]).startswith("gemma")
        if given["model_type"] in EXPERTS:
            raise ModelError(
                f"{file}: weights of experts (model_type={given['model_type']!r}) are not read; "
                "allowed: its config.json alone, for costs"
            )
        self.rule = given.get("quantization_config") or {}
        self.method = self.rule.get("quant_method")
        if self.rule and self.method not in _METHODS:
            raise ModelError(
                f"{file}: quant_method={self.method!r}{nearest(str(self.method), _METHODS)}; "
                f"allowed: {', '.join(_METHODS)}"
            )

    def operators(self) -> list[str]:
        """Names of the operators with weights."""
        return [f"layer{i}.{name}" for i in range(self.shape.layers) for name in _LAYER] + ["head"]

    def matrix(self, op: str) -> tuple[np.ndarray, StoredWeights | None]:
        """Weights float32 (k, n) of an operator, and their codes where the file holds such."""
        if op == "head":
            tied = "lm_head.weight" not in self.tensors
            name = "model.embed_tokens" if tied else "lm_head"
            return self._floats(name), None
        layer, _, kind = op.partition(".")
        base = f"model.layers.{layer[5:]}."
        own = base + _LAYER[kind]
        if f"{own}.qweight" in self.tensors:
            held = self._codes(own)
            return held.codes[0].astype(np.float32) * held.scale[0][held.part_of], held
        if f"{own}.weight" not in self.tensors and kind in _FUSED:
            return np.ascontiguousarray(
                self._floats(base + _FUSED[kind])[:, self._part(kind)]
            ), None
        return self._floats(own), None

    def _part(self, kind: str) -> slice:
        shape = self.shape
        q, kv, f = shape.heads * shape.head_width, shape.kv_heads * shape.head_width, shape.hidden
        starts = {"q": (0, q), "k": (q, q + kv), "v": (q + kv, q + 2 * kv)}
        return slice(*(starts | {"gate": (0, f), "up": (f, 2 * f)})[kind])

    def parameters(self) -> dict[str, np.ndarray]:
        """The embedding, and the gains of every norm; Gemma's are stored less 1."""
        more = np.float32(1.0 if self.gemma else 0.0)
        names = {**_GAINS, **(_GEMMA_GAINS if self.shape.post_norms else {})}
        found = {"norm": self._tensor("model.norm.weight") + more}
        for i in range(self.shape.layers):
            for ours in self.shape.gains:
                theirs = f"model.layers.{i}.{names[ours]}.weight"
                found[f"layer{i}.{ours}"] = self._tensor(theirs) + more
        return found | {"embedding": self._tensor("model.embed_tokens.weight")}

    def biases(self) -> dict[str, np.ndarray]:
        """Biases by operator."""
        found = {}
        for i in range(self.shape.layers):
            for ours, theirs in _LAYER.items():
                bias = self.tensors.get(f"model.layers.{i}.{theirs}.bias")
                if bias is not None and bias.any():
                    found[f"layer{i}.{ours}"] = bias.astype(np.float32)
        return found

    def _tensor(self, name: str) -> np.ndarray:
        if name not in self.tensors:
            raise ModelError(f"{self.file}: has no tensor {name!r}{nearest(name, self.tensors)}")
        return self.tensors[name].astype(np.float32)

    def _floats(self, name: str) -> np.ndarray:
        """float32 (k, n) of a matrix stored as (n, k), times its scales where it has any."""
        w = self._tensor(f"{name}.weight")
        if w.ndim != 2:
            raise ModelError(f"{self.file}: tensor {name + '.weight'!r} has shape {w.shape}")
        if f"{name}.weight_scale_inv" in self.tensors:
            w = w * self._blocks(name, w.shape)
        elif f"{name}.weight_scale" in self.tensors:
            w = w * self._tensor(f"{name}.weight_scale").reshape(-1, 1)
        return np.ascontiguousarray(w.T)

    def _blocks(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Scales of blocks, repeated to the matrix (n, k)."""
        scale = self._tensor(f"{name}.weight_scale_inv")
        rows, columns = self.rule.get("weight_block_size") or (128, 128)
        wanted = -(-shape[0] // rows), -(-shape[1] // columns)
        if scale.shape != wanted:
            raise ModelError(
                f"{self.file}: tensor {name + '.weight_scale_inv'!r} has shape {scale.shape}, "
                f"needed {wanted}: one scale for {rows} x {columns} weights of {shape}"
            )
        wide = np.repeat(np.repeat(scale, rows, axis=0), columns, axis=1)
        return wide[: shape[0], : shape[1]]

    def _codes(self, name: str) -> StoredWeights:
        """The codes of a matrix that GPTQ or AWQ packed into 32-bit integers."""
        bits = int(self.rule.get("bits") or self.rule.get("w_bit") or 4)
        if bits not in (2, 4, 8) or (self.method == "awq" and bits != 4):
            raise ModelError(
                f"{self.file}: bits={bits} of {self.method}; allowed: 2, 4, 8 (awq: 4)"
            )
        packed, zeros = self.tensors[f"{name}.qweight"], self.tensors[f"{name}.qzeros"]
        scale = self._tensor(f"{name}.scales")
        if self.method == "awq":
            codes, zero = (_awq(a) for a in (packed, zeros))
        else:
            codes = _unpacked(packed.T, bits).T
            more = 0 if self.rule.get("checkpoint_format") == "gptq_v2" else 1
            zero = (_unpacked(zeros, bits) + more) & (2**bits - 1)
        k, parts = len(codes), len(scale)
        part_of = self.tensors.get(f"{name}.g_idx", np.arange(k) // -(-k // parts))
        if zero.shape != scale.shape or codes.shape[1] != scale.shape[1] or len(part_of) != k:
            raise ModelError(
                f"{self.file}: {name!r} has codes {codes.shape}, zero points {zero.shape} and "
                f"scales {scale.shape} that do not fit together"
            )
        if part_of.min() < 0 or part_of.max() >= parts:
            raise ModelError(
                f"{self.file}: {name}.g_idx names a group beyond the {parts} there are"
            )
        return StoredWeights((codes - zero[part_of])[None], scale[None], part_of, bits)


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """int32 (rows, codes) of 32-bit integers (rows, words), the lowest bits first."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    words = np.ascontiguousarray(packed).view(np.uint32)[..., None]
    return (words >> shifts & np.uint32(2**bits - 1)).reshape(len(packed), -1).astype(np.int32)


def _awq(packed: np.ndarray) -> np.ndarray:
    codes = _unpacked(packed, 4).reshape(len(packed), -1, 8)
    return codes[:, :, _AWQ_ORDER].reshape(len(packed), -1)


def _start(run: Any) -> int | None:
    """The token that tokenizer.json puts before every text; None where it puts none."""
    if run is None:
        return None
    with_it, without = (run.encode("a", add_special_tokens=add).ids for add in (True, False))
    return int(with_it[0]) if with_it[:1] != without[:1] else None


class _FileTokenizer:
    """The tokenizer of a tokenizer.json, run by the package `tokenizers`; none where there is none.

    size : entries of the embedding; the tokenizer may use fewer.
    """

    def __init__(self, name: str, size: int, run: Any):
        self.name, self.size, self.start, self._run = name, size, _start(run), run

    def _running(self) -> Any:
        if self._run is None:
            raise ModelError(f"{self.name}: has no tokenizer.json, so texts have no tokens here")
        return self._run

    def encode(self, text: str) -> np.ndarray:
        """int32 (tokens,) of a text, without tokens that mark its start or end."""
        return np.array(self._running().encode(text, add_special_tokens=False).ids, np.int32)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of int (tokens,)."""
        return str(self._running().decode([int(token) for token in tokens]))


def _tokenizer(folder: Path, vocabulary: int) -> _FileTokenizer:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return _FileTokenizer(folder.name, vocabulary, None)
    library = extra("tokenizers", "the tokenizer of a Hugging Face model")
    try:
        run = library.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises nothing more exact
        raise ModelError(f"{folder.name}: tokenizer.json is damaged ({error})") from error
    if (size := run.get_vocab_size()) > vocabulary:
        raise ModelError(
            f"{folder.name}: tokenizer.json has {size} tokens, config.json vocab_size={vocabulary}"
        )
    return _FileTokenizer(folder.name, vocabulary, run)
