"""What the tests of every paper share: its `make.py` computed at the quick size, the rows of its `targets.csv`, its README.

The folder follows from the name of the test file: `test_ir_drop.py` reads `papers/ir-drop`.
"""

import fcntl
import importlib.util
import os
import pickle
from pathlib import Path

import pytest

import pimlab
from pimlab.studies import published

PAPERS = Path(__file__).parents[2] / "papers"


def _folder(request):
    return PAPERS / Path(request.module.__file__).stem.removeprefix("test_").replace("_", "-")


@pytest.fixture(scope="module")
def make(request):
    folder = _folder(request)
    spec = importlib.util.spec_from_file_location(
        f"papers_{folder.name.replace('-', '_')}", folder / "make.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ds(make, request, tmp_path_factory):
    """The paper's Dataset at the quick size, computed once for all of xdist's processes; whatever a
    paper answers can be cited.
    """
    run = tmp_path_factory.getbasetemp()
    run = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    found = once(run / f"{_folder(request).name}.pickle", lambda: make.compute(quick=True))
    assert pimlab.cite(found), "the Dataset names no source"
    return found


def once(file, compute):
    """What `compute` gives; every process but the first that asks reads it from `file`."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_bytes(pickle.dumps(compute()))
        return pickle.loads(file.read_bytes())


@pytest.fixture(scope="module")
def targets(request):
    return published.targets(_folder(request) / "targets.csv")


@pytest.fixture(scope="module")
def readme(request):
    return (_folder(request) / "README.md").read_text()
