"""Is one bar drawn for long work, moved by the work inside it, and none where nobody looks?"""

import sys
import threading
import time

import pytest

from pimlab import progress
from pimlab.kernels import jit


@pytest.fixture
def seen(monkeypatch):
    """Bars are drawn at once, as in a terminal."""
    monkeypatch.setattr(progress, "visible", lambda: True)
    monkeypatch.setattr(progress, "DELAY", 0.01)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    monkeypatch.setattr(progress, "LULL", 0.02)


def _work(inner):
    with progress.progress("outer", 2, "variant") as bar:
        for _ in range(2):
            with progress.progress("inner", 4) as part:
                for _ in range(4):
                    time.sleep(0.03)
                    part.step()
                    inner.append(bar.finished)
            bar.step()


def test_one_bar_moves_by_the_work_inside_it(seen, capsys):
    finished = []
    _work(finished)
    assert finished == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    drawn = capsys.readouterr().err
    assert "outer:" in drawn
    assert "variants" in drawn
    assert "inner" not in drawn


def test_short_work_and_work_that_nobody_watches_are_silent(capsys):
    with progress.progress("short", 1) as bar:
        bar.step()
    _work([])
    assert capsys.readouterr().err == ""


def test_a_silent_bar_silences_the_work_inside(seen, capsys):
    with progress.progress("outer", 1, show=False):
        _work([])
    assert capsys.readouterr().err == ""


def _stopped():
    with progress.progress("stopped", 2):
        time.sleep(0.05)
        raise KeyboardInterrupt


def test_ctrl_c_takes_the_bar_away(seen):
    with pytest.raises(KeyboardInterrupt):
        _stopped()
    assert not progress._Open.bars
    assert "pimlab progress" not in {thread.name for thread in threading.enumerate()}


def test_who_looks(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("PIMLAB_PROGRESS", raising=False)
    assert progress.visible()
    seen = []
    other = threading.Thread(target=lambda: seen.append(progress.visible()))
    other.start()
    other.join()
    assert seen == [False]
    monkeypatch.setenv("PIMLAB_PROGRESS", "0")
    assert not progress.visible()


def test_a_kernel_that_is_compiled_is_named(seen, capsys):
    progress.compilations.begins("kernels.int8.matmul")
    assert progress.compilations.note() == "compiling kernels.int8.matmul, once"
    time.sleep(0.1)
    progress.compilations.ends("kernels.int8.matmul")
    assert progress.compilations.note() == ""
    progress.compilations.thread.join(1)
    assert "pimlab: compiling kernels.int8.matmul, once" in capsys.readouterr().err


@pytest.mark.skipif(jit.PURE, reason="kernels are not compiled")
def test_numba_tells_of_every_compilation(monkeypatch):
    named = []
    monkeypatch.setattr(progress.compilations, "begins", named.append)
    jit.numba.njit(lambda x: x + 1)(1)
    assert len(named) == 1
