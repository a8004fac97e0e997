"""Does every kernel equal its plain twin, with the same bits on one thread and on two? A walk over `benchmarks.cases`."""

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import pimlab.kernels
from benchmarks.cases import Case, cases
from pimlab.kernels import jit

TABLE = cases()
NO_ARITHMETIC = {"blas", "jit", "threads"}
"""Modules that decide threads and compilation; nothing in them computes an array."""


def _kernels(module):
    """Public functions that `module` itself defines: compiled, plain or intrinsic."""
    found = {
        name: value
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_")
    }
    return [
        name
        for name, value in found.items()
        if getattr(value, "__module__", None) == module.__name__ and not isinstance(value, type)
    ]


def public():
    """ "module.function" of every public kernel."""
    names = sorted(
        {module.name for module in pkgutil.iter_modules(pimlab.kernels.__path__)} - NO_ARITHMETIC
    )
    return [
        f"{name}.{kernel}"
        for name in names
        for kernel in _kernels(importlib.import_module(f"pimlab.kernels.{name}"))
    ]


def twin(kernel):
    """The reference function of "module.function", or None."""
    module, name = kernel.split(".")
    try:
        return getattr(importlib.import_module(f"pimlab.reference.{module}"), name, None)
    except ModuleNotFoundError:
        return None


def uncovered(kernels, table):
    """Kernels that no case exercises, and names in `covers` that are no kernel."""
    named = {name for case in table.values() for name in case.covers}
    return sorted(set(kernels) ^ named)


def _arrays(result):
    return tuple(np.asarray(one) for one in (result if isinstance(result, tuple) else (result,)))


def check_equal(case, rng, size):
    """AssertionError where the kernel and its twin differ: by a bit, a sign of zero, or beyond the case's tolerance."""
    state = rng.bit_generator.state
    ours = _arrays(case.run(*case.make(rng, size)))
    rng.bit_generator.state = state
    for mine, theirs in zip(ours, _arrays(case.reference(*case.make(rng, size))), strict=True):
        if case.rtol or case.atol:
            np.testing.assert_allclose(mine, theirs, rtol=case.rtol, atol=case.atol)
        else:
            np.testing.assert_array_equal(mine, theirs)
            np.testing.assert_array_equal(
                np.signbit(mine)[mine == 0], np.signbit(theirs)[mine == 0]
            )


def check_threads(case, rng, size):
    """AssertionError where one thread and two give different bits."""
    inputs, before = case.make(rng, size), numba.get_num_threads()
    try:
        numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
        many = _arrays(case.run(*inputs))
        numba.set_num_threads(1)
        one = _arrays(case.run(*inputs))
    finally:
        numba.set_num_threads(before)
    assert [a.tobytes() for a in many] == [a.tobytes() for a in one]


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("size", ["tiny", "small"])
def test_kernel_equals_its_twin(name, size):
    for seed in range(3):
        check_equal(TABLE[name], np.random.default_rng([seed, 17]), size)


@pytest.mark.parametrize("name", TABLE)
def test_one_thread_and_two_give_the_same_bits(name, monkeypatch):
    for kernel in TABLE[name].covers:
        module, function = kernel.split(".")
        chosen = getattr(importlib.import_module(f"pimlab.kernels.{module}"), function)
        if hasattr(chosen, "least"):
            monkeypatch.setattr(chosen, "least", 0)
    check_threads(TABLE[name], np.random.default_rng(5), "small")


@pytest.mark.parametrize("kernel", public())
def test_every_kernel_is_in_the_table_and_has_a_twin(kernel):
    assert kernel not in uncovered([kernel], TABLE), (
        f"{kernel} is in no case of benchmarks/cases (covers=...)"
    )
    assert twin(kernel) is not None, f"{kernel} has no twin pimlab.reference.{kernel}"


def test_every_name_in_the_table_is_a_kernel():
    assert not uncovered(public(), TABLE)


def _twice(x):
    return 2 * x


def _normals(rng, size):
    return (rng.standard_normal(5).astype(np.float32),)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: np.nextafter(2 * x, np.float32(9)),
        lambda x: 2 * x[:3],
        lambda x: (2 * x, x),
        lambda x: -2 * x,
    ],
)
def test_the_walk_sees_a_kernel_that_is_wrong(wrong):
    check_equal(Case(_twice, _twice, _normals), np.random.default_rng(0), "small")
    with pytest.raises((AssertionError, ValueError)):
        check_equal(Case(wrong, _twice, _normals), np.random.default_rng(0), "small")


def test_the_walk_sees_a_lost_sign_of_zero():
    case = Case(lambda x: x, lambda x: -x, lambda rng, size: (np.zeros(3),))
    with pytest.raises(AssertionError):
        check_equal(case, np.random.default_rng(0), "small")


def test_the_walk_sees_what_depends_on_threads():
    case = Case(lambda x: x + numba.get_num_threads(), _twice, _normals)
    if numba.config.NUMBA_NUM_THREADS > 1:
        with pytest.raises(AssertionError):
            check_threads(case, np.random.default_rng(0), "small")


def test_the_walk_names_what_is_missing():
    table = {"one": Case(_twice, _twice, _normals, covers=("int8.gemm", "int8.gem"))}
    assert uncovered(["int8.gemm", "int8.wrap"], table) == ["int8.gem", "int8.wrap"]
    assert (twin("int8.gem"), twin("nowhere.gemm")) == (None, None)
    assert jit.__name__ not in {f"pimlab.kernels.{name.split('.')[0]}" for name in public()}


def _one_each():
    """The first case of every kernel."""
    first = {}
    for name, case in TABLE.items():
        first |= {kernel: name for kernel in case.covers if kernel not in first}
    return sorted(set(first.values()))


def test_kernels_equal_their_twins_uncompiled():
    chosen = [f"{Path(__file__)}::test_kernel_equals_its_twin[tiny-{name}]" for name in _one_each()]
    code = "import sys, pytest; from pimlab.kernels import jit; assert jit.PURE; sys.exit(pytest.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", *chosen],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PIMLAB_PURE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(chosen)} passed" in done.stdout
