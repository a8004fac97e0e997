"""Do a farm, the shares of its stages and its assumptions draw, and is what they need named?"""

import farm_examples
import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab import plot


@pytest.fixture(scope="module")
def study():
    stages, ends = [1, 2, 3], ("low", "high")
    share = (("carried", "stage", "period"), np.full((3, 3, 2), 1 / 3))
    return xr.Dataset(
        {
            "share": share, "share_low": share, "share_high": share,
            "total": (("carried", "period"), np.full((3, 2), 5.0)),
            "spent": (("assumption", "end"), [[9.0, 11.0], [np.nan, 14.0]]),
            "later": (("assumption", "end"), [[0.2, 0.4], [np.nan, 0.9]]),
        },
        coords={"carried": ["answers", "energy", "cost"], "stage": stages, "end": list(ends),
                "period": ["a", "b"], "assumption": ["price", "growth"]},
    )  # fmt: skip


def test_cards_by_cloud():
    plan = pim.provision(
        farm_examples.services(), farm_examples.offers(), farm_examples.clouds(),
        abilities=farm_examples.abilities(), baseline=(), seconds=20,
    )  # fmt: skip
    fig = plot.farm(plan.answer)
    (ax,) = fig.axes
    assert sum(bar.get_height() for bar in ax.patches) == plan.answer.cards.sum()


def test_shares_and_tornado(study):
    assert len(plot.stage_shares(study).axes) == 3
    (ax,) = plot.tornado(study).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["price", "growth"]  # last on top
    assert "growth decides most" in ax.get_title()
    assert len(plot.tornado(study, "later").axes) == 1


def test_what_is_none_is_refused(study):
    with pytest.raises(TypeError, match="farm.roadmap"):
        plot.tornado(study.drop_vars("spent"))
    with pytest.raises(TypeError, match="plan.answer of provision"):
        plot.farm(study)
