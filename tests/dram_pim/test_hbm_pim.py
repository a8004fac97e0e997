"""Are HBM-PIM's numbers those of the reference simulator, bit for bit?"""

from pathlib import Path

import numpy as np
import pytest

from pimlab.dram_pim import TARGETS, layout
from pimlab.reference import fp16

REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "dram_pim"
TARGET = TARGETS["hbm-pim"]()


def _operands(seed, m, k, batch):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((m, k)).astype(np.float16)
    return rng.standard_normal((batch, k)).astype(np.float16).astype(np.float32), w.T.astype(
        np.float32
    )


@pytest.mark.parametrize(("seed", "k"), [(1, 1024), (3, 384)])
def test_lanes_and_sums_equal_the_simulator(seed, k):
    stored = np.load(REFERENCE / "hbm_pim_fp16_gemv.npz")
    name = f"seed{seed}_M4096_K{k}_B1"
    x, w = _operands(seed, 4096, k, 1)
    order = layout.lane_order(k, TARGET.organisation)
    lanes = layout.lane_partials(layout.laid_out(x, order, 1), layout.laid_out(w, order, 0))
    np.testing.assert_array_equal(x.astype(np.float16), stored[f"{name}_x"])
    np.testing.assert_array_equal(lanes[0].T.astype(np.float16), stored[f"{name}_lane_partials"])
    np.testing.assert_array_equal(
        TARGET.program(w).matmul(x)[0].astype(np.float16), stored[f"{name}_reduced"]
    )


@pytest.mark.parametrize(("k", "n", "batch"), [(1, 1, 1), (9, 5, 3), (129, 65, 6), (300, 200, 5)])
def test_any_shape_equals_numpy(k, n, batch):
    x, w = _operands(7, n, k, batch)
    order = layout.lane_order(k, TARGET.organisation)
    expected = fp16.matmul(layout.laid_out(x, order, 1), layout.laid_out(w, order, 0))
    np.testing.assert_array_equal(TARGET.program(w).matmul(x), expected)


def test_lane_order_puts_even_tiles_before_odd_ones():
    order = layout.lane_order(300, TARGET.organisation)
    assert order.shape == (16, 24)
    np.testing.assert_array_equal(order[0, :3], [0, 16, 32])
    np.testing.assert_array_equal(order[5, 8:10], [256 + 5, 256 + 21])
    np.testing.assert_array_equal(order[0, 16], 128)


def test_one_output_by_hand():
    # 2048 + 1 rounds back to 2048 in binary16, ties to even; the next lane's 1 is added after the lane sums
    x = np.ones((1, 18), np.float32)
    w = np.zeros((18, 1), np.float32)
    w[0], w[16], w[1] = 2048, 1, 2
    assert TARGET.program(w).matmul(x)[0, 0] == 2050


def test_bias_is_added_by_the_host_in_float32():
    y = TARGET.program(np.ones((1, 2), np.float32), bias=np.array([0.1, 0], np.float32)).matmul(
        np.ones((1, 1), np.float32)
    )
    np.testing.assert_array_equal(y, [[np.float32(1) + np.float32(0.1), 1]])


def test_batch_chunks_give_the_same_bits():
    x, w = _operands(2, 70, 200, 9)
    for causes in ((), TARGET.causes):
        programmed = TARGET.with_causes(causes).program(w)
        whole = programmed.matmul(x)
        np.testing.assert_array_equal(
            whole, np.concatenate([programmed.matmul(x[:2]), programmed.matmul(x[2:])])
        )


def test_sums_beyond_half_are_infinite():
    assert (
        TARGET.program(np.full((2, 1), 60000, np.float32)).matmul(np.ones((1, 2), np.float32))[0, 0]
        == np.inf
    )


def test_weights_beyond_half_are_refused():
    with pytest.raises(ValueError, match="beyond binary16"):
        TARGET.program(np.full((2, 1), 70000, np.float32))


def test_causes_switch_one_rounding_at_a_time():
    x, w = _operands(5, 40, 256, 4)
    x, w = x * np.float32(1 / 3), w * np.float32(1 / 3)
    exact = (x.astype(np.float64) @ w).astype(np.float32)
    np.testing.assert_array_equal(TARGET.with_causes(()).program(w).matmul(x), exact)
    errors = [
        np.abs(TARGET.with_causes(causes).program(w).matmul(x) - exact).mean()
        for causes in (("fp16 operands",), TARGET.causes)
    ]
    assert 0 < errors[0] < errors[1]
    with pytest.raises(ValueError, match="did you mean 'fp16 operands'"):
        TARGET.with_causes(("fp16 operand",))
