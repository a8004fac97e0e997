"""In which codes does a Hugging Face checkpoint hold a matrix? Integers that GPTQ, AWQ or
compressed-tensors packed, with scales and zero points.

GPTQ packs inputs and AWQ outputs, both as (k, n), into 32-bit integers, and compressed-tensors
inputs of (n, k) with half the range added to each code; the lowest bits come first. GPTQ stores
zero points less 1, but in its second form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.machine.stored import StoredWeights
from pimlab.units import is_integer
from pimlab.values import nearest
from pimlab.workload.model import ModelError

METHODS = ("gptq", "awq", "fp8", "compressed-tensors")
"""Values of quant_method that are read."""
_LAYOUTS = {
    "gptq": ("checkpoint_format", (None, "gptq", "gptq_v2")),
    "awq": ("version", (None, "gemm", "GEMM")),
    "compressed-tensors": (
        "format",
        ("pack-quantized", "int-quantized", "float-quantized", "naive-quantized", "dense"),
    ),
}
"""quant_method -> the entry that tells layouts apart, and those that are read."""
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""Which of eight packed codes is the i-th output of eight (AWQ's GEMM layout)."""


def checked(file: str, rule: Mapping[str, Any]) -> None:
    """ModelError for a quantization_config whose method or layout is not read."""
    if not isinstance(rule, Mapping):
        raise ModelError(f"{file}: quantization_config={rule!r:.60}; allowed: entries by name")
    method = rule.get("quant_method")
    if rule and method not in METHODS:
        raise ModelError(
            f"{file}: quant_method={method!r}{nearest(str(method), METHODS)}; "
            f"allowed: {', '.join(METHODS)}"
        )
    entry, layouts = _LAYOUTS.get(str(method), ("", ()))
    if entry and rule.get(entry) not in layouts:
        raise ModelError(
            f"{file}: {entry}={rule.get(entry)!r} of {method}; allowed: "
            f"{', '.join(map(repr, filter(None, layouts)))}"
        )


def block(file: str, rule: Mapping[str, Any]) -> tuple[int, int]:
    """Outputs and inputs that share a scale of FP8; 128 by 128 where nothing is said. Unit:
    weights.
    """
    stated = [
        rule.get("weight_block_size"),
        *(one.get("block_structure") for one in _weights(rule)),
    ]
    found = next((one for one in stated if one is not None), [128, 128])
    sizes = found if isinstance(found, (list, tuple)) else []
    if len(sizes) != 2 or not all(is_integer(size) and size > 0 for size in sizes):
        raise ModelError(
            f"{file}: weight_block_size={found!r:.60} of quantization_config; allowed: two "
            "integers above 0, such as [128, 128]"
        )
    return sizes[0], sizes[1]


def _weights(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the groups of layers of compressed-tensors say of weights."""
    groups = rule.get("config_groups")
    values = groups.values() if isinstance(groups, Mapping) else ()
    found = [one.get("weights") for one in values if isinstance(one, Mapping)]
    return [one for one in found if isinstance(one, Mapping)]


def held(
    file: str, name: str, tensors: Mapping[str, np.ndarray], rule: Mapping[str, Any]
) -> StoredWeights | None:
    """The codes of a matrix; None where the checkpoint holds it as floats. ModelError where they do
    not fit together, or are packed in a way that is not read.
    """
    if f"{name}.qweight" in tensors:
        return _Packed(file, name, tensors, rule).gptq_or_awq()
    if f"{name}.weight_packed" in tensors:
        return _Packed(file, name, tensors, rule).compressed()
    plain = tensors.get(f"{name}.weight")
    if plain is not None and plain.dtype == np.int8:
        return _Packed(file, name, tensors, rule).bytes(plain)
    return None


class _Packed:
    """One matrix in codes."""

    def __init__(
        self, file: str, name: str, tensors: Mapping[str, np.ndarray], rule: Mapping[str, Any]
    ):
        self.file, self.name, self.tensors, self.rule = file, name, tensors, rule
        self.method = rule.get("quant_method")

    def error(self, text: str) -> ModelError:
        return ModelError(f"{self.file}: {text}")

    def tensor(self, part: str) -> np.ndarray:
        key = f"{self.name}.{part}"
        if key not in self.tensors:
            raise self.error(f"has no tensor {key!r}{nearest(key, self.tensors)}")
        return self.tensors[key]

    def gptq_or_awq(self) -> StoredWeights:
        bits = self.rule.get("bits") or self.rule.get("w_bit") or 4
        allowed = {"gptq": (2, 3, 4, 8), "awq": (4,)}.get(str(self.method))
        if allowed is None:
            raise self.error(
                f"{self.name + '.qweight'!r} is packed, and config.json has no "
                "quantization_config that says how; allowed: quant_method 'gptq' or 'awq'"
            )
        if bits not in allowed:
            raise self.error(f"bits={bits!r} of {self.method}; allowed: {allowed}")
        packed, zeros = self.tensor("qweight"), self.tensor("qzeros")
        scale = self.tensor("scales").astype(np.float32)
        if self.method == "awq":
            codes, zero = (_awq(a) for a in (packed, zeros))
        else:
            more = 0 if self.rule.get("checkpoint_format") == "gptq_v2" else 1
            codes = unpacked(packed.T, bits).T
            zero = (unpacked(zeros, bits) + more) & (2**bits - 1)
        return self._joined(codes, zero, scale, "g_idx", bits)

    def compressed(self) -> StoredWeights:
        bits = self._bits()
        n, k = (int(size) for size in self.tensor("weight_shape"))
        scale = self.tensor("weight_scale").astype(np.float32).reshape(n, -1).T
        codes = unpacked(self.tensor("weight_packed"), bits)[:, :k].T - 2 ** (bits - 1)
        zero = np.zeros(scale.shape, np.int32)
        if f"{self.name}.weight_zero_point" in self.tensors:
            zero = self._zero_points(bits, n)
        return self._joined(codes, zero, scale, "weight_g_idx", bits)

    def bytes(self, codes: np.ndarray) -> StoredWeights:
        """Codes of 8 bits, one a byte, (n, k)."""
        scale = self.tensor("weight_scale").astype(np.float32).reshape(-1, 1)
        scale = np.broadcast_to(scale, (len(codes), 1)).T.copy() if scale.size == 1 else scale.T
        zero = np.zeros(scale.shape, np.int32)
        if f"{self.name}.weight_zero_point" in self.tensors:
            zero = zero + self.tensor("weight_zero_point").astype(np.int32).reshape(-1, 1).T
        return self._joined(codes.T.astype(np.int32), zero, scale, "weight_g_idx", 8)

    def _zero_points(self, bits: int, n: int) -> np.ndarray:
        """(groups, n), of which outputs are packed, or one is a byte."""
        stored = self.tensor("weight_zero_point")
        if stored.dtype == np.int8:
            return stored.reshape(n, -1).T.astype(np.int32)
        return unpacked(stored.T, bits)[:, :n] - 2 ** (bits - 1)

    def _bits(self) -> int:
        """Bits of the weights of every group of layers; ModelError where they differ."""
        rules = _weights(self.rule)
        bits = [one.get("num_bits") for one in rules]
        alike = all(one in (2, 3, 4, 8) and one == bits[0] for one in bits)
        if not bits or not alike or any(one.get("type") != "int" for one in rules):
            kinds = sorted({f"{one.get('type')} of {one.get('num_bits')} bits" for one in rules})
            raise self.error(
                f"config_groups has weights of {', '.join(kinds) or 'no kind'}; allowed: integers "
                "of 2, 3, 4 or 8 bits, the same in all"
            )
        return int(bits[0] or 0)

    def _joined(
        self, codes: np.ndarray, zero: np.ndarray, scale: np.ndarray, order: str, bits: int
    ) -> StoredWeights:
        k, parts = len(codes), len(scale)
        part_of = self.tensors.get(f"{self.name}.{order}", np.arange(k) // -(-k // parts))
        if zero.shape != scale.shape or codes.shape[1] != scale.shape[1] or len(part_of) != k:
            raise self.error(
                f"{self.name!r} has codes {codes.shape}, zero points {zero.shape} and scales "
                f"{scale.shape} that do not fit together"
            )
        if part_of.min() < 0 or part_of.max() >= parts:
            raise self.error(f"{self.name}.{order} names a group beyond the {parts} there are")
        return StoredWeights((codes - zero[part_of])[None], scale[None], part_of, bits)


def unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """int32, shape (rows, codes), of 32-bit integers (rows, words), the lowest bits first; codes
    may lie across two of them.
    """
    words = np.ascontiguousarray(packed).astype("<i4", copy=False).view(np.uint8)
    stream = np.unpackbits(words, axis=1, bitorder="little")
    whole = stream[:, : stream.shape[1] // bits * bits].reshape(len(packed), -1, bits)
    return whole @ (1 << np.arange(bits, dtype=np.int32))


def _awq(packed: np.ndarray) -> np.ndarray:
    codes = unpacked(packed, 4).reshape(len(packed), -1, 8)
    return codes[:, :, _AWQ_ORDER].reshape(len(packed), -1)
