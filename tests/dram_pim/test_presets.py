"""Does every PIM memory of the catalogue count, time, price and compute, and do generic formats behave as formats?"""

import itertools

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.cost import price
from pimlab.formats import FloatAccumulator
from pimlab.machine.protocol import Calibration, MacOp, Range

OP = MacOp(name="fc", m=3, k=300, n=700)


@pytest.mark.parametrize("name", sorted(pim.TARGETS))
def test_every_preset_answers(name):
    target = pim.TARGETS[name]()
    energy = price({**target.events(OP), **target.static}, target.prices)
    assert all(energy.low[c] <= energy.nominal[c] <= energy.high[c] for c in energy.nominal)
    assert sum(target.latency(OP).values()) > 0
    assert float(pim.host_read(target, 10**6).seconds) > 0
    x, w = np.ones((2, 300), np.float32), np.full((300, 7), 0.5, np.float32)
    np.testing.assert_allclose(pim.matmul(x, w, target), 150, rtol=0.01)


@pytest.mark.parametrize("name", ["hbm2", "hbm3", "gddr6", "lpddr5", "ddr5", "gddr6-aim"])
def test_every_timing_table_schedules_host_traffic_validly(name):
    table = pim.timing(name)
    target = pim.TARGETS["hbm-pim"]().but(timing=table)
    for op in ("read", "write"):
        trace = pim.trace(target, op, bytes=1 << 21)
        assert pim.validate(trace, table) == trace.sizes["index"]
    assert pim.validate(pim.trace(target, "gemv", m=100, k=300), table) > 200


def test_unknown_tables_and_presets_name_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'hbm2'|did you mean 'hbm3'"):
        pim.timing("hbm4")
    with pytest.raises(ValueError, match="did you mean 'upmem'"):
        pim.gemv("upmen", 4, 4)


def test_upmem_pipeline_fills_at_eleven_tasklets():
    org = pim.TARGETS["upmem"]().organisation
    cycles = [org.but(tasklets=n).pipeline(100_000) for n in range(1, 25)]
    assert cycles[0] == 1_100_000
    assert cycles[10:] == [100_000] * 14
    assert all(a > b for a, b in itertools.pairwise(cycles[:11]))


def test_upmem_refuses_what_scalar_cores_do_not_have():
    with pytest.raises(ValueError, match="issue no DRAM commands"):
        pim.trace("upmem", "gemv", m=4, k=4)
    with pytest.raises(ValueError, match="bytes a bank"):
        pim.gemv("upmem", 10**7, 10**5)
    with pytest.raises(ValueError, match="needs timing=None"):
        pim.TARGETS["upmem"]().but(timing=pim.timing("hbm2"))
    with pytest.raises(ValueError, match="needs a timing table"):
        pim.TARGETS["hbm-pim"]().but(timing=None)


def _operands():
    rng = np.random.default_rng(0)
    return rng.standard_normal((5, 96)).astype(np.float32), rng.standard_normal((96, 11)).astype(
        np.float32
    )


@pytest.mark.parametrize(
    ("inputs", "weights", "tolerance"),
    [
        ("int8", "int8", 0.02),
        ("int8", "int4", 0.2),
        ("fp8_e4m3", "fp8_e4m3", 0.08),
        ("bf16", "bf16", 0.01),
        ("mxfp8_e4m3", "mxfp4", 0.3),
    ],
)
def test_what_if_the_bank_had_another_format(inputs, weights, tolerance):
    x, w = _operands()
    target = pim.TARGETS["hbm-pim"]().but(arithmetic=pim.AnyFormat(inputs=inputs, weights=weights))
    error = np.abs(pim.matmul(x, w, target) - x @ w).mean() / np.abs(x @ w).mean()
    assert 0 < error < tolerance
    np.testing.assert_allclose(
        pim.matmul(x, w, target.with_causes(())), x @ w, rtol=1e-4, atol=1e-4
    )


def test_accumulators_of_any_format_lose_bits():
    x, w = np.abs(_operands()[0]), np.abs(_operands()[1])
    base = pim.TARGETS["hbm-pim"]()
    exact = pim.matmul(x, w, base.but(arithmetic=pim.AnyFormat(inputs="bf16", weights="bf16")))
    narrow = pim.AnyFormat(
        inputs="bf16", weights="bf16", accumulator=FloatAccumulator(format="bf16")
    )
    assert np.abs(pim.matmul(x, w, base.but(arithmetic=narrow)) - exact).max() > 0.01


def test_calibrated_inputs_clip_at_the_range():
    sample = np.zeros((1, 4), np.float32)
    calibration = Calibration(
        x=Range(low=-1, high=1), y=Range(low=-1, high=1), sample=sample, rule="minmax"
    )
    target = pim.TARGETS["upmem"]()
    y = target.program(np.eye(4, dtype=np.float32), calibration=calibration).matmul(
        np.full((1, 4), 3, np.float32)
    )
    np.testing.assert_allclose(y, 1, rtol=1e-6)


def test_mixed_integers_and_floats_are_refused():
    with pytest.raises(ValueError, match="integers multiply integers"):
        pim.AnyFormat(inputs="fp16", weights="int8")
    with pytest.raises(ValueError, match="write accumulator=None"):
        pim.AnyFormat(accumulator=FloatAccumulator())
