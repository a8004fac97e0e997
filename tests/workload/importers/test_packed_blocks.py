"""Blocks of MatMulNBits, against codes packed one by one."""

import numpy as np
import pytest
from onnx import helper

from pimlab.workload.importers.packed_blocks import nbits_codes

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_codes_less_their_zero_points(bits, kind):
    k, n, block, each = 20, 3, 16, 8 // bits
    codes, zeros = RNG.integers(0, 2**bits, (n, 2, block)), RNG.integers(0, 2**bits, (n, 8))
    packed = [
        (a.reshape(n, -1, each) << np.arange(0, 8, bits)).sum(-1).astype(np.uint8)
        for a in (codes, zeros)
    ]
    known = {"w": packed[0].reshape(n, 2, -1), "s": RNG.random((n, 2)).astype(kind), "z": packed[1]}
    made = helper.make_node("MatMulNBits", ["x", "w", "s", "z"], ["y"], K=k, N=n, bits=bits,
                            block_size=block)  # fmt: skip
    found = nbits_codes(made, known)
    if kind == np.float16:  # products of halves are rounded to halves
        assert found is None
        return
    wanted = (codes - zeros[:, :2, None]).reshape(n, -1)[:, :k].T
    np.testing.assert_array_equal(found[0], wanted)
    np.testing.assert_array_equal(found[1], np.repeat(known["s"], block, axis=1)[:, :k].T)
    assert nbits_codes(made, {}) is None
