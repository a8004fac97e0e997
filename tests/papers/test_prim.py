"""papers/prim: threads that were not fitted are met, and software arithmetic costs its instructions."""

import numpy as np
from paper_checks import *  # noqa: F403  # the checks of every paper

from pimlab.dram_pim.presets import table


def test_rates_fall_by_the_instructions_of_a_type(ds):
    described = table("upmem")
    instructions = np.array([described[f"add.{kind}"].value for kind in ds.type.values])
    products = ds.rate.sel(tasklets=16).values * instructions
    np.testing.assert_allclose(products, 350e6, rtol=1e-6)


def test_one_thread_reaches_an_eleventh(ds):
    ratio = (ds.rate.sel(tasklets=1) / ds.rate.sel(tasklets=11)).values
    np.testing.assert_allclose(ratio, 1 / 11, rtol=1e-6)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
