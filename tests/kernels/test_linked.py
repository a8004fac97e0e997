"""A function that other kernels alone call is optimised and becomes machine code in them alone."""

import os
import subprocess
import sys

import pytest

from pimlab.kernels import jit
from pimlab.kernels.linked import LinkedLibrary


@jit.kernel
def _root(x):
    return x**0.5 if x > 0 else 0.0


@jit.kernel
def fourth_root(x):
    return _root(_root(x))


def _library(kernel):
    (compiled,) = kernel.overloads.values()
    return compiled._asdict()["library"]


@pytest.mark.skipif(jit.PURE, reason="nothing is compiled")
def test_only_the_kernel_that_is_called_becomes_machine_code():
    assert fourth_root(16.0) == 2.0
    inner, outer = _library(_root), _library(fourth_root)
    assert isinstance(inner, LinkedLibrary)
    assert not isinstance(outer, LinkedLibrary)
    assert "define" not in str(inner._final_module)
    assert "define" in str(outer._final_module)


TWICE = """
from test_linked_kernels import {name}
print({name}(16.0))
"""
KERNELS = """
from pimlab.kernels import jit
@jit.kernel
def _root(x):
    return x ** 0.5
@jit.kernel
def fourth_root(x):
    return _root(_root(x))
@jit.kernel
def eighth_root(x):
    return _root(_root(_root(x)))
"""


def test_a_function_kept_on_disk_is_linked_into_another_kernel(tmp_path):
    """The second process finds the private function in the cache, and compiles its caller only."""
    (tmp_path / "test_linked_kernels.py").write_text(KERNELS)
    home = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    home["PYTHONPATH"] = os.pathsep.join([str(tmp_path), home.get("PYTHONPATH", "")])
    printed = [
        subprocess.run(
            [sys.executable, "-c", TWICE.format(name=name)],
            env=home, capture_output=True, text=True, check=True,
        ).stdout
        for name in ("fourth_root", "eighth_root")
    ]  # fmt: skip
    assert [float(one) for one in printed] == [2.0, 2**0.5]
