"""Is every item worked on once, in order, with one thread inside, and are errors passed on?"""

import numba
import pytest

from pimlab.kernels import threads
from pimlab.kernels.threads import each


def test_answers_come_in_order_and_what_is_inside_runs_alone():
    seen = each(lambda item: (item, numba.get_num_threads(), each(abs, [item])), range(-5, 0))
    assert [item for item, _, _ in seen] == [-5, -4, -3, -2, -1]
    assert [inner for _, _, inner in seen] == [[5], [4], [3], [2], [1]]
    many = numba.get_num_threads() > 1
    assert {own for _, own, _ in seen} == ({1} if many else {numba.get_num_threads()})


def test_few_items_run_in_the_callers_thread():
    own = numba.get_num_threads()
    few = each(lambda _: numba.get_num_threads(), range(2 * own - 1), least=2)
    assert few == [own] * (2 * own - 1)


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        each(lambda item: 1 / item, [1, 0, 2])


def test_without_a_pool_that_threads_may_share_items_run_one_by_one(monkeypatch):
    monkeypatch.setattr(threads, "_may_meet", lambda: False)
    own = numba.get_num_threads()
    assert each(lambda _: numba.get_num_threads(), range(5)) == [own] * 5


def test_numbas_own_pool_is_not_shared(monkeypatch):
    monkeypatch.setattr(numba.config, "THREADING_LAYER", "workqueue")
    assert not threads._may_meet.__wrapped__()
    monkeypatch.setattr(numba.config, "THREADING_LAYER", "default")
    monkeypatch.setattr(threads.importlib, "import_module", _missing)
    assert not threads._may_meet.__wrapped__()


def _missing(name):
    raise ImportError(name)
