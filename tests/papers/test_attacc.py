"""papers/attacc: times of a token and cycles of attention, without a fitted constant."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_units_nearer_the_cells_are_faster(ds):
    for near, far in (("bank", "bank group"), ("bank group", "buffer")):
        one = ds.latency.sel(part="attention")
        assert (one.sel(place=near) < one.sel(place=far)).all()


def test_only_attention_depends_on_the_place(ds):
    rest = ds.latency.drop_sel(part="attention")
    assert (rest == rest.isel(place=0)).all()


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
