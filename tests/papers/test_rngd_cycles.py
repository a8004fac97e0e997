"""papers/rngd-cycles: every worked example of RNGD's book, and what its transfers are bound by."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_rows_that_switch_and_a_stack_left_out_are_bound_by_channels(ds):
    engine, channel = ds.parts.values.T
    bound = dict(zip(ds.transfer.values, channel + 500 > engine, strict=True))
    assert [name for name, by_channel in bound.items() if by_channel] == ["example 4", "example 5"]


def test_a_fetch_takes_as_many_cycles_as_its_narrowest_run_needs(make):
    cycles = make.fetches()
    assert cycles["batch 1"] == 2 * cycles["batch 2"] == 4 * cycles["batch 4"]


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
