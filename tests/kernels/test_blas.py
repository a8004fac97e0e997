"""Is BLAS at one thread while anyone holds it there, and as it was when the last one has gone?"""

import threading

import numpy as np
import pytest
from threadpoolctl import OpenBLASController, threadpool_info, threadpool_limits

from pimlab.kernels.blas import one_thread

np.linalg.norm(np.ones((2, 2)) @ np.ones((2, 2)))  # BLAS is loaded


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, "blas"):
        yield
        OpenBLASController.clear_controlling_thread(force=True)  # this thread may restore it


def test_nested_holders_are_one_limit():
    before = threads()
    with one_thread():
        with one_thread():
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == before == {2}


def test_the_last_one_out_restores_it():
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with one_thread():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    inside.wait(10)
    with one_thread():
        pass
    assert threads() == {1}, "the other one is still inside"
    leave.set()
    other.join()
    assert threads() == {2}


def test_any_thread_may_hold_it():
    """threadpoolctl lets one thread alone set limits, and the others do nothing without a word."""
    with one_thread():
        pass
    found = []

    def hold():
        with one_thread():
            found.append(threads())

    other = threading.Thread(target=hold)
    other.start()
    other.join()
    assert found == [{1}]
    assert threads() == {2}


def test_an_error_inside_gives_the_limit_back():
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert threads() == {2}
