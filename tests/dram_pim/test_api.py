"""Do the entry points answer with labelled Datasets, and refuse what does not make sense by name?"""

import numpy as np
import pytest

import pimlab
import pimlab.dram_pim as pim

TARGET = pim.TARGETS["hbm-pim"]()


def test_gemv_reports_cycles_energy_and_padding():
    answer = pim.gemv("hbm-pim", 100, 100)
    assert answer.seconds.attrs["units"] == "s"
    assert float(answer.seconds) == pytest.approx(int(answer.cycles) * 1e-9)
    assert int(answer.phase_cycles.sum()) == int(answer.cycles)
    assert float(answer.utilisation) == pytest.approx(100 * 100 / (4096 * 128))
    assert (answer.energy_low <= answer.energy).all()
    assert (answer.energy <= answer.energy_high).all()


@pytest.mark.parametrize("name", ["hbm-pim", "gddr6-aim", "upmem"])
def test_numpys_integers_do_not_overflow(name):
    for kind, sizes in ((np.int8, (100, 100, 2)), (np.int32, (70_000, 20_000, 3))):
        given = pim.gemv(name, *map(kind, sizes))
        assert given.identical(pim.gemv(name, *sizes))
    amount, count = np.int32(1 << 25), np.int16(1000)
    assert pim.host_read(name, amount).identical(pim.host_read(name, 1 << 25))
    assert pim.elementwise(name, "mul", count).identical(pim.elementwise(name, "mul", 1000))


def test_changed_tables_change_the_count():
    slow = TARGET.but(timing=TARGET.timing.but(tRCDRD=24, tRAS=40, tRC=60))
    assert (
        int(pim.gemv(slow, 4096, 1024, refresh=False).cycles)
        > int(pim.gemv(TARGET, 4096, 1024, refresh=False).cycles) + 16 * 9
    )


def test_reading_through_the_pins_costs_what_pim_saves():
    inside, outside = pim.gemv(TARGET, 4096, 4096), pim.host_read(TARGET, 2 * 4096 * 4096)
    assert float(inside.seconds) < float(outside.seconds) / 2
    assert (
        float(inside.energy.sel(component="I/O")) < float(outside.energy.sel(component="I/O")) / 20
    )
    assert float(inside.energy.sum()) < float(outside.energy.sum())


def test_matmul_returns_lanes():
    rng = np.random.default_rng(1)
    w = rng.standard_normal((4096, 1024)).astype(np.float16)
    x = rng.standard_normal((1, 1024)).astype(np.float16)
    y, lanes = pim.matmul(x, w.T, TARGET, return_lanes=True)
    assert y.shape == (1, 4096)
    assert lanes.shape == (1, 4096, 16)
    np.testing.assert_array_equal(
        np.cumsum(lanes.astype(np.float16), axis=2, dtype=np.float16)[..., -1].astype(np.float32), y
    )


def test_trace_takes_sizes_by_place_or_name():
    assert pim.trace(TARGET, 64, 200, 2).identical(pim.trace(TARGET, "gemv", m=64, k=200, batch=2))
    with pytest.raises(TypeError, match="takes 1 sizes"):
        pim.trace(TARGET, "read", 64, 64)


def test_trace_columns_are_labelled():
    trace = pim.trace(TARGET, "relu", n=1000)
    assert {"cycle", "command", "bank", "row", "column", "mode"} == set(trace.data_vars)
    assert trace.attrs["banks"] == 16


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: pim.gemv(TARGET, 0, 5), ValueError, "m=0 is outside"),
        (lambda: pim.gemv(TARGET, 5, 5, batch=0), ValueError, "batch=0"),
        (lambda: pim.gemv(TARGET, 5.5, 5), TypeError, "m=5.5 is not an integer"),
        (lambda: pim.gemv(TARGET, 10**7, 10**5), ValueError, "rows a bank"),
        (lambda: pim.gemv("hbm-pin", 5, 5), ValueError, "did you mean 'hbm-pim'"),
        (lambda: pim.elementwise(TARGET, "sub", 5), ValueError, "did you mean 'mul'|not known"),
        (lambda: pim.elementwise(TARGET, "add", 10**9), ValueError, "split the vectors"),
        (lambda: pim.host_read(TARGET, 0), ValueError, "bytes=0"),
        (lambda: pim.host_read(TARGET, 1 << 50), ValueError, "rows a bank"),
        (lambda: pim.trace(TARGET, "gemw", m=1, k=1), ValueError, "did you mean 'gemv'"),
        (lambda: pim.trace(TARGET, "gemv", m=1), TypeError, "needs k="),
        (lambda: pim.trace(TARGET, "gemv", m=1, k=1, bytes=3), TypeError, "'bytes' is not known"),
        (
            lambda: pim.trace(TARGET, 10, 10, 10**9),
            ValueError,
            "commands a channel; allowed: up to 10000000",
        ),
        (
            lambda: pim.trace("gddr6-aim", 512, 1024, 10**7),
            ValueError,
            "commands a channel; allowed",
        ),
        (lambda: pim.matmul([1e300], [[1.0]], TARGET), ValueError, "x holds 1 non-finite values"),
        (
            lambda: pim.matmul([1.0], [[1e300]], TARGET),
            ValueError,
            "weights hold 1 non-finite values",
        ),
        (lambda: TARGET.but(timin=3), TypeError, "did you mean 'timing'"),
        (lambda: TARGET.organisation.but(units=7), ValueError, "units=7 with banks=16"),
        (
            lambda: pim.matmul([[1]], [[1]], TARGET.with_causes(()), return_lanes=True),
            ValueError,
            "has no lanes",
        ),
        (
            lambda: pim.gemv(3, 4, 4),
            TypeError,
            "target=3 is not a machine that computes in its DRAM",
        ),
        (
            lambda: pim.gemv(pimlab.target("warboy"), 4, 4),
            TypeError,
            "target=Npu 'warboy' is not a machine that computes in its DRAM",
        ),
        (
            lambda: pim.decode_layer(pimlab.target("t4"), width=8, hidden=8, heads=2, context=8),
            TypeError,
            "target=pim.target\\('t4'\\) is not a DramPim",
        ),
        (lambda: pim.host_read(None, 4), TypeError, "target=None is not a machine"),
        (
            lambda: pim.gemv(TARGET, 4, 4, refresh="no"),
            TypeError,
            "refresh='no'; allowed: True or False",
        ),
        (lambda: pim.trace(TARGET, "gemv", 1, 1, m=3), TypeError, "m=1 and m=3 are both given"),
        (lambda: pim.trace(TARGET, 1, 1, 0), ValueError, "batch=0"),
        (
            lambda: pim.decode_layer(TARGET, width=8.0, hidden=8, heads=2, context=8),
            TypeError,
            "width=8.0 is not an integer",
        ),
        (
            lambda: pim.TARGETS["gddr6-aim"]().but(timing=TARGET.timing),
            TypeError,
            "'hbm2' is not an AimTiming",
        ),
        (lambda: pim.elementwise(TARGET, "ad", 5), ValueError, "did you mean"),
        (lambda: pim.elementwise(TARGET, np.array([]), 5), ValueError, "is not known"),
        (lambda: pim.combine([], np.ones(2)), ValueError, r"operator \[\] is not known"),
        (lambda: pim.gemv(TARGET, 4, 4, compat=[]), TypeError, r"compat=\[\] is not a text"),
        (lambda: pim.host_read(TARGET, 4, compat={}), TypeError, "compat={} is not a text"),
        (lambda: pim.timing(np.array([])), ValueError, "is not known"),
    ],
)
def test_bad_input_is_refused_by_name(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_what_takes_no_time_draws_no_power():
    none = pim.read_results("gddr6-aim", 64, 64)
    assert (float(none.seconds), float(none.power), float(none.energy.sum())) == (0, 0, 0)
