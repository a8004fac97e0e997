"""Does the top of the package load what it names, and nothing before it is asked?"""

import subprocess
import sys

import pytest

import pimlab


@pytest.mark.parametrize("name", pimlab.__all__)
def test_every_name_is_there(name):
    assert getattr(pimlab, name) is getattr(pimlab, name)
    assert name in dir(pimlab)


def test_a_typo_is_told_the_nearest():
    with pytest.raises(AttributeError, match="pimlab has no 'runn'.*run"):
        _ = pimlab.runn


def test_importing_loads_no_heavy_library():
    code = "import sys, pimlab; print([m for m in ('numba', 'xarray', 'onnx') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
