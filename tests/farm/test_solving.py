"""Does the solver in steps find what the whole program finds, and is its bound one?"""

import farm_examples
import pytest

from pimlab import farm
from pimlab.farm import solving
from pimlab.farm.planning import program
from pimlab.farm.program import NoSolution
from pimlab.farm.rules import Rules
from pimlab.farm.solving import solve


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(vendors=2, clouds=2, operations="10 PFLOPS"),
        Rules(spare="rack", domestic=0.5, clouds=3, operations="20 PFLOPS"),
    ],
)
def test_the_steps_find_the_optimum_within_the_gap(rules):
    asked = farm_examples.question(rules, services=farm_examples.services(cloud_loss=0.5))
    exact = program(asked).solve(gap=0)
    _, found = solve(asked, gap=0.01, seconds=30)
    assert found.gap <= 0.01 + 1e-9
    assert found.objective <= exact.objective * 1.0101
    assert found.bound <= exact.objective * (1 + 1e-6)


def test_better_rules_never_cost_more():
    sizes = [
        solve(farm_examples.question(Rules(operations=f"{pf} PFLOPS")), gap=0, seconds=30)[
            1
        ].objective
        for pf in (1, 20, 60)
    ]
    assert sizes == sorted(sizes)


def test_no_farm_is_said_to_be_none():
    with pytest.raises(NoSolution) as missing:
        solve(farm_examples.question(Rules(budget="1 Mwon")), gap=0.01, seconds=10)
    assert missing.value.proved


def test_clouds_of_different_cost_are_merged_into_a_bound():
    dear = farm.Cloud(name="dear", power="200 kW", racks=10, pue=1.8)
    asked = farm_examples.question(Rules(clouds=2), clouds=(*farm_examples.clouds(1), dear))
    _, found = solve(asked, gap=0.001, seconds=30)
    exact = program(asked).solve(gap=0)
    assert found.bound <= exact.objective * (1 + 1e-9)
    assert exact.objective <= found.objective * (1 + 1e-6)


def test_the_steps_keep_the_program_as_it_was():
    asked = farm_examples.question(Rules(clouds=2), services=farm_examples.services(cloud_loss=0.5))
    built, _ = solve(asked, gap=0, seconds=10)
    fresh = program(asked)
    assert (built.upper, built.lower, len(built.rows)) == (
        fresh.upper,
        fresh.lower,
        len(fresh.rows),
    )


def test_a_search_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    from pimlab.farm import solving

    asked = farm_examples.question(Rules(clouds=2), services=farm_examples.services(cloud_loss=0.5))
    store = tmp_path / "farm.npz"
    with monkeypatch.context() as patch:
        patch.setattr(solving, "_full", stop)
        patch.setattr(solving, "_narrowed", stop)
        with pytest.raises(KeyboardInterrupt):
            solve(asked, gap=0.0, seconds=20, store=store)
    first = solving._Search(asked, 0.0, 1.0, store)
    assert first.best is not None
    patched = []
    with monkeypatch.context() as patch:
        patch.setattr(solving, "_round", lambda search, *_: patched.append(search.best.objective))
        patch.setattr(solving, "_full", lambda search: setattr(search, "bound", 1e9))
        _, found = solve(asked, gap=0.0, seconds=20, store=store)
    assert patched[0] == first.best.objective == found.objective
    assert not store.exists()  # the gap is reached


def stop(*_):
    raise KeyboardInterrupt


def test_a_store_of_another_farm_is_refused(tmp_path):
    asked, store = farm_examples.question(), tmp_path / "farm.npz"
    from pimlab.farm.solving import _Search

    search = _Search(asked, -1.0, 10.0, store)
    search.keep()
    with pytest.raises(ValueError, match="keeps the search for another farm; remove it"):
        solve(farm_examples.question(objective="energy"), gap=0.01, seconds=10, store=store)
    store.write_text("no archive")
    with pytest.raises(ValueError, match="keeps no search for a farm"):
        solve(asked, gap=0.01, seconds=10, store=store)


def test_pools_of_the_relaxation_are_those_with_cards():
    built = program(farm_examples.question(Rules(clouds=2)))
    values = built.solve(whole=False, seconds=10).values
    cards = {key[1:3]: values[at] for key, at in built.index.items() if key[0] == "cards"}
    assert solving._relaxed_pools(built, 10) == {pool for pool, n in cards.items() if n > 1e-6}
