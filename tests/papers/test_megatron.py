"""papers/megatron: step times within 6 % in the mean on rows not fitted, constants that the chip can reach, memory to the byte."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_the_mean_error_of_rows_that_were_not_fitted_is_below_6_percent(make, ds):
    assert make.error(ds) < 0.06
    assert make.error(ds, held_out=False) < 0.06


def test_the_constants_are_within_what_the_chip_can_do(make, ds):
    assert 0.5 < float(ds.efficiency) < 1
    assert 0.3 * make.PEAK < float(ds.bandwidth) <= make.PEAK


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
