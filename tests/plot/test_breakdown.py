"""Do the bars of a breakdown add up to the answer's joules?"""

import pytest

import pimlab as pim
from pimlab.plot import breakdown


def test_bars_add_up_to_the_total():
    ds = pim.compare(["digits-mlp"], ["warboy", "hbm-pim", "pcm-hermes"], limit=5)
    ax = breakdown(ds).axes[0]
    ends = {}
    for bar in ax.patches:
        ends[round(bar.get_y(), 2)] = max(
            ends.get(round(bar.get_y(), 2), 0.0), bar.get_x() + bar.get_width()
        )
    total = ds.energy.sum("component").values.ravel()
    assert sorted(ends.values()) == pytest.approx(sorted(total))


def test_static_parts_are_hatched():
    out = pim.run(pim.load_model("digits-mlp"), pim.target("warboy"))
    hatched = [bar for bar in breakdown(out).axes[0].patches if bar.get_hatch()]
    assert len(hatched) == 1


def test_what_is_no_answer_is_refused():
    with pytest.raises(TypeError, match=r"pimlab\.run"):
        breakdown(pim.target("warboy"))
