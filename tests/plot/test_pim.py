"""Do the bars of the banks' answers have the heights of the answers, and their titles the ratios?"""

import pytest

import pimlab as pim
from pimlab.plot import pim as figures


@pytest.fixture(scope="module")
def answers():
    return {name: pim.dram_pim.gemv(name, 1024, 1024) for name in ("hbm-pim", "gddr6-aim")}


def heights(axes):
    """Top of each stacked bar."""
    tops = {}
    for bar in axes.patches:
        place = round(bar.get_x() + bar.get_width() / 2, 3)
        tops[place] = max(tops.get(place, 0), bar.get_y() + bar.get_height())
    return tops


def test_shares_of_time_add_up_to_all(answers):
    axes = figures.phases(answers).axes[0]
    assert list(heights(axes).values()) == pytest.approx([100, 100])
    said = {text.get_text() for text in axes.texts}
    assert said == {pim.units.si(float(ds.seconds), "s") for ds in answers.values()}


def test_powers_are_over_the_limit_of_each_package(answers):
    axes = figures.powers(answers).axes[0]
    bars = [bar.get_height() for bar in axes.patches if bar.get_width() == 0.34]
    wanted = [
        float(ds.energy.sum()) / float(ds.seconds) / float(ds.package_limit)
        for ds in answers.values()
    ]
    wanted += [float(ds.all_bank_power.sum()) / float(ds.package_limit) for ds in answers.values()]
    assert bars == pytest.approx(wanted)
    over = [name for name, top in zip(answers, bars[2:], strict=True) if top > 1]
    assert all(name in axes.get_title() for name in over)
