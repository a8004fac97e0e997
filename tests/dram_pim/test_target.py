"""Do the counts, times and prices of the HBM-PIM preset follow from its organisation?"""

import numpy as np
import pytest

from pimlab.cost import price
from pimlab.dram_pim import TARGETS
from pimlab.machine.protocol import MacOp, VectorOp

TARGET = TARGETS["hbm-pim"]()
SQUARE = MacOp(name="fc", m=1, k=4096, n=4096)


def test_serves_constant_weights_only():
    assert TARGET.serves(SQUARE)
    assert not TARGET.serves(SQUARE.but(kind="activations"))
    assert not TARGET.serves(VectorOp(name="relu", kind="relu", elements=8))
    with pytest.raises(ValueError, match="does not serve 'relu'"):
        TARGET.events(VectorOp(name="relu", kind="relu", elements=8))


@pytest.mark.parametrize("name", list(TARGETS))
def test_what_an_operator_fills_is_what_the_machine_refuses_beyond(name):
    machine = TARGETS[name]().but(widest=None)
    share = machine.occupancy(SQUARE)
    assert 0 < share < 1
    assert machine.occupancy(SQUARE.but(groups=3)) == pytest.approx(3 * share)
    assert machine.occupancy(VectorOp(name="relu", kind="relu", elements=8)) == 0
    assert machine.occupancy(SQUARE.but(kind="activations")) == 0
    held = SQUARE.but(n=int(4096 / share))
    assert machine.occupancy(held) <= 1
    assert machine.latency(held)
    beyond = SQUARE.but(n=int(2 * 4096 / share))
    assert machine.occupancy(beyond) > 1
    with pytest.raises(ValueError, match="matrix needs"):
        machine.latency(beyond)


@pytest.mark.parametrize(("name", "overflowed"), [("hbm-pim", 1), ("gddr6-aim", 0)])
def test_sums_beyond_the_format_are_counted(name, overflowed):
    w = np.array([[300.0, 1.0], [300.0, 1.0]], np.float32)
    x = np.array([[200.0, 1.0], [1.0, 1.0], [-300.0, 0.0]], np.float32)
    y, found = TARGETS[name]().program(w).counted(x)
    assert found == {
        "sums overflowed": overflowed
    }  # 300 x 201 stays below 65504 as 60300; 300 x 300 does not
    assert np.count_nonzero(np.isinf(y)) == overflowed


def test_counts_by_hand():
    counts = TARGET.events(SQUARE)
    assert counts["in-bank MAC"] == 4096 * 4096  # no padding at this size
    assert (
        counts["bank bit"] == 16 * 4096 * 4096 + 4096 * 16 * 16
    )  # every weight once, and 16 lane sums an output
    assert counts["host addition"] == 15 * 4096
    assert TARGET.events(SQUARE.but(k=4095)) == counts  # padding is paid


def test_counts_and_time_scale_with_rows_and_groups():
    one, four = TARGET.events(SQUARE), TARGET.events(SQUARE.but(m=4))
    for event in ("in-bank MAC", "host addition", "bank bit"):
        assert four[event] == 4 * one[event]
    assert TARGET.events(SQUARE.but(groups=3)) == {event: 3 * count for event, count in one.items()}
    assert sum(TARGET.latency(SQUARE.but(groups=3)).values()) == pytest.approx(
        3 * sum(TARGET.latency(SQUARE).values())
    )


def test_every_event_has_a_price_and_energy_is_a_band():
    for counts in (TARGET.events(SQUARE), TARGET.static):
        energy = price(counts, TARGET.prices)
        assert all(energy.low[c] <= energy.nominal[c] <= energy.high[c] for c in energy.nominal)
    assert "oconnor2017" in TARGET.prices.sources


def test_refused_weights_name_the_target():
    with pytest.raises(ValueError, match="hbm-pim: weights hold 1 non-finite"):
        TARGET.program(np.array([[np.nan, 1]], np.float32))


def test_attention_over_a_cache_in_the_banks():
    scores = MacOp(name="qk", m=1, k=64, n=512, groups=9, kind="activations")
    banks = TARGET.but(attention="banks")
    assert banks.serves(scores)
    phases = banks.latency(scores)
    assert phases["cache append"] > 0
    assert sum(phases.values()) < sum(
        TARGET.latency(scores.but(kind="weights")).values()
    )  # groups lie side by side
    rng = np.random.default_rng(0)
    x, w = (
        rng.standard_normal((3, 2, 64)).astype(np.float32),
        rng.standard_normal((3, 64, 5)).astype(np.float32),
    )
    np.testing.assert_allclose(banks.product(x, w), x @ w, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("name", "widest"), [("hbm-pim", 4), ("gddr6-aim", 16), ("upmem", None)])
def test_wide_products_go_to_the_host_beyond_the_ratio_of_bandwidths(name, widest):
    machine = TARGETS[name]()
    assert machine.widest == widest
    narrow, wide = (MacOp(name="conv", m=m, k=64, n=64) for m in (widest or 1, 17))
    assert machine.serves(narrow)
    assert machine.serves(wide) == (widest is None)
    assert machine.but(widest=None).serves(wide)
    if widest is not None:
        with pytest.raises(ValueError, match=rf"does not serve 'conv'.*m at most widest={widest}"):
            machine.events(wide)
