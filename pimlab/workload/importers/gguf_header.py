"""What does the header of a GGUF file say, and is all there that it names? Keys with their values,
tensors with their places (GGUF specification, version 3).

The package gguf says which types there are. Its reader is not used: it makes two arrays of every
word of a tokenizer, which took 3 of the 6 seconds (and 0.2 GiB) of loading 135 M weights.
"""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pimlab.values import nearest
from pimlab.workload.model import ModelError

_TEXT, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a number by its kind."""
_NUMBERS = ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "?", ".", ".", "u8", "i8", "f8"]
"""Numbers by their kind, as NumPy calls them."""
_FLOATS = {"F32": "f4", "F16": "f2"}
_ALIGNMENT = 32
"""Bytes between which tensors start, where general.alignment says nothing else."""
_VERSIONS = (2, 3)


class Tensor(NamedTuple):
    """One tensor of a file. shape : as the header has it, the axis whose values follow each other
    first;  data : floats of the shape turned round, or uint8 where they are stored in blocks, shape
    (..., bytes a row).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    data: np.ndarray


class File:
    """Keys and tensors of a file, whose bytes stay where they are until they are asked for.

    ModelError for a tensor whose type is not `allowed`; IndexError, KeyError or ValueError for a
    file that is damaged, cut, or no GGUF file.
    """

    def __init__(self, path: Path, allowed: tuple[str, ...]):
        with path.open("rb") as file:
            self.content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        check(self.content, path.name, allowed)
        version = _number(self.content, 4, 4)
        if self.content[:4] != b"GGUF" or version not in _VERSIONS:
            raise ValueError(f"starts with {self.content[:4]!r} and version {version}")
        self.values, at = _values(self.content)
        self.tensors = _tensors(self.content, at, self.values.get("general.alignment", _ALIGNMENT))


def _values(content: mmap.mmap) -> tuple[dict[str, Any], int]:
    """Every key with its value, texts as bytes, and where the tensors begin."""
    at, found = 24, dict[str, Any]()
    for _ in range(_number(content, 16, 8)):
        length = _number(content, at, 8)
        key, at = content[at + 8 : at + 8 + length].decode(), at + 8 + length
        if key in found:
            raise KeyError(f"{key!r} stands twice")
        found[key], at = _value(content, at + 4, _number(content, at, 4))
    return found, at


def _value(content: mmap.mmap, at: int, kind: int) -> tuple[Any, int]:
    """A value of that kind, which starts `at`, and where it ends."""
    if kind == _TEXT:
        end = at + 8 + _number(content, at, 8)
        return content[at + 8 : end], end
    if kind != _ARRAY:
        return np.frombuffer(content, _NUMBERS[kind], 1, at)[0].item(), at + _SIZES[kind]
    inner, count = _number(content, at, 4), _number(content, at + 4, 8)
    at += 12
    if inner not in (_TEXT, _ARRAY):
        held = np.frombuffer(content, _NUMBERS[inner], count, at)
        return held.tolist(), at + held.nbytes
    found = []
    for _ in range(count):
        one, at = _value(content, at, inner)
        found.append(one)
    return found, at


def _tensors(content: mmap.mmap, at: int, alignment: int) -> list[Tensor]:
    """Every tensor, of a header that `check` has seen."""
    places = []
    for _ in range(_number(content, 8, 8)):
        length = _number(content, at, 8)
        name, at = content[at + 8 : at + 8 + length].decode(), at + 8 + length
        axes = _number(content, at, 4)
        shape = tuple(_number(content, at + 4 + 8 * i, 8) for i in range(axes))
        at += 4 + 8 * axes
        places.append((name, _number(content, at, 4), shape, _number(content, at + 4, 8)))
        at += 12
    if len({name for name, *_ in places}) < len(places):
        raise ValueError("two tensors have the same name")
    first = -(-at // alignment) * alignment
    return [_tensor(content, first + start, name, k, shape) for name, k, shape, start in places]


def _tensor(
    content: mmap.mmap, start: int, name: str, number: int, shape: tuple[int, ...]
) -> Tensor:
    import gguf

    kind = gguf.GGMLQuantizationType(number)
    block, size = gguf.GGML_QUANT_SIZES[kind]
    of = _FLOATS.get(kind.name, "u1")
    axes = shape[::-1] if kind.name in _FLOATS else (*shape[:0:-1], shape[0] // block * size)
    data = np.frombuffer(content, of, math.prod(axes), start).reshape(axes)
    return Tensor(name, kind.name, shape, data)


class Header:
    """The keys of a `File`.

    architecture : what keys of the network start with.
    """

    def __init__(self, name: str, file: File):
        self.name, self._file = name, file
        self.architecture = str(self.needed("general.architecture"))

    def needed(self, key: str) -> Any:
        """The value of a key; ModelError where the file has none."""
        found = self.get(key)
        if found is None:
            raise ModelError(f"{self.name}: has no {key!r}, which a decoder in a GGUF file needs")
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key; `default` where the file has none."""
        try:
            return _text(self._file.values[key]) if key in self._file.values else default
        except UnicodeDecodeError as error:
            raise ModelError(f"{self.name}: {key!r} is damaged: {error}") from error

    def own(self, key: str) -> Any:
        """`needed`, of a key of the network."""
        return self.needed(f"{self.architecture}.{key}")

    def own_or(self, key: str, default: Any = None) -> Any:
        """`get`, of a key of the network."""
        return self.get(f"{self.architecture}.{key}", default)


def _text(value: Any) -> Any:
    """A value with its texts decoded."""
    if isinstance(value, list):
        return [_text(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def check(content: mmap.mmap, file: str, allowed: tuple[str, ...]) -> None:
    """IndexError where an entry of the header or a tensor is longer than the file; ModelError for a
    tensor whose type is not `allowed`. The package gguf would count to any number it finds there.
    """
    at, alignment = 24, _ALIGNMENT  # magic, version, number of tensors, number of entries
    for _ in range(_number(content, 16, 8)):
        length = _number(content, at, 8)
        key, at = content[at + 8 : at + 8 + length], at + 8 + length
        if key == b"general.alignment":
            alignment = max(1, _number(content, at + 4, 4))
        at = _end(content, at + 4, _number(content, at, 4))
    _check_tensors(content, at, file, alignment, allowed)


def _check_tensors(
    content: mmap.mmap, at: int, file: str, alignment: int, allowed: tuple[str, ...]
) -> None:
    ends = []
    for _ in range(_number(content, 8, 8)):
        length = _number(content, at, 8)
        name, at = content[at + 8 : at + 8 + length].decode(errors="replace"), at + 8 + length
        axes = _number(content, at, 4)
        dims = [_number(content, at + 4 + 8 * i, 8) for i in range(min(axes, 8))]
        at += 4 + 8 * axes
        size = _bytes(file, name, _number(content, at, 4), dims, allowed)
        ends.append((name, _number(content, at + 4, 8) + size))
        at += 12
    first = -(-at // alignment) * alignment
    for name, end in ends:
        if first + end > len(content):
            raise IndexError(f"tensor {name!r} ends at byte {first + end}")


def _bytes(file: str, name: str, number: int, dims: list[int], allowed: tuple[str, ...]) -> int:
    """Bytes of a tensor; ModelError where its type is not allowed, or its rows end in a block."""
    import gguf

    kinds = {kind.value: kind for kind in gguf.GGMLQuantizationType}
    kind = kinds.get(number)
    shown = f"number {number}" if kind is None else kind.name
    if kind is None or kind.name not in allowed:
        raise ModelError(
            f"{file}: tensor {name!r} has type {shown}{nearest(shown, allowed)}; allowed: "
            f"{', '.join(allowed)}"
        )
    block, size = gguf.GGML_QUANT_SIZES[kind]
    if dims and dims[0] % block:
        raise ModelError(
            f"{file}: tensor {name!r} has rows of {dims[0]} values, which end within a block of "
            f"{kind.name}; allowed: multiples of {block}"
        )
    return math.prod(dims) // block * size


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
