"""What does the header of a GGUF file say, and is all there that it names? Keys with their values,
tensors with their places (GGUF specification, version 3).
"""

from __future__ import annotations

import math
import mmap
from typing import Any

from pimlab.values import nearest
from pimlab.workload.model import ModelError

_TEXT, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a number by its kind."""
_ALIGNMENT = 32
"""Bytes between which tensors start, where general.alignment says nothing else."""


class Header:
    """The keys of a file that the package gguf has opened.

    architecture : what keys of the network start with.
    """

    def __init__(self, name: str, file: Any):
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
        field = self._file.get_field(key)
        if field is None:
            return default
        try:
            return field.contents()
        except UnicodeDecodeError as error:
            raise ModelError(f"{self.name}: {key!r} is damaged: {error}") from error

    def own(self, key: str) -> Any:
        """`needed`, of a key of the network."""
        return self.needed(f"{self.architecture}.{key}")

    def own_or(self, key: str, default: Any = None) -> Any:
        """`get`, of a key of the network."""
        return self.get(f"{self.architecture}.{key}", default)


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
