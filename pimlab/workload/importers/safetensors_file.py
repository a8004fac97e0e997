"""Which tensors does a safetensors file hold? A header of JSON, and bytes (Hugging Face,
safetensors format).

Eight bytes give the header's length; it names each tensor with its type, its shape and where its
bytes lie behind the header.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from pimlab import formats
from pimlab.workload.model import ModelError

_PLAIN = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U8": "u1", "BOOL": "?",
}  # fmt: skip
_CODES = {"F8_E4M3": "fp8_e4m3", "F8_E5M2": "fp8_e5m2"}
TYPES = (*_PLAIN, "BF16", *_CODES)
_HEADER = 100 * 2**20
"""Bytes of the longest header that the format allows."""


def read(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a file by name, with its shape: integers as they are, floats of 16 and 8 bits
    as float32.

    ModelError names the file, and the tensor that is cut or of another type.
    """
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    header, first = _header(path.name, content)
    return {
        name: _tensor(path.name, name, entry, content[first:])
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _header(file: str, content: np.ndarray) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(bytes(content[:8]), "little")
    if len(content) < 8 or not 2 <= length <= min(_HEADER, len(content) - 8):
        raise ModelError(
            f"{file}: damaged or truncated ({len(content)} bytes, its header of {length}), or no "
            "safetensors file"
        )
    try:
        header = json.loads(bytes(content[8 : 8 + length]))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ModelError(f"{file}: its header is damaged ({error})") from error
    if not isinstance(header, dict):
        raise ModelError(f"{file}: its header is no list of tensors by name")
    return header, 8 + length


def _tensor(file: str, name: str, entry: Any, content: np.ndarray) -> np.ndarray:
    try:
        kind, shape = entry["dtype"], [int(size) for size in entry["shape"]]
        start, end = (int(at) for at in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: the entry of tensor {name!r} is damaged ({error})") from error
    if kind not in TYPES:
        raise ModelError(f"{file}: tensor {name!r} has type {kind!r}; allowed: {', '.join(TYPES)}")
    width = np.dtype(_PLAIN[kind]).itemsize if kind in _PLAIN else 2 if kind == "BF16" else 1
    if min([0, *shape]) < 0 or not 0 <= start <= end <= len(content):
        raise ModelError(
            f"{file}: tensor {name!r} lies at bytes {start} to {end} of {len(content)}; the file "
            "is truncated"
        )
    if end - start != math.prod(shape) * width:
        raise ModelError(
            f"{file}: tensor {name!r} of shape {shape} and type {kind} has {end - start} bytes"
        )
    return _values(kind, np.ascontiguousarray(content[start:end])).reshape(shape)


def _values(kind: str, data: np.ndarray) -> np.ndarray:
    if kind == "BF16":  # the upper half of a float32
        return (data.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    if kind in _CODES:
        grid = formats.format(_CODES[kind])
        assert isinstance(grid, formats.FloatFormat)
        return grid.values[data]
    values = data.view(f"<{_PLAIN[kind]}" if kind not in ("BOOL", "I8", "U8") else _PLAIN[kind])
    return values.astype(np.float32) if kind in ("F64", "F16") else values
