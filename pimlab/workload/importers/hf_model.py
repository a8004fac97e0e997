"""How is a decoder in Hugging Face's form read? A folder with config.json, safetensors files, and
tokenizer.json.

Weights in integers keep their codes (`hf_codes`); those in FP8 become what they stand for, with one
scale a matrix, an output or a block of 128 x 128.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.machine.stored import StoredWeights
from pimlab.values import nearest
from pimlab.workload.importers import hf_codes, safetensors_file
from pimlab.workload.importers.gguf_tokens import extra
from pimlab.workload.importers.hf_config import COSTED, EXPERTS, config, multipliers, shape_of
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
_RULES = {"quantize_config.json": "gptq", "quant_config.json": "awq"}
"""Files beside an older config.json that hold its quantization_config, and their method."""


def load_huggingface(path: str | Path, name: str | None = None) -> LanguageModel:
    """The decoder in a folder, or of a .safetensors file with config.json beside it.

    ModelError names the file, the tensor and what is allowed; ImportError the extra that the
    tokenizer needs.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    given = _given(folder)
    shape = shape_of(given, "config.json")
    paths = _files(folder) if path.is_dir() else [path]
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


def _given(folder: Path) -> dict[str, Any]:
    """config.json, with the quantisation that older files state beside it."""
    given = config(folder / "config.json")
    for name, method in _RULES.items():
        if not given.get("quantization_config") and (folder / name).is_file():
            given["quantization_config"] = {"quant_method": method} | config(folder / name)
    return given


def _files(folder: Path) -> list[Path]:
    """The files with weights: those that the index names, or all; ModelError for a missing one."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        if found := sorted(folder.glob("*.safetensors")):
            return found
        raise ModelError(f"{folder.name}: has no .safetensors file beside its config.json")
    places = config(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ModelError(f"{folder.name}: {index.name} has no weight_map that names files")
    names = sorted({str(name) for name in places.values()})
    for name in names:
        if not (folder / name).is_file():
            raise ModelError(f"{folder.name}: has no {name}, which {index.name} names")
    return [folder / name for name in names]


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
        self.multipliers = multipliers(given)
        family = given["model_type"]
        if family in EXPERTS or family in COSTED:
            why = COSTED.get(family, "experts choose their tokens")
            raise ModelError(
                f"{file}: weights of model_type={family!r} are not read ({why}); allowed: its "
                "config.json alone, for costs"
            )
        self.rule = given.get("quantization_config") or {}
        hf_codes.checked(file, self.rule)
        beyond = re.compile(r"model\.layers\.(\d+)\.")
        for name in tensors:
            if (found := beyond.match(name)) and int(found[1]) >= shape.layers:
                raise ModelError(
                    f"{file}: tensor {name!r} is of layer {found[1]}; config.json has "
                    f"num_hidden_layers={shape.layers}"
                )

    def operators(self) -> list[str]:
        """Names of the operators with weights."""
        return [f"layer{i}.{name}" for i in range(self.shape.layers) for name in _LAYER] + ["head"]

    def matrix(self, op: str) -> tuple[np.ndarray, StoredWeights | None]:
        """Weights float32 (k, n) of an operator, and their codes where the file holds such."""
        w, codes = self._unscaled(op)
        factor = np.float32(self.multipliers.get(op.rpartition(".")[2], 1.0))
        if factor == 1.0:
            return w, codes
        return w * factor, None if codes is None else codes._replace(scale=codes.scale * factor)

    def _unscaled(self, op: str) -> tuple[np.ndarray, StoredWeights | None]:
        if op == "head":
            tied = not any(name.startswith("lm_head.") for name in self.tensors)
            return self._matrix("model.embed_tokens" if tied else "lm_head")
        layer, _, kind = op.partition(".")
        base = f"model.layers.{layer[5:]}."
        own, fused = base + _LAYER[kind], base + _FUSED.get(kind, "")
        if kind in _FUSED and any(name.startswith(f"{fused}.") for name in self.tensors):
            return self._matrix(fused, self._part(kind))
        return self._matrix(own)

    def _matrix(
        self, name: str, part: slice = slice(None)
    ) -> tuple[np.ndarray, StoredWeights | None]:
        """Some outputs of a matrix, and their codes."""
        codes = hf_codes.held(self.file, name, self.tensors, self.rule)
        if codes is None:
            return np.ascontiguousarray(self._floats(name)[:, part]), None
        own = codes.columns(part)
        return own.codes[0].astype(np.float32) * own.scale[0][own.part_of], own

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
                    factor = np.float32(self.multipliers.get(ours, 1.0))
                    found[f"layer{i}.{ours}"] = bias.astype(np.float32) * factor
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
        for key in (f"{name}.weight_scale_inv", f"{name}.weight_scale"):
            if key in self.tensors:
                w = w * self._scales(key, w.shape)
                break
        return np.ascontiguousarray(w.T)

    def _scales(self, key: str, shape: tuple[int, ...]) -> np.ndarray:
        """Scales of a matrix (n, k): one, one an output, or those of blocks, each repeated."""
        scale = self._tensor(key)
        if scale.size in (1, shape[0]) and not key.endswith("_inv"):
            return scale.reshape(-1, 1)
        rows, columns = hf_codes.block(self.file, self.rule)
        wanted = -(-shape[0] // rows), -(-shape[1] // columns)
        if scale.shape != wanted:
            raise ModelError(
                f"{self.file}: tensor {key!r} has shape {scale.shape}, "
                f"needed {wanted}: one scale for {rows} x {columns} weights of {shape}"
            )
        wide = np.repeat(np.repeat(scale, rows, axis=0), columns, axis=1)
        return wide[: shape[0], : shape[1]]


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
