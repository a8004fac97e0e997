"""Roofline: published ridges, and layers where they must lie."""

from __future__ import annotations

import numpy as np
import pytest

from pimlab import npu
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.npu.vectors import operations


def test_the_ridge_is_peak_over_bandwidth():
    rngd = npu.chip("rngd", "fp8_e4m3")
    assert npu.ridge(rngd) == pytest.approx(512e12 / 1.5e12, rel=0.03)
    assert npu.attainable(rngd, npu.ridge(rngd)) == pytest.approx(rngd.array.peak)
    assert npu.attainable(rngd, 10.0) == pytest.approx(10 * 1.5e12)


def test_decoding_is_bound_by_memory_and_a_large_product_by_compute():
    rngd = npu.chip("rngd").but(dma=None, efficiency=None)
    away = rngd.but(memory=rngd.memory.but(weights_in="dram"))
    decode, prefill, tiny = (
        MacOp(name=n, m=m, k=k, n=4096)
        for n, m, k in (("decode", 1, 4096), ("prefill", 8192, 4096), ("tiny", 1, 16))
    )
    ds = npu.roofline(away, (decode, prefill, tiny))
    assert ds.intensity.sel(layer="decode").item() == pytest.approx(2.0)
    assert ds.bound.values.tolist() == ["memory", "compute", "array"]
    assert (ds.achieved <= ds.attainable * (1 + 1e-12)).all()
    assert (ds.utilisation <= 1).all()
    assert npu.roofline(rngd, (decode,)).intensity.item() == float("inf")
    real = npu.chip("rngd").but(memory=away.memory)
    started = npu.roofline(real, (decode, prefill, tiny))
    assert started.bound.values.tolist() == ["memory", "compute", "memory"], "500 cycles for 64 kB"


@pytest.mark.parametrize(("weights", "bits"), [("int8", 8), ("int4", 4), ("fp16", 16)])
def test_decoding_reads_every_weight_once_for_the_whole_batch(weights, bits):
    """Intensity 2 B / (bytes a weight), and tokens a second below bandwidth over bytes."""
    rngd = npu.chip("rngd").in_format("fp16", weights)
    away = rngd.but(memory=rngd.memory.but(weights_in="dram"))
    for batch in (1, 16):
        op = MacOp(name="fc", m=batch, k=4096, n=4096)
        assert npu.roofline(away, (op,)).intensity.item() == pytest.approx(2 * batch / (bits / 8))
        assert sum(away.latency(op).values()) >= 4096 * 4096 * bits / away.memory.bandwidth


def test_vector_work_is_counted_and_moving_is_not_arithmetic():
    assert operations(VectorOp(name="a", kind="relu", elements=10)) == 10
    assert operations(VectorOp(name="a", kind="softmax", elements=10)) == 60
    assert operations(VectorOp(name="a", kind="reshape", elements=10)) == 0
    assert operations(VectorOp(name="a", kind="never heard of", elements=10)) == 10


def test_two_of_four_doubles_the_peak_and_no_layer_passes_it():
    dense = npu.chip("a100").but(efficiency=None)
    sparse = dense.but(sparsity="2:4")
    assert sparse.peak() == 2 * dense.peak() == 2 * dense.array.peak
    assert npu.ridge(sparse) == 2 * npu.ridge(dense)
    ops = (
        MacOp(name="large", m=8192, k=8192, n=8192),
        MacOp(name="odd", m=64, k=9, n=8),
        MacOp(name="one", m=1, k=64, n=64),
        MacOp(name="attention", m=64, k=64, n=64, kind="activations"),
    )
    ds = npu.roofline(sparse, iter(ops))
    assert (ds.utilisation <= 1).all()
    assert (ds.achieved <= ds.attainable * (1 + 1e-12)).all()
    assert float(ds.utilisation.sel(layer="large")) > 0.98
    assert sparse.peak(ops[3]) == dense.peak()


def test_what_is_no_product_is_refused():
    with pytest.raises(TypeError, match="roofline ops: 'fc1' is no MacOp; write for example"):
        npu.roofline(npu.chip("warboy"), iter(["fc1"]))


def test_a_negative_intensity_is_refused():
    for intensity in (-1.0, np.nan):
        with pytest.raises(ValueError, match="0 or more"):
            npu.attainable(npu.chip("warboy"), intensity)
