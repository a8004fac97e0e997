"""papers/served-systems: services on systems that nothing was fitted on are within the stated errors."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


@pytest.mark.full
def test_held_out_systems_are_met_in_the_median(make):
    ds = make.compute()
    held = ds.isel(row=np.flatnonzero(~ds.fitted.values))
    assert set(held.system.values) == {"H100 vllm", "B200 trtllm", "B200 vllm"}
    assert float(make.errors(held, "tpot").median()) < 0.10
    assert float(make.errors(held, "ttft").median()) < 0.20


def test_constants_do_not_see_the_systems_held_out(make):
    table = make.points().query("tensor_parallel == 8 and output == 1024 and input == 1024")
    before = make.fit(table)
    held = table.system != make.FITTED
    changed = table.assign(tpot_ms=table.tpot_ms.where(~held, 2 * table.tpot_ms))
    assert make.fit(changed) == before


def test_a_part_of_a_prompt_costs_what_the_whole_leaves(make):
    table = make.pd.read_csv(make.DATA / "aiconfigurator_operators.csv.gz")
    steps = make.Steps(table, "h100_sxm", "vllm", 4)
    reads, marks = steps.reads(), np.concatenate([[0.0], steps.tokens])
    whole = np.interp(8192, marks, steps.whole)
    at = list(steps.tokens).index(4096)
    half = list(steps.context).index(8192)
    first = np.interp(4096, marks, steps.whole)
    assert reads[at, half] + first == pytest.approx(whole)
    assert (np.diff(steps.looks, axis=1) >= 0).all()
    assert (reads >= 0).all()


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2
