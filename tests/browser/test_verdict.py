"""Is a busy machine told from a notebook that fails?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import BUSY, FAILED, PASSED, TimeRanOut, late, verdict

BESIDE = """
import pytest
from patience import TimeRanOut
pytestmark = pytest.mark.browser

def test_passes():
    pass

def test_waits():
    raise TimeRanOut("not all cells ran")
{more}
"""


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["passed", "passed"], PASSED),
        (["passed", "late"], BUSY),
        (["passed", "late", "failed"], FAILED),
        (["failed"], FAILED),
        (["late", "late"], FAILED),
    ],
)
def test_only_what_is_late_beside_what_passes_is_forgiven(outcomes, code):
    assert verdict(outcomes) == code


def test_an_assertion_is_never_late():
    assert late(TimeRanOut("busy"))
    assert not late(AssertionError("5 s instead of 4"))
    assert not late(TimeoutError("of the notebook's own code"))


@pytest.mark.parametrize(
    ("more", "code"), [("", BUSY), ("def test_fails():\n    assert False\n", FAILED)]
)
def test_pytest_ends_with_that_code(tmp_path, more, code):
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_text((here / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(BESIDE.format(more=more))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "-o", f"pythonpath={here.parent}", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # they take seconds to import
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stdout + run.stderr
