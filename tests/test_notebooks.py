"""Does every cell of every notebook run? In a fresh process each; `tests/browser` runs them in JupyterLab."""

import json
from pathlib import Path

import notebook_process
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def server():
    return notebook_process.forks()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, server):
    wrong = notebook_process.run(path, server)
    assert wrong is None, wrong


def test_there_are_notebooks():
    assert len(NOTEBOOKS) > 10


def _written(folder, *sources):
    path = folder / "one.ipynb"
    cells = [{"cell_type": "code", "source": [source]} for source in sources]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["#"]}, *cells]}))
    return path


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("assert x == 2", "AssertionError"),
        ("import numpy as\n", "SyntaxError"),
        ("import os; os._exit(3)", "its process ended"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_cell_that_fails_is_seen(source, named, tmp_path, server):
    wrong = notebook_process.run(_written(tmp_path, "x = 1", source, "y = 1"), server)
    assert named in wrong
    assert "cell 2" in wrong or "ended" in wrong


def test_views_are_drawn_and_names_are_fresh(tmp_path, server):
    """Every form of an answer is computed, also one that only a browser shows; no notebook sees another's names."""
    drawn = (
        "class View:\n    def _repr_html_(self):\n        print('html', file=open('seen', 'a'))\n"
    )
    path = _written(
        tmp_path, "assert 'x' not in globals(); x = 1", drawn, "View()", "display(View())"
    )
    for _ in range(2):
        assert notebook_process.run(path, server) is None
    assert (tmp_path / "seen").read_text() == 4 * "html\n"


FIGURE = """
from matplotlib.figure import Figure
fig = Figure()
fig.subplots()
fig.canvas.mpl_connect("draw_event", lambda event: open("seen", "a").write("drawn"))
"""


@pytest.mark.parametrize("last", ["fig", "display(fig)"])
def test_figures_are_drawn(last, tmp_path, server):
    assert notebook_process.run(_written(tmp_path, FIGURE, last), server) is None
    assert "drawn" in (tmp_path / "seen").read_text()
