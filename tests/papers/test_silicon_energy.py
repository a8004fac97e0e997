"""papers/silicon-energy: power of boards that was not fitted, and constants that are those of the catalogue."""

import csv

import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper

from pimlab import catalogue


def test_another_model_on_the_fitted_chip(make, ds):
    median, within, covered, _ = make.misses(ds, "a100", "held-out")
    assert median <= 0.05
    assert within == covered == 1.0


def test_another_chip(make, ds):
    """By constants of A100, with the prompts that a server reads between its steps."""
    median, within, covered, _ = make.misses(ds, "h100", "held-out")
    assert median <= 0.1
    assert within >= 0.9
    assert covered >= 0.9
    assert make.token_miss(ds) <= 0.2


def test_lengths_of_chats_are_those_that_fill_the_memory_twice(make, ds):
    """Prompts of some hundred tokens; long answers are longer in progress, so more than half is written."""
    assert 100 < float(ds.prompt) < 1000
    assert 0.5 < float(ds.written) < 1


def test_the_interval_covers_nine_in_ten(ds):
    assert ((ds.power_low <= ds.measured) & (ds.measured <= ds.power_high)).mean() >= 0.9


def test_the_likely_interval_covers_about_nine_in_ten_of_boards_that_were_not_asked(make, ds):
    share = make.likely_share(ds)
    table = catalogue.entry("energy", "on-chip")
    assert table["likely_share"].value == pytest.approx(share)
    assert make.covered(make.some(ds, "a100", "held-out"), share - 0.05) < 0.9
    assert 0.8 < make.covered(make.some(ds, "h100", "held-out"), share) < 1


@pytest.mark.full
def test_the_catalogue_holds_what_the_fit_gives(make):
    fitted, table = make.fit(), catalogue.entry("energy", "on-chip")
    assert fitted["static"] == pytest.approx(
        catalogue.entry("npu", "a100")["power_static"].value, rel=0.01
    )
    assert fitted["delivery"] == pytest.approx(table["operand_delivery"].value, rel=0.01)
    assert fitted["interface"] == pytest.approx(table["dram_interface"].value, rel=0.01)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1


def test_the_data_name_their_columns(make):
    with make.DATA.open() as file:
        assert next(csv.reader(file))[:6] == [
            "model", "tensor_parallel", "prompt_size", "batch_size", "token_size", "average_power",
        ]  # fmt: skip
