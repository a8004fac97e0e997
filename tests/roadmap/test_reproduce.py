"""Does `pimlab reproduce` write its store, table and figures, and change nothing when it is run again?"""

import functools

import pandas as pd

from pimlab import plot
from pimlab.roadmap import reproduce as command
from pimlab.roadmap import study

TINY = study.Size(
    samples=20, files=2, windows=1, seeds=1, explained=20, chips=2, times=("0 s", "1 year")
)


def test_reproduce_writes_store_table_and_figures_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(study, "QUICK", TINY)
    monkeypatch.setattr(
        study, "compute", functools.partial(study.compute, workloads=("digits-mlp", "llama2-7b"))
    )
    table = command.reproduce(tmp_path, quick=True)
    folder = tmp_path / "quick"
    written = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert {
        f"{name}.{kind}"
        for name in ("operating_points", "energy_breakdown", "waterfall")
        for kind in ("svg", "png")
    } < set(written)
    assert len(pd.read_csv(folder / "roadmap.csv")) == len(table)
    assert "llama2-7b" in capsys.readouterr().out
    # figures of the same numbers are the same bytes: tests/plot/test_roadmap.py, test_stages.py
    drawn = []
    monkeypatch.setattr(plot, "save", lambda fig, path: drawn.append(f"{path.name}.svg"))
    pd.testing.assert_frame_equal(command.reproduce(tmp_path, quick=True), table)
    assert set(drawn) < set(written)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == written
