"""How is a LLaMA-family model in a GGUF file read? With the package `gguf`, its weights kept as the
file holds them.

Block formats of GGML: a block is 32 neighbours along k with one float16 scale, w = scale code (+
minimum). Q4_0: 4-bit codes -8..7. Q4_1: 4-bit codes 0..15 and a float16 minimum. Q8_0: 8-bit codes.
F32, F16: plain. Nothing is downloaded; the file comes with a package or from the user.
"""

from __future__ import annotations

import hashlib
import importlib
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.values import nearest
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.language.tokens import Tokenizer
from pimlab.workload.model import ModelError

BLOCK = 32
_BYTES = {"Q4_0": 18, "Q4_1": 20, "Q8_0": 34}
_PLAIN = {"F32": np.float32, "F16": np.float16}
_LAYER = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
_TEXT, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a number by its kind in a header (GGUF specification, version 3)."""
_GAIN = {"attention_norm": "attn_norm", "ffn_norm": "ffn_norm"}


class BlockWeights:
    """Weights (k, n) as a GGUF file stores them, row n after row n.

    kind : "Q4_0", "Q4_1" or "Q8_0".  data : uint8 (n, bytes a row).
    """

    def __init__(self, kind: str, data: np.ndarray):
        self.kind, self._blocks = kind, data.reshape(len(data), -1, _BYTES[kind])

    @property
    def codes(self) -> np.ndarray:
        """int8 (k, n) codes: -8..7 (Q4_0), 0..15 (Q4_1) or -128..127 (Q8_0)."""
        packed = self._blocks[:, :, _BYTES[self.kind] - (32 if self.kind == "Q8_0" else 16) :]
        if self.kind == "Q8_0":
            codes = packed.view(np.int8)
        else:
            codes = np.concatenate([packed & 15, packed >> 4], axis=2).view(np.int8) - np.int8(
                8 if self.kind == "Q4_0" else 0
            )
        return codes.reshape(len(packed), -1).T

    @property
    def scale(self) -> np.ndarray:
        """float32 (k / 32, n): the value of one code step."""
        return self._halves(0)

    @property
    def minimum(self) -> np.ndarray:
        """float32 (k / 32, n): what code 0 stands for (0 where the format has no minimum)."""
        return self._halves(2) if self.kind == "Q4_1" else np.zeros_like(self.scale)

    def _halves(self, at: int) -> np.ndarray:
        return (
            np.ascontiguousarray(self._blocks[:, :, at : at + 2])
            .view(np.float16)[:, :, 0]
            .astype(np.float32)
            .T
        )

    def dense(self) -> np.ndarray:
        """float32 (k, n), the weights these blocks stand for."""
        n = len(self._blocks)
        codes = self.codes.T.reshape(n, -1, BLOCK).astype(np.float32)
        codes *= self.scale.T[:, :, None]
        codes += self.minimum.T[:, :, None]
        return codes.reshape(n, -1).T


def load_gguf(path: str | Path, name: str | None = None) -> LanguageModel:
    """The LLaMA-family model of a GGUF file. ModelError names the file and what it lacks;
    ImportError the extra.
    """
    path = Path(path)
    file = _opened(path)
    tensors = {tensor.name: tensor for tensor in file.tensors}
    shape = _shape(path, file, tensors)
    arrays, blocks = _tensors(path, shape, tensors)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return LanguageModel(
        name=name or path.stem,
        sha256=digest,
        shape=shape,
        tokenizer=gguf_tokenizer(path, file),
        blocks=blocks,
        parameters={key: a for key, a in arrays.items() if a.ndim == 1}
        | {"embedding": arrays["embedding"].T},
        weights={key: a[None] for key, a in arrays.items() if a.ndim == 2 and key != "embedding"},
    )


def extra(package: str, what: str) -> Any:
    """The module of an optional package; ImportError says what to install."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{what} needs the package {package!r}: pip install pimlab[llm]"
        ) from error


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; allowed: the path of a .gguf file")
    gguf = extra("gguf", "reading a GGUF file")
    try:
        _check_lengths(path)
        return gguf.GGUFReader(path)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path.name}: damaged or truncated ({path.stat().st_size} bytes), or no GGUF file: "
            f"{error}"
        ) from error


def _check_lengths(path: Path) -> None:
    """IndexError where an entry of the header is longer than the file: the package would count to
    any number it finds there.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = 24  # magic, version, number of tensors, number of entries
        for _ in range(_number(content, 16, 8)):
            at += 8 + _number(content, at, 8)  # the key
            at = _end(content, at + 4, _number(content, at, 4))


def _end(content: mmap.mmap, at: int, kind: int) -> int:
    """Where a value of that kind, which starts `at`, ends."""
    if kind == _TEXT:
        return at + 8 + _number(content, at, 8)
    if kind != _ARRAY:
        return at + _SIZES[kind]
    inner, count = _number(content, at, 4), _number(content, at + 4, 8)
    if inner not in (_TEXT, _ARRAY):
        count, at = 0, at + count * _SIZES[inner]
    at += 12
    for _ in range(count):
        at = _end(content, at, inner)
    if at > len(content):
        raise IndexError(f"an entry ends at byte {at}")
    return at


def _number(content: mmap.mmap, at: int, size: int) -> int:
    if at + size > len(content):
        raise IndexError(f"an entry ends at byte {at + size}")
    return int.from_bytes(content[at : at + size], "little")


def _field(path: Path, file: Any, key: str) -> Any:
    field = file.get_field(key)
    if field is None:
        raise ModelError(f"{path.name}: has no {key!r}, which a LLaMA-family GGUF file needs")
    try:
        return field.contents()
    except UnicodeDecodeError as error:
        raise ModelError(f"{path.name}: {key!r} is damaged: {error}") from error


def _shape(path: Path, file: Any, tensors: dict[str, Any]) -> DecoderShape:
    architecture = _field(path, file, "general.architecture")
    if architecture != "llama":
        raise ModelError(f"{path.name}: general.architecture={architecture!r}; allowed: 'llama'")
    scaling = file.get_field(f"{architecture}.rope.scaling.type")
    if scaling is not None and scaling.contents() != "none":
        raise ModelError(
            f"{path.name}: llama.rope.scaling.type={scaling.contents()!r}, which turns positions "
            "otherwise; allowed: 'none'"
        )
    layers = _field(path, file, "llama.block_count")
    if not isinstance(layers, int) or not 1 <= layers <= len(tensors):
        raise ModelError(
            f"{path.name}: llama.block_count={layers!r}; allowed: an integer, 1 to {len(tensors)}, "
            "the number of its tensors"
        )
    if "token_embd.weight" not in tensors:
        raise ModelError(f"{path.name}: has no tensor 'token_embd.weight'")
    try:
        return DecoderShape(
            **_sizes(path, file), vocabulary=int(tensors["token_embd.weight"].shape[1])
        )
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ModelError(f"{path.name}: {error}") from error


def _sizes(path: Path, file: Any) -> dict[str, Any]:
    heads, width = (
        _field(path, file, "llama.attention.head_count"),
        _field(path, file, "llama.embedding_length"),
    )
    kv_heads, base = (
        file.get_field("llama.attention.head_count_kv"),
        file.get_field("llama.rope.freq_base"),
    )
    return {
        "width": width,
        "layers": _field(path, file, "llama.block_count"),
        "heads": heads,
        "kv_heads": kv_heads.contents() if kv_heads else heads,
        "head_width": _head_width(file, width, heads),
        "hidden": _field(path, file, "llama.feed_forward_length"),
        "context": _field(path, file, "llama.context_length"),
        "rope_base": base.contents() if base else 10000.0,
        "norm_epsilon": _field(path, file, "llama.attention.layer_norm_rms_epsilon"),
    }


def _head_width(file: Any, width: int, heads: int) -> int:
    turned = file.get_field("llama.rope.dimension_count")
    if turned is not None and turned.contents() != width // heads:
        raise ValueError(
            f"llama.rope.dimension_count={turned.contents()}; allowed: {width // heads}, the whole "
            "head"
        )
    return width // heads


def _names(shape: DecoderShape, untied: bool) -> dict[str, str]:
    """Our name -> the file's, of every tensor of the model."""
    layer = {**_LAYER, **_GAIN}
    names = {
        f"layer{i}.{ours}": f"blk.{i}.{theirs}.weight"
        for i in range(shape.layers)
        for ours, theirs in layer.items()
    }
    names |= {"embedding": "token_embd.weight", "norm": "output_norm.weight"}
    return names | ({"head": "output.weight"} if untied else {})


def _tensors(
    path: Path, shape: DecoderShape, tensors: dict[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, BlockWeights]]:
    """Every tensor in float32 ((k, n) where it is a matrix), and as blocks where the file holds it
    so.
    """
    names = _names(shape, "output.weight" in tensors)
    for theirs in tensors:
        if theirs not in names.values():
            raise ModelError(
                f"{path.name}: tensor {theirs!r} has no place in this "
                f"decoder{nearest(theirs, names.values())}"
            )
    arrays: dict[str, np.ndarray] = {}
    blocks: dict[str, BlockWeights] = {}
    for ours, theirs in names.items():
        if theirs not in tensors:
            raise ModelError(f"{path.name}: has no tensor {theirs!r}")
        held = _held(path, tensors[theirs])
        if isinstance(held, BlockWeights):
            blocks[ours] = held
        arrays[ours] = held.dense() if isinstance(held, BlockWeights) else held
    if "head" not in names:
        arrays["head"] = arrays["embedding"]
        blocks |= {"head": blocks["embedding"]} if "embedding" in blocks else {}
    return arrays, blocks


def _held(path: Path, tensor: Any) -> BlockWeights | np.ndarray:
    kind = tensor.tensor_type.name
    if kind in _PLAIN:
        return np.asarray(tensor.data, dtype=np.float32).T
    if kind not in _BYTES:
        raise ModelError(
            f"{path.name}: tensor {tensor.name!r} has type {kind}; allowed: "
            f"{', '.join([*_PLAIN, *_BYTES])}"
        )
    return BlockWeights(kind, tensor.data)


def gguf_tokenizer(path: Path, file: Any) -> Tokenizer:
    """The byte-level tokenizer a GGUF file describes, run by the package `tokenizers`."""
    kind = _field(path, file, "tokenizer.ggml.model")
    rule = (
        _field(path, file, "tokenizer.ggml.pre")
        if file.get_field("tokenizer.ggml.pre")
        else "default"
    )
    if (kind, rule) not in (("gpt2", "smollm"), ("gpt2", "gpt-2")):
        raise ModelError(
            f"{path.name}: tokenizer model {kind!r} with rule {rule!r}; allowed: 'gpt2' with "
            "'smollm' or 'gpt-2'"
        )
    words, merges = (
        _field(path, file, "tokenizer.ggml.tokens"),
        _field(path, file, "tokenizer.ggml.merges"),
    )
    known = set(words)
    return _FileTokenizer(
        f"{path.stem}",
        words,
        [_merge(path, merge, known) for merge in merges],
        digits=rule == "smollm",
    )


def _merge(path: Path, merge: str, words: set[str]) -> tuple[str, str]:
    """The two words of a merge, which the package `tokenizers` would refuse with an error of no
    type.
    """
    left, _, right = merge.partition(" ")
    for word in (left, right, left + right):
        if word not in words:
            raise ModelError(
                f"{path.name}: merge {merge!r} of the tokenizer has {word!r}, which is not among "
                f"its {len(words)} tokens"
            )
    return left, right


class _FileTokenizer:
    """Byte-level byte-pair encoding of the GPT-2 kind, optionally with each digit apart."""

    def __init__(self, name: str, words: list[str], merges: list[tuple[str, ...]], digits: bool):
        library = extra("tokenizers", "the tokenizer of a GGUF file")
        self.name, self.size = name, len(words)
        self._run = library.Tokenizer(
            library.models.BPE({word: i for i, word in enumerate(words)}, merges)
        )
        split = [library.pre_tokenizers.Digits(individual_digits=True)] if digits else []
        split.append(library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True))
        self._run.pre_tokenizer, self._run.decoder = (
            library.pre_tokenizers.Sequence(split),
            library.decoders.ByteLevel(),
        )

    def encode(self, text: str) -> np.ndarray:
        """int32 (tokens,) of a text."""
        return np.array(self._run.encode(text).ids, dtype=np.int32)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of int (tokens,)."""
        return self._run.decode([int(token) for token in tokens])
