"""papers/aim-energy: independent sources of command energies agree, and savings follow from prices."""

from paper_checks import *  # noqa: F403  # the checks of every paper

from pimlab.dram_pim import command_energies


def test_savings_are_shares_and_follow_the_price_of_an_in_bank_bit(make, ds):
    assert ((ds.saved > 0) & (ds.saved < 1)).all()
    inside = ds.energy.sel(way="in the banks")
    outside = ds.energy.sel(way="through the pins")
    ratio = 1 - inside.sum("component") / outside.sum("component")
    assert (abs(ratio - ds.saved) < 1e-12).all()
    assert (outside.sel(component="bank columns") == 0).all()


def test_two_sources_of_gddr6_and_of_hbm2_agree(make, ds):
    gddr6, hbm2 = command_energies("gddr6"), command_energies("hbm2")
    assert abs(gddr6["read bit"].value / 2.14e-12 - 1) < 0.1
    assert abs(hbm2["activation"].value / 909e-12 - 1) < 0.05


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1


def test_time_alone_saves_less_than_the_memory_alone(ds):
    alone = 1 - 1 / ds.gain
    assert (alone < ds.saved).all()
    announced = {"hbm-pim": (0.62, 0.70), "gddr6-aim": (0.80,), "lpddr-pim": (0.72,)}
    for name, shares in announced.items():
        low, high = float(alone.sel(machine=name)), float(ds.saved.sel(machine=name))
        assert all(low - 0.03 < share < high for share in shares), name
