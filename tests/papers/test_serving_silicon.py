"""papers/serving-silicon: TPOT and TTFT of systems that nothing was fitted on are within the stated errors."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_held_out_systems_are_met_in_the_median(make, ds):
    held = ds.isel(row=np.flatnonzero(~ds.fitted.values))
    assert held.sizes["row"] == 36
    assert set(held.system.values) == {"a100 TP2", "a100 TP4", "h100 TP2", "h100 TP4"}
    assert float(make.errors(held, "tpot").median()) < 0.10
    assert float(make.errors(held, "ttft").median()) < 0.20


def test_constants_do_not_see_the_systems_held_out(make, monkeypatch):
    operators, table = make.Operators(), make.rows()
    before = make.fit(operators, "a100")
    table.loc[table.tensor_parallel != 8, ["prompt_ms", "token_ms"]] *= 2
    monkeypatch.setattr(make, "rows", lambda: table)
    after = make.fit(operators, "a100")
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
