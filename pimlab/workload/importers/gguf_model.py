"""How is a decoder in a GGUF file read? With the package `gguf`, its weights kept as the file holds
them.

What the bytes of its blocks stand for is in `pimlab.formats.ggml_blocks`, what its header says of
the network in `gguf_shape`. Nothing is downloaded; the file comes with a package or from the user.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pimlab.arguments import typed
from pimlab.formats import ggml_blocks
from pimlab.machine.stored import StoredWeights
from pimlab.values import nearest
from pimlab.workload.importers.gguf_header import File, Header, Tensor
from pimlab.workload.importers.gguf_shape import shape_of
from pimlab.workload.importers.gguf_tokens import extra, gguf_tokenizer
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError

_PLAIN = ("F32", "F16", "BF16")
_STEPS = {"Q4_0": 4, "Q5_0": 5, "Q8_0": 8, "Q3_K": 3, "Q6_K": 6, "TQ1_0": 2, "TQ2_0": 2}
"""Types whose codes are steps of a scale, with no minimum and no table; bits of a code."""
_LAYER = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
_GAINS = {
    "attention_norm": "attn_norm",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
    "attention_post_norm": "post_attention_norm",
    "ffn_norm": "ffn_norm",
    "ffn_post_norm": "post_ffw_norm",
}
_ROTARY = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tensors that the rotary positions read (see `gguf_shape`)."""


class BlockWeights:
    """Weights (k, n) as a GGUF file stores them, row n after row n.

    kind : a name in `pimlab.formats.ggml_blocks.LAYOUTS`.  data : uint8, shape (n, bytes a row).
    """

    def __init__(self, kind: str, data: np.ndarray):
        self.kind, self.data = kind, data

    def _decoded(self) -> ggml_blocks.Decoded:
        return ggml_blocks.decoded(self.kind, self.data)

    @property
    def codes(self) -> np.ndarray:
        """int8, shape (k, n) codes: -8..7 (Q4_0), 0..15 (Q4_1), -128..127 (Q8_0), ..."""
        return self._decoded().codes.T

    @property
    def scale(self) -> np.ndarray:
        """float32, shape (k / part, n): the value of one code step."""
        return self._decoded().scale.T

    @property
    def minimum(self) -> np.ndarray:
        """float32, shape (k / part, n): what code 0 stands for (0 where the format has no
        minimum).
        """
        return np.negative(self._decoded().minimum.T) + np.float32(0)

    @property
    def part(self) -> int:
        """Neighbours along k that share a scale (unit: weights)."""
        return self._decoded().part

    def dense(self) -> np.ndarray:
        """float32, shape (k, n), the weights these blocks stand for."""
        return self._decoded().values().T

    def columns(self, columns: slice) -> BlockWeights:
        """Some of the n outputs."""
        return BlockWeights(self.kind, self.data[columns])


@typed
def load_gguf(path: str | Path, name: str | None = None) -> LanguageModel:
    """The decoder of a GGUF file, or of the first of several that a model is split into. ModelError
    names the file and what it lacks; ImportError the extra.
    """
    path = Path(path)
    file = _opened(path)
    header = Header(path.name, file)
    paths = _shards(path, header)
    files = [file, *(_opened(other) for other in paths[1:])]
    tensors = {tensor.name: tensor for one in files for tensor in one.tensors}
    shape = shape_of(header, tensors)
    arrays, blocks, biases = _tensors(path, shape, tensors)
    digest = hashlib.sha256()
    for one in files:
        digest.update(one.content)
    model = LanguageModel(
        name=name or path.stem,
        sha256=digest.hexdigest(),
        shape=shape,
        tokenizer=gguf_tokenizer(header, path.stem),
        blocks=blocks,
        parameters={key: a for key, a in arrays.items() if a.ndim == 1}
        | {"embedding": arrays["embedding"].T},
        weights={key: a[None] for key, a in arrays.items() if a.ndim == 2 and key != "embedding"},
        biases=biases,
    )
    model.held = _Held(blocks)
    return model


class _Held(Mapping[str, StoredWeights]):
    """Operator -> the codes of its blocks, decoded when they are asked for; of types whose codes
    count steps from 0, so without minimum or table.
    """

    def __init__(self, blocks: Mapping[str, BlockWeights]):
        self._blocks = {
            name: one for name, one in blocks.items() if name != "embedding" and one.kind in _STEPS
        }

    def __getitem__(self, name: str) -> StoredWeights:
        block = self._blocks[name]
        found = block._decoded()
        part_of = np.arange(found.codes.shape[1]) // found.part
        return StoredWeights(found.codes.T[None], found.scale.T[None], part_of, _STEPS[block.kind])

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)


def _shards(path: Path, header: Header) -> list[Path]:
    """The files of a model, the first one first, which holds the keys: `path` alone where it is not
    split. ModelError for a file that is not the first, or has no number in its name.
    """
    count = int(header.get("split.count", 1) or 1)
    if count == 1:
        return [path]
    found = re.fullmatch(r"(.*)-00001-of-(\d{5})\.gguf", path.name)
    if header.get("split.no", 0) or found is None or int(found[2]) != count:
        raise ModelError(
            f"{path.name}: one of {count} files of a model; allowed: the first one, whose name "
            f"ends in -00001-of-{count:05}.gguf, with the others beside it"
        )
    names = [f"{found[1]}-{i:05}-of-{count:05}.gguf" for i in range(1, count + 1)]
    for name in names:
        if not path.with_name(name).is_file():
            raise ModelError(f"{path.name}: has no {name} beside it, one of its {count} files")
    return [path.with_name(name) for name in names]


def _opened(path: Path) -> File:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file; allowed: the path of a .gguf file")
    extra("gguf", "reading a GGUF file")
    try:
        return File(path, (*_PLAIN, *ggml_blocks.LAYOUTS))
    except ModelError:
        raise
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path.name}: damaged or truncated ({path.stat().st_size} bytes), or no GGUF file: "
            f"{error}"
        ) from error


def _names(shape: DecoderShape, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Our name -> the file's, of every tensor of the model; several of ours may be in one of the
    file's.
    """
    names = {"embedding": "token_embd.weight", "norm": "output_norm.weight"}
    for i in range(shape.layers):
        layer = dict(_LAYER)
        if f"blk.{i}.attn_qkv.weight" in tensors:
            layer |= dict.fromkeys("qkv", "attn_qkv")
        if f"blk.{i}.ffn_gate.weight" not in tensors and _is_double(shape, tensors, i):
            layer["gate"] = "ffn_up"
        layer |= {name: _GAINS[name] for name in shape.gains}
        names |= {f"layer{i}.{ours}": f"blk.{i}.{theirs}.weight" for ours, theirs in layer.items()}
    return names | ({"head": "output.weight"} if "output.weight" in tensors else {})


def _is_double(shape: DecoderShape, tensors: dict[str, Tensor], layer: int) -> bool:
    """Whether a layer's ffn_up holds the gate's matrix before its own (Phi-3)."""
    up = tensors.get(f"blk.{layer}.ffn_up.weight")
    return up is not None and int(up.shape[1]) == 2 * shape.hidden


def _biases(shape: DecoderShape, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Our operator -> the file's bias of it, where there is one."""
    found = {
        f"layer{i}.{ours}": f"blk.{i}.{theirs}.bias"
        for i in range(shape.layers)
        for ours, theirs in _LAYER.items()
    }
    return {ours: theirs for ours, theirs in found.items() if theirs in tensors}


def _part(shape: DecoderShape, name: str, theirs: str) -> slice:
    """Which outputs of the file's tensor are ours: all, but for matrices that it holds as one."""
    kind = name.rpartition(".")[2]
    q, kv = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    if "attn_qkv" in theirs:
        starts = {"q": (0, q), "k": (q, q + kv), "v": (q + kv, q + 2 * kv)}
        return slice(*starts[kind])
    if kind == "gate" and "ffn_up" in theirs:
        return slice(0, shape.hidden)
    return slice(None)


def _tensors(
    path: Path, shape: DecoderShape, tensors: dict[str, Tensor]
) -> tuple[dict[str, np.ndarray], dict[str, BlockWeights], dict[str, np.ndarray]]:
    """Every tensor in float32, shape ((k, n) where it is a matrix), matrices as blocks where the
    file holds them so, and biases by operator.
    """
    names, biases = _names(shape, tensors), _biases(shape, tensors)
    known = {*names.values(), *biases.values(), *_ROTARY}
    for theirs in tensors:
        if theirs not in known:
            raise ModelError(
                f"{path.name}: tensor {theirs!r} has no place in this decoder"
                f"{nearest(theirs, known)}"
            )
    arrays: dict[str, np.ndarray] = {}
    blocks: dict[str, BlockWeights] = {}
    for ours, theirs in names.items():
        if theirs not in tensors:
            raise ModelError(f"{path.name}: has no tensor {theirs!r}")
        part = _part(shape, ours, theirs)
        if ours.endswith(".up") and _is_double(shape, tensors, int(ours[5 : ours.index(".")])):
            part = slice(shape.hidden, None)
        held = _held(tensors[theirs], part)
        if isinstance(held, BlockWeights):
            blocks[ours] = held
        arrays[ours] = held.dense() if isinstance(held, BlockWeights) else held
    if "head" not in names:
        arrays["head"] = arrays["embedding"]
        blocks |= {"head": blocks["embedding"]} if "embedding" in blocks else {}
    added = {ours: _plain(tensors[theirs]) for ours, theirs in biases.items()}
    return arrays, blocks, added


def _held(tensor: Tensor, part: slice) -> BlockWeights | np.ndarray:
    if tensor.kind in _PLAIN:
        return _plain(tensor)[..., part]
    return BlockWeights(tensor.kind, tensor.data).columns(part)


def _plain(tensor: Tensor) -> np.ndarray:
    """float32, shape (k, n), or (n,), of a tensor of floats."""
    data = tensor.data
    if tensor.kind == "BF16":  # the upper half of a float32
        halves = np.ascontiguousarray(data).view(np.uint16).astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32).T
    return np.asarray(data, dtype=np.float32).T
