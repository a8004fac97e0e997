"""Tests of the browser end with code 75 where time ran out and nothing else failed."""

import pytest
from patience import TimeRanOut, late, left, verdict

OUTCOMES = []


def pytest_runtest_setup(item):
    if item.get_closest_marker("browser") and left() <= 0:
        raise TimeRanOut("the time of all tests together is spent")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.get_closest_marker("browser"):
        if call.excinfo is not None:
            OUTCOMES.append("late" if late(call.excinfo.value) else "failed")
        elif call.when == "call":
            OUTCOMES.append("passed")
    return report


def pytest_sessionfinish(session):
    if "late" in OUTCOMES:
        session.exitstatus = verdict(OUTCOMES)
