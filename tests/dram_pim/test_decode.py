"""Does a decode step add up from its products, and do element-wise units round as FP16 does?"""

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.constants import assumed
from pimlab.machine.protocol import MacOp
from pimlab.plot.pim import phases, powers, time_and_energy

LAYER = {"width": 1024, "hidden": 2048, "heads": 8, "context": 256}


def test_products_are_those_of_gemv_and_host_read():
    ds = pim.decode_layer("gddr6-aim", **LAYER, batch=3)
    assert ds.attrs["batch"] == 3
    expected = pim.gemv("gddr6-aim", 2048, 1024, 3)
    assert float(ds.seconds.sel(way="in the banks", product="gate")) == float(expected.seconds)
    assert float(ds.energy.sel(way="in the banks", product="gate").sum()) == pytest.approx(
        float(expected.energy.sum())
    )
    cache = pim.host_read("gddr6-aim", 2 * 3 * 8 * 256 * 128)
    assert float(ds.seconds.sel(way="through the pins", product="scores")) == float(cache.seconds)


def test_results_are_read_and_their_lanes_added():
    ds = pim.decode_layer("hbm-pim", **LAYER)
    product, read = (work("hbm-pim", 2048, 1024) for work in (pim.gemv, pim.read_results))
    assert float(read.seconds) > 0.04 * float(product.seconds)
    inside = ds.sel(way="in the banks", product="gate")
    assert float(inside.seconds) == float(product.seconds) + float(read.seconds)
    assert float(inside.energy.sum()) == pytest.approx(
        float(product.energy.sum() + read.energy.sum())
    )
    assert float(read.energy.sel(component="host")) == pytest.approx(2048 * 15 * 0.4e-12)
    machine = pim.TARGETS["hbm-pim"]()
    op = MacOp(name="gate", m=1, k=1024, n=2048)
    assert float(inside.seconds) == pytest.approx(sum(machine.latency(op).values()))


def test_attention_does_not_gain_from_a_batch():
    one, four = (
        pim.decode_layer("gddr6-aim", width=4096, hidden=4096, heads=32, context=1024, batch=b)
        for b in (1, 4)
    )
    ratio = (four.seconds / one.seconds).sel(way="in the banks")
    assert float(ratio.sel(product="scores")) == pytest.approx(4, rel=0.1)
    assert float((four.seconds / one.seconds).sel(way="through the pins", product="q")) == 1


def test_heads_that_share_a_key_read_it_once_through_the_pins():
    ds = pim.decode_layer("gddr6-aim", **LAYER, batch=3, kv_heads=2)
    assert ds.attrs["kv_heads"] == 2
    cache = pim.host_read("gddr6-aim", 2 * 3 * 2 * 256 * 128)
    assert float(ds.seconds.sel(way="through the pins", product="scores")) == float(cache.seconds)
    # in the banks, 3 x 2 heads of 256 keys meet the queries of four heads each
    scores = (
        pim.gemv("gddr6-aim", 3 * 2 * 256, 128, 4),
        pim.read_results("gddr6-aim", 3 * 2 * 256, 128, 4),
    )
    inside = ds.seconds.sel(way="in the banks", product="scores")
    assert float(inside) == pytest.approx(sum(float(part.seconds) for part in scores))
    key = pim.gemv("gddr6-aim", 256, 1024, 3), pim.read_results("gddr6-aim", 256, 1024, 3)
    inside = ds.seconds.sel(way="in the banks", product="k")
    assert float(inside) == pytest.approx(sum(float(part.seconds) for part in key))


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="heads divide the width"):
        pim.decode_layer("hbm-pim", **{**LAYER, "heads": 7})
    with pytest.raises(ValueError, match="batch=1 kv_heads=3: .* and kv_heads the heads"):
        pim.decode_layer("hbm-pim", **LAYER, kv_heads=3)
    with pytest.raises(TypeError, match="did you mean 'kv_heads'"):
        pim.decode_layer("hbm-pim", **LAYER, kv_head=2)


def test_figures_draw():
    assert len(time_and_energy(pim.decode_layer("hbm-pim", **LAYER)).axes) == 2
    answers = {name: pim.gemv(name, 64, 64) for name in ("hbm-pim", "gddr6-aim")}
    assert len(phases(answers).axes) == 1
    assert "below" in powers(answers).axes[0].get_title()
    narrow = assumed("limit", "0.2 W", "W", "a test")
    held = {"hbm-pim": pim.gemv(pim.TARGETS["hbm-pim"]().but(channel_limit=narrow), 64, 64)}
    assert "held back to the assumed limit in hbm-pim" in powers(held).axes[0].get_title()


@pytest.mark.parametrize(
    ("op", "rule"),
    [
        ("add", lambda a, b, c: a + b),
        ("mul", lambda a, b, c: a * b),
        ("mad", lambda a, b, c: a * b + c),
        ("mac", lambda a, b, c: a * b + c),
        ("relu", lambda a, b, c: np.maximum(a, 0)),
        ("mov", lambda a, b, c: a),
    ],
)
def test_units_round_as_numpy_half(op, rule):
    a, b, c = np.random.default_rng(0).standard_normal((3, 4, 50)).astype(np.float16)
    operands = {"add": (a, b), "mul": (a, b), "relu": (a,), "mov": (a,)}.get(op, (a, b, c))
    np.testing.assert_array_equal(pim.combine(op, *operands), rule(a, b, c).astype(np.float32))


def test_units_refuse_what_they_do_not_have():
    with pytest.raises(ValueError, match="takes 2 operands"):
        pim.combine("add", np.ones(3))
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        pim.combine("relo", np.ones(3))


@pytest.mark.parametrize("name", ["hbm-pim", "gddr6-aim", "lpddr-pim", "upmem"])
def test_all_banks_at_once_draw_more_than_the_mean_and_are_held_against_the_package(name):
    answer = pim.gemv(name, 4096, 4096)
    assert float(answer.all_bank_power.sum()) > float(answer.power)
    assert (answer.all_bank_power_low <= answer.all_bank_power).all()
    assert (answer.all_bank_power <= answer.all_bank_power_high).all()
    assert (
        answer.package_limit.attrs["low"]
        < float(answer.package_limit)
        < answer.package_limit.attrs["high"]
    )
    assert answer.package_limit.attrs["status"] == "assumed"
    assert "package_limit" not in pim.gemv(pim.TARGETS[name]().but(channel_limit=None), 64, 64)


def test_all_bank_power_by_hand():
    # one row in the eight banks of a parity and 64 channels: 32 columns 4 cycles apart, then 3 + 14 + 14 cycles to the next row
    power = pim.gemv("hbm-pim", 64, 64).all_bank_power
    seconds = (31 * 4 + 31) * 1e-9
    assert float(power.sel(component="DRAM rows")) == pytest.approx(512 * 909e-12 / seconds)
    assert float(power.sel(component="bank columns")) == pytest.approx(
        512 * 32 * 256 * 0.44e-12 / seconds
    )


def test_mean_power_is_energy_over_time():
    answer = pim.gemv("hbm-pim", 4096, 4096)
    assert float(answer.power) == pytest.approx(float(answer.energy.sum()) / float(answer.seconds))
