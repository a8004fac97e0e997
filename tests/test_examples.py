"""Does the example in the docstring of every entry point run, and answer what it says?"""

import doctest
import functools
import pathlib
import tempfile

import numpy as np
import pytest
import xarray as xr

import pimlab as pim

ROOMS = {
    "npu": ("gemm_cycles", "requantize", "matmul", "tensor_dma"),
    "formats": ("cast", "quantize"),
    "dram_pim": (
        "gemv",
        "trace",
        "validate",
        "elementwise",
        "matmul",
        "host_read",
        "read_results",
        "schedule",
    ),
    "analog": ("effective_conductance", "wire_currents", "adc_energy"),
}
WITHOUT = {"ADC", "DAC", "Constant", "Key", "place", "targets"}
"""Exported names whose docstrings need none: parts shown with `Crossbar`, values, and what has a notebook of its own."""
ENTRY_POINTS = sorted(set(pim._EXPORTS) - WITHOUT) + [
    f"{room}.{name}" for room, names in ROOMS.items() for name in names
]


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_the_example_answers_what_it_says(name, monkeypatch):
    monkeypatch.setenv("PIMLAB_CATALOGUE", "")  # what an example adds ends with it
    thing = functools.reduce(getattr, name.split("."), pim)
    names = {"pim": pim, "np": np, "xr": xr, "pathlib": pathlib, "tempfile": tempfile}
    (test,) = doctest.DocTestFinder(recurse=False).find(thing, name, globs=names)
    assert test.examples
    printed = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        test, out=printed.append
    )
    assert result.failed == 0, "".join(printed)


def test_only_exported_names_go_without():
    assert set(pim._EXPORTS) >= WITHOUT
