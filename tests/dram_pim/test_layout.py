"""Is what it costs to lay data in the banks told, and kept apart from what it costs to multiply them?"""

import pytest

import pimlab.dram_pim as pim
from pimlab.machine.protocol import MacOp

LAYER = {"width": 1024, "hidden": 2048, "heads": 8, "context": 256}


@pytest.mark.parametrize(
    ("name", "bits"),
    [("hbm-pim", 16), ("gddr6-aim", 16), ("lpddr-pim", 16), ("upmem", 8), ("upmem-int32", 32)],
)
def test_loading_writes_every_weight_and_its_padding_once(name, bits):
    target = pim.TARGETS[name]()
    answer = pim.load(name, 3000, 500)
    stored = target.organisation.macs_done(3000, 500, 1)
    assert int(answer.events.sel(event="I/O bit")) == stored * bits
    assert float(answer.utilisation) == pytest.approx(3000 * 500 / stored)
    assert float(answer.seconds) == float(pim.host_write(name, stored * bits // 8).seconds)


def test_products_do_not_pay_for_loading():
    product, load = pim.gemv("hbm-pim", 4096, 4096), pim.load("hbm-pim", 4096, 4096)
    assert "host access" not in product.phase.values
    assert float(load.seconds) > 2 * float(product.seconds)
    assert float(load.energy.sel(component="I/O")) > 20 * float(product.energy.sel(component="I/O"))


@pytest.mark.parametrize("batch", [1, 5])
def test_a_decode_step_appends_one_key_and_value_a_sequence(batch):
    ds = pim.decode_layer("gddr6-aim", **LAYER, batch=batch)
    written = pim.host_write("gddr6-aim", 2 * 2 * batch * LAYER["width"])
    for way in ds.way.values:
        assert float(ds.seconds.sel(way=way, product="cache append")) == float(written.seconds)
        assert float(ds.energy.sel(way=way, product="cache append").sum()) == pytest.approx(
            float(written.energy.sum())
        )


def test_attention_in_the_banks_charges_the_append_as_a_phase():
    banks = pim.TARGETS["hbm-pim"]().but(attention="banks")
    scores = MacOp(name="qk", m=1, k=128, n=512, groups=32, kind="activations")
    phases, counts = banks.latency(scores), banks.events(scores)
    appended = banks.organisation.host_summary(
        banks.timing, 32 * 128 * 16 // (256 * 64), 1, True, None
    )
    assert phases["cache append"] == pytest.approx(appended.cycles * 1e-9)
    # I/O bits: inputs broadcast and results, and one new key a head
    assert counts["I/O bit"] > appended.events["I/O bit"] == 32 * 128 * 16


@pytest.mark.parametrize("context", [16, 128, 512])
@pytest.mark.parametrize("name", ["scores", "values"])
def test_a_cache_grows_by_the_width_of_a_head_at_any_context(name, context):
    k, n = (128, context) if name == "scores" else (context, 128)
    banks = pim.TARGETS["gddr6-aim"]().but(attention="banks")
    op = MacOp(name=f"layer0.{name}", m=1, k=k, n=n, groups=32, kind="activations", cached=True)
    written = banks.organisation.host_summary(
        banks.timing, 32 * 128 * 16 // (256 * 32), 1, True, None
    )
    appended = banks.latency(op)["cache append"]
    assert written.events["I/O bit"] == 65536
    assert appended == pytest.approx(written.cycles * banks.timing.tCK)
    assert banks.latency(op.but(name="other", appended=128))["cache append"] == appended


def test_background_power_is_that_of_the_channels_there_are():
    small = pim.TARGETS["hbm-pim"]()
    large = small.but(organisation=small.organisation.but(channels=320))
    powers = [machine.all_bank_power().nominal for machine in (small, large)]
    for component in powers[0]:
        assert powers[1][component] == pytest.approx(5 * powers[0][component])
    assert powers[0]["background"] == pytest.approx(64 * 1.2 * 11.756e-3)  # W, 64 channels


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="load: m=0"):
        pim.load("hbm-pim", 0, 4)
    with pytest.raises(ValueError, match="rows a bank"):
        pim.load("hbm-pim", 10**7, 10**5)
