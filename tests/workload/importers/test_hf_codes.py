"""Codes that checkpoints pack, against bits written out one by one."""

import numpy as np
import pytest

from pimlab.workload.importers.hf_codes import checked, held, unpacked
from pimlab.workload.model import ModelError

RNG = np.random.default_rng(5)
K, N, GROUP = 64, 32, 16


def packed(codes, bits):
    """Codes (rows, n) as one stream of bits a row, the lowest first, in 32-bit integers."""
    bit = (codes[..., None] >> np.arange(bits)) & 1
    stream = bit.reshape(len(codes), -1).astype(np.uint8)
    return np.packbits(stream, axis=1, bitorder="little").view("<i4")


def drawn(bits):
    codes = RNG.integers(0, 2**bits, (K, N))
    zeros = RNG.integers(0, 2**bits, (K // GROUP, N))
    scale = RNG.random((K // GROUP, N)).astype(np.float32)
    return codes, zeros, scale


def values(codes, zeros, scale):
    part_of = np.arange(K) // GROUP
    return (codes - zeros[part_of]).astype(np.float32) * scale[part_of]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_a_stream_of_bits_is_cut_into_codes(bits):
    codes = RNG.integers(0, 2**bits, (5, 64))
    np.testing.assert_array_equal(unpacked(packed(codes, bits), bits), codes)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq(bits):
    codes, zeros, scale = drawn(bits)
    tensors = {"m.qweight": packed(codes.T, bits).T, "m.scales": scale}
    for form, less in (("gptq", 1), ("gptq_v2", 0)):
        rule = {"quant_method": "gptq", "bits": bits, "checkpoint_format": form}
        given = tensors | {"m.qzeros": packed((zeros - less) % 2**bits, bits)}
        assert held("f", "m", given, rule).holds(values(codes, zeros, scale))


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zero", ["none", "packed", "bytes"])
def test_compressed_tensors_in_groups(bits, zero):
    codes, zeros, scale = drawn(bits)
    middle = 2 ** (bits - 1)
    tensors = {"m.weight_packed": packed(codes.T, bits), "m.weight_scale": scale.T,
               "m.weight_shape": np.array([N, K])}  # fmt: skip
    if zero == "packed":
        tensors["m.weight_zero_point"] = packed(zeros, bits).T
    if zero == "bytes":
        tensors["m.weight_zero_point"] = (zeros - middle).T.astype(np.int8)
    rule = {"config_groups": {"group_0": {"weights": {"num_bits": bits, "type": "int"}}}}
    wanted = values(codes, zeros if zero != "none" else np.full_like(zeros, middle), scale)
    found = held("f", "m", tensors, rule)
    assert found.holds(wanted)
    assert found.part == GROUP


def test_bytes_with_a_scale_an_output():
    codes = RNG.integers(-128, 128, (N, K)).astype(np.int8)
    scale = RNG.random((N, 1)).astype(np.float32)
    tensors = {"m.weight": codes, "m.weight_scale": scale}
    assert held("f", "m", tensors, {}).holds((codes * scale).T)
    one = held("f", "m", tensors | {"m.weight_scale": np.float32([0.5])}, {})
    assert one.holds(codes.T * np.float32(0.5))
    assert one.part is None
    assert held("f", "m", {"m.weight": codes.astype(np.float32)}, {}) is None


@pytest.mark.parametrize(("rule", "words"), [
    ({"quant_method": "bitsandbytes"}, r"quant_method='bitsandbytes'; allowed: gptq, awq, fp8"),
    ([1], r"quantization_config=\[1\]; allowed: entries by name"),
    ({"quant_method": "awq", "version": "gemv"}, r"version='gemv' of awq; allowed: 'gemm'"),
    ({"quant_method": "gptq", "checkpoint_format": "marlin"}, r"='marlin' of gptq; allowed: 'gptq'"),
    ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"},
     r"format='nvfp4-pack-quantized' of compressed-tensors; allowed: 'pack-quantized'"),
])  # fmt: skip
def test_layouts_that_are_not_read_are_refused(rule, words):
    with pytest.raises(ModelError, match=words):
        checked("f", rule)


def test_codes_that_contradict_each_other_are_refused():
    codes, zeros, scale = drawn(4)
    tensors = {"m.qweight": packed(codes.T, 4).T, "m.qzeros": packed(zeros, 4), "m.scales": scale}
    rule = {"quant_method": "gptq", "bits": 4}
    for change, words in (
        ({"m.scales": scale[:2]}, "that do not fit together"),
        ({"m.g_idx": np.full(K, 4)}, "m.g_idx names a group beyond the 4 there are"),
    ):
        with pytest.raises(ModelError, match=words):
            held("f", "m", tensors | change, rule)
    with pytest.raises(ModelError, match=r"bits='four' of gptq"):
        held("f", "m", tensors, rule | {"bits": "four"})
    with pytest.raises(ModelError, match=r"bits=5 of gptq; allowed: \(2, 3, 4, 8\)"):
        held("f", "m", tensors, rule | {"bits": 5})
    with pytest.raises(ModelError, match=r"has no tensor 'm.qzeros'"):
        held("f", "m", {"m.qweight": tensors["m.qweight"]}, rule)
    mixed = {"a": {"weights": {"num_bits": 4, "type": "int"}}, "b": {"weights": {"num_bits": 8, "type": "int"}}}  # fmt: skip
    packed_too = {"m.weight_packed": packed(codes.T, 4)}
    with pytest.raises(ModelError, match="weights of int of 4 bits, int of 8 bits; allowed"):
        held("f", "m", packed_too, {"config_groups": mixed})
