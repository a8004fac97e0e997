"""Every block type of a GGUF file, bit for bit as the package gguf reads it."""

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize

from pimlab.formats import ggml_blocks

ENDS = {
    "Q4_0": (-8, 7), "Q4_1": (0, 15), "Q5_0": (-16, 15), "Q5_1": (0, 31), "Q8_0": (-128, 127),
    "Q2_K": (0, 3), "Q3_K": (-4, 3), "Q4_K": (0, 15), "Q5_K": (0, 31), "Q6_K": (-32, 31),
    "IQ4_NL": (-127, 113), "IQ4_XS": (-127, 113), "MXFP4": (-12, 12), "TQ1_0": (-1, 1),
    "TQ2_0": (-1, 2),
}  # fmt: skip
PARTS = {"Q2_K": 16, "Q3_K": 16, "Q6_K": 16, "TQ1_0": 256, "TQ2_0": 256}
HALVES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
          "TQ1_0": (52,), "TQ2_0": (64,), "Q4_1": (0, 2), "Q5_1": (0, 2)}  # fmt: skip


def stored(kind, rows=40, blocks=3, seed=0):
    """Random bytes with finite scales: every code and every bit of every scale occurs."""
    rng = np.random.default_rng(seed)
    size = ggml_blocks.LAYOUTS[kind].size
    data = rng.integers(0, 256, (rows, blocks, size)).astype(np.uint8)
    for at in HALVES.get(kind, (0,) if kind != "MXFP4" else ()):
        halves = (rng.standard_normal((rows, blocks, 1)) * 10.0 ** rng.integers(-6, 3)).astype("f2")
        data[..., at : at + 2] = halves.view(np.uint8)
    if kind == "MXFP4":
        data[..., 0] %= 251  # larger ones overflow float32
    if kind == "TQ1_0":  # bytes that hold five digits, as its packing makes them
        digits = rng.integers(0, 243, (rows, blocks, 52))
        data[..., :52] = (digits * 256 + 242) // 243
    return data.reshape(rows, -1)


@pytest.mark.parametrize("kind", ENDS)
def test_values_equal_the_package_gguf(kind):
    data = stored(kind)
    held = ggml_blocks.decoded(kind, data)
    wanted = dequantize(data, gguf.GGMLQuantizationType[kind])
    np.testing.assert_array_equal(held.values().view(np.uint32), wanted.view(np.uint32))
    assert (held.codes.min(), held.codes.max()) == ENDS[kind]
    assert held.codes.dtype == np.int8
    assert held.part == PARTS.get(kind, 32)


@pytest.mark.parametrize("kind", ENDS)
def test_sizes_are_those_of_the_package(kind):
    layout = ggml_blocks.LAYOUTS[kind]
    assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]] == (layout.block, layout.size)


def test_a_row_that_ends_within_a_block_is_refused():
    with pytest.raises(ValueError, match=r"rows of 100 bytes are no whole number of Q4_K blocks"):
        ggml_blocks.decoded("Q4_K", np.zeros((2, 100), np.uint8))
