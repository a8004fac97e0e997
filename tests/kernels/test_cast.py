"""Kernels of formats equal their twins bit for bit, on one thread and on two, and for any split of the rows."""

import numba
import numpy as np
import pytest

from benchmarks.cases import accumulate, blocks, cast

CHOSEN = [
    "cast.nearest fp8_e4m3",
    "cast.toward_zero fp6_e3m2",
    "cast.stochastic fp4_e2m1",
    "blocks.microscale mxfp4",
    "accumulate.chunks fp16 by 16 rounded products",
    "accumulate.chunks bf16 by 1",
    "accumulate.tree fp16",
]
CASES = {**cast.CASES, **blocks.CASES, **accumulate.CASES}


def _arrays(result):
    return (result,) if isinstance(result, np.ndarray) else result


@pytest.mark.parametrize("name", CASES)
def test_kernels_equal_their_twins(name):
    inputs = CASES[name].make(np.random.default_rng(3), "small")
    for ours, twin in zip(
        _arrays(CASES[name].run(*inputs)), _arrays(CASES[name].reference(*inputs)), strict=True
    ):
        np.testing.assert_array_equal(ours, twin)


@pytest.mark.parametrize("name", CHOSEN)
def test_threads_do_not_matter(name):
    case = CASES[name]
    inputs = case.make(np.random.default_rng(1), "small")
    many = case.run(*inputs)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    one = case.run(*inputs)
    numba.set_num_threads(before)
    for a, b in zip(_arrays(many), _arrays(one), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", [name for name in CHOSEN if name.startswith("accumulate")])
def test_a_row_does_not_depend_on_its_neighbours(name):
    x, w, *rest = CASES[name].make(np.random.default_rng(2), "small")
    whole = CASES[name].run(x, w, *rest)
    np.testing.assert_array_equal(whole[3:5], CASES[name].run(x[3:5], w, *rest))
    np.testing.assert_array_equal(
        whole[:, 7:30], CASES[name].run(x, np.ascontiguousarray(w[:, 7:30]), *rest)
    )
