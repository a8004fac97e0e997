"""Did a notebook fail in the browser, or was the machine too busy to say? What `.ci/run` decides by.

`BROWSER_SECONDS` in the environment bounds all tests of a browser together; without it, each waits
as long as it says itself.
"""

import os
import time

PASSED, FAILED, BUSY = 0, 1, 75
"""Exit codes; 75 is EX_TEMPFAIL of sysexits.h: try again later."""
_START = time.monotonic()
_BUDGET = float(os.environ.get("BROWSER_SECONDS", "inf"))


class TimeRanOut(Exception):
    """The machine was too slow; nothing is known to be wrong."""


def left():
    """Seconds until the bound on all tests together."""
    return _START + _BUDGET - time.monotonic()


def late(error):
    """Whether an exception says that time ran out, ours or Playwright's."""
    theirs = type(error).__module__.startswith("playwright") and "Timeout" in type(error).__name__
    return theirs or isinstance(error, TimeRanOut)


def verdict(outcomes):
    """Exit code of tests that "passed", "failed" or were "late".

    Late ones alone are no failure where others passed; where nothing at all came through in the
    whole time, something is wrong.
    """
    if "failed" in outcomes or ("late" in outcomes and "passed" not in outcomes):
        return FAILED
    return BUSY if "late" in outcomes else PASSED
