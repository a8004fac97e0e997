"""papers/tiki-taka: the rest point of SGD is the derived one, the rules come in the published order, and the figure draws."""

import pytest


def test_targets(make, ds, targets):
    for row in targets:
        if row["quantity"] == "bias":
            noise = float(row["condition"].rsplit(" ", 1)[1])
            found = float(ds.rest.sel(rule="SGD", noise=noise))
            assert found == pytest.approx(float(row["published"]), rel=float(row["tolerance"])), (
                row["condition"]
            )
            assert float(row["published"]) == pytest.approx(make.bias_law(noise), abs=5e-4)
        if (
            row["quantity"] == "gap"
        ):  # 500 digits instead of 1347 are learned less evenly: twice the tolerance of the full size
            mean = ds.accuracy.mean("seed")
            gap = mean.sel(cell="1000 states, slope 1", rule="Tiki-Taka") - mean.sel(
                cell="1000 states, slope 0", rule="SGD"
            )
            assert float(gap) == pytest.approx(
                float(row["published"]), abs=2 * float(row["tolerance"])
            )
    assert not any("memory" in row["provenance"] for row in targets)


def test_noise_draws_sgd_to_the_symmetry_point_and_not_tiki_taka(make, ds):
    off = make.WANTED - ds.rest.sel(noise=1.0)
    assert off.sel(rule="SGD") > 0.2
    assert (off.sel(rule=["Tiki-Taka", "Tiki-Taka v2"]) < 0.05).all()


def test_few_states_and_asymmetry_cost_sgd_most(ds):
    mean = ds.accuracy.mean("seed")
    lost = mean.sel(cell="1000 states, slope 0") - mean.sel(cell="20 states, slope 1")
    assert lost.sel(rule="SGD") > lost.sel(rule="Tiki-Taka") + 0.03
    assert lost.sel(rule="SGD") > lost.sel(rule="Tiki-Taka v2") + 0.03


def test_figure_draws(make, ds):
    assert "Tiki-Taka" in make.draw(ds).axes[0].get_title()


@pytest.mark.full
def test_the_order_and_the_states_at_full_size(make, targets):
    ds = make.compute()
    low, high = next(
        map(int, row["published"].split(" to ")) for row in targets if row["tolerance"] == "inside"
    )
    assert low <= make.fewest(ds, "Tiki-Taka v2") <= high
    assert (
        make.fewest(ds, "Tiki-Taka") < 100
    )  # the papers' first version needed 1000s: see the README
    mean = ds.accuracy.mean("seed")
    assert (mean.sel(rule="SGD") < mean.sel(rule="Tiki-Taka")).where(ds.slope != 0, True).all()
    hard = mean.sel(cell=["6 states, slope 1", *make.MEASURED])
    assert (hard.sel(rule="Tiki-Taka") < hard.sel(rule="Tiki-Taka v2")).all()
    gap = mean.sel(cell="1000 states, slope 1", rule="Tiki-Taka") - mean.sel(
        cell="1000 states, slope 0", rule="SGD"
    )
    assert abs(float(gap)) < float(
        next(row["tolerance"] for row in targets if row["quantity"] == "gap")
    )
