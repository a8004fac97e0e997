"""papers/k-cloud-farm: published parts add up, cards follow from petaflops, shares add up to one."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper

from pimlab import farm


def test_cards_racks_and_kilowatts_by_hand(make, ds):
    one = ds.sel(supply="SAPEON for NHN Cloud: x220")
    assert int(one.cards) == 230  # 20 PF of 87 TOPS
    assert int(one.racks) == 3  # 80 cards a rack
    x220, site = farm.offer("x220"), farm.Cloud(name="s", power="1 MW", racks=9)
    assert float(one.kilowatts) == pytest.approx(
        230 * (x220.power.value + 600 / 8) * site.pue.value / 1e3
    )


def test_shares_of_the_stages_add_up_and_lie_in_their_intervals(make, ds):
    np.testing.assert_allclose(ds.share.sum("stage"), 1)
    assert (ds.share_low <= ds.share + 1e-9).all()
    assert (ds.share <= ds.share_high + 1e-9).all()


def test_a_stage_carries_nothing_before_its_years(make, ds):
    assert float(ds.share.sel(stage=2, period="2023-25").max()) == 0
    assert float(ds.share.sel(stage=3, period="2026-28").max()) == 0


def test_the_figures_draw(make, ds):
    assert len(make.draw(ds).axes) == 3
