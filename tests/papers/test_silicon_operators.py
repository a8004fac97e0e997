"""papers/silicon-operators: held-out operators of A100 and H100, and constants that are those of the catalogue."""

import csv
import itertools
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


@pytest.mark.parametrize("gpu", ["a100", "h100"])
def test_products_that_were_not_fitted(make, ds, gpu):
    """The goal of the issue: a median error of at most 8 %, 90 % of rows within 20 %."""
    median, within = make.errors(ds, chip=gpu, kind="product", role="held-out")
    assert median <= 0.08
    assert within >= 0.9
    assert make.errors(ds, "bound", chip=gpu, kind="product", role="held-out")[0] > 0.25


@pytest.mark.parametrize("gpu", ["a100", "h100"])
def test_operators_of_all_kinds_that_were_not_fitted(make, ds, gpu):
    """A tenth of Vidur's rows, three in ten below 10 us, in whole microseconds; of all rows
    (everything.py) 93 and 91 % are within 20 %.
    """
    vidur = ds.isel(row=ds.model.values != "LLMCompass")
    median, within = make.errors(vidur, chip=gpu, role="held-out")
    assert median <= 0.08
    assert within >= {"a100": 0.9, "h100": 0.88}[gpu]
    assert make.errors(vidur, chip=gpu, kind="vector", role="held-out")[0] <= 0.08


def test_the_bound_is_below_what_was_measured(ds):
    """Chips lose, whatever they run; a row or two of 1,368 is rounded to a microsecond."""
    products = ds.kind.values == "product"
    assert (ds.bound.values[products] <= ds.measured.values[products] * 1.02).mean() > 0.99


@pytest.mark.full
@pytest.mark.parametrize("gpu", ["a100", "h100"])
def test_the_catalogue_holds_what_the_fit_gives(make, gpu):
    fitted, held = make.fit(gpu, make.measured()), make.machine(gpu).efficiency
    for name in (*make._PRODUCTS, *make._OTHERS):
        assert getattr(held, name) == pytest.approx(getattr(fitted, name), rel=0.01)


def test_every_row_of_a_checkout_is_read(make, tmp_path, monkeypatch):
    """Two files as Vidur writes them: that of the fitted model is left out."""
    folder = Path(make.__file__).parent
    monkeypatch.setitem(sys.modules, "make", make)
    every = SimpleNamespace(**runpy.run_path(str(folder / "everything.py")))
    head = "time_stats.emb.min,time_stats.emb.median,n_head,n_kv_head,n_embd,n_expanded_embd"
    head += ",use_gated_mlp,num_tokens,num_tensor_parallel_workers"
    for gpu, model in itertools.product(make.CHIPS, ("a/Meta-Llama-3-8B", f"b/{make.FITTED}")):
        path = tmp_path / "data/profiling/compute" / gpu / model / "mlp.csv"
        path.parent.mkdir(parents=True)
        path.write_text(f"{head}\n0.001,0.004,32,8,4096,14336,True,24,1\n")
    row = next(every.rows_of(tmp_path, "a100"))
    assert (row.name, row.seconds, row.op.rows, row.model) == ("emb", 4e-6, 24, "Meta-Llama-3-8B")
    assert len(list(every.rows_of(tmp_path, "a100"))) == 1
    (off,) = every.ratios("a100", [row])
    assert off == pytest.approx(sum(make.machine("a100").latency(row.op).values()) / 4e-6 - 1)
    lines = [line[:4] for line in every.table(tmp_path)]
    assert lines[0] == ["chip", "operator", "rows", "median error"]
    assert ["a100", "emb", "1", f"{100 * abs(off):.1f} %"] in lines


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 2


def test_the_data_name_their_columns(make):
    with (make.DATA / "llmcompass_a100.csv").open() as file:
        assert next(csv.reader(file)) == ["operator", "m", "k", "n", "measured", "unit"]
