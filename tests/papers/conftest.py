"""What the tests of every paper share: its `make.py` computed at the quick size, the rows of its `targets.csv`, its README.

The folder follows from the name of the test file: `test_ir_drop.py` reads `papers/ir-drop`.
"""

import importlib.util
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
def ds(make):
    """The paper's Dataset at the quick size; whatever a paper answers can be cited."""
    found = make.compute(quick=True)
    assert pimlab.cite(found), "the Dataset names no source"
    return found


@pytest.fixture(scope="module")
def targets(request):
    return published.targets(_folder(request) / "targets.csv")


@pytest.fixture(scope="module")
def readme(request):
    return (_folder(request) / "README.md").read_text()
