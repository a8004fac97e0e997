"""papers/attacc: times of a token and cycles of attention, without a fitted constant."""

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_units_nearer_the_cells_are_faster(ds):
    for near, far in (("bank", "bank group"), ("bank group", "buffer")):
        one = ds.latency.sel(part="attention")
        assert (one.sel(place=near) < one.sel(place=far)).all()


def test_only_attention_depends_on_the_place(ds):
    rest = ds.latency.drop_sel(part=["attention", "exchange"])
    assert (rest == rest.isel(place=0)).all()
    exchange = ds.latency.sel(part="exchange")  # queries and results go to the stacks and back
    assert (exchange.isel(place=slice(1, None)) > exchange.sel(place="gpu")).all()
    assert (exchange < 1.1 * exchange.sel(place="gpu")).all()


def test_a_busy_share_by_hand(make):
    assert make.busy(108) == 1
    assert make.busy(12) == 12 / 108
    assert make.busy(384) == 384 / 432


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2


def test_banks_gain_more_with_more_sequences(ds):
    times = ds.latency.sum("part")
    gain = times.sel(place="gpu") / times.sel(place="bank")
    assert (gain.sel(model="gpt3-175b", batch=64) > gain.sel(model="gpt3-175b", batch=8)).all()
    assert 1 < float(gain.max()) < 2.81


def test_pipelining_shows_the_longest_stage_and_a_head_of_the_others(make):
    got = make.overlapped({"attention": 8.0, "around": 4.0, "handed": 2.0}, 4)
    assert got == {"attention": 8.0, "around": 1.0, "handed": 0.5}


def test_sequences_that_fill_the_memory_by_hand(make):
    # (1280 GiB - 80 x 12 x 8192^2 x 2 B) / (4095 x 2 x 80 x 8192 x 2 B) = 116.1; wider by 22016/21845
    assert make.most("llama-65b", 4095) == 117
    assert make.most("llama-65b", 4095) > make.most("llama-65b", 4096 * 2)


def test_energy_of_a_product_by_hand(make):
    assert make.tiles(16, 16, 16) == (8, 8)  # four tiles keep four cores busy, one keeps one
    memory = (16 * 16 + 16 * 16 + 16 * 16) * 2 * 8
    shared = (2 * 16 * 16 + 2 * 16 * 16 + 16 * 16) * 2 * 8
    picojoules = memory * (3.59 + 0.16) + shared * 0.3 + 16**3 * (3 * 0.0675 + 0.32)
    assert make.product_energy(16, 16, 16) == pytest.approx(picojoules * 1e-12)


def test_banks_save_on_attention_alone(ds):
    gpu, bank = (ds.full_energy.sel(consumer=one) for one in ("gpu", "bank"))
    assert (gpu.sel(spent_on="weights") == bank.sel(spent_on="weights")).all()
    assert (gpu.sel(spent_on="attention") > 5 * bank.sel(spent_on="attention")).all()
