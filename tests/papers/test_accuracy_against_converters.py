"""papers/accuracy-against-converters: every claim holds on our network, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def _accuracy(ds, cell, mapping, bits):
    return float(ds.accuracy.sel(cell=cell, mapping=mapping, bits=bits).mean("seed"))


def test_a_proportional_sum_needs_no_more_than_8_bits(ds):
    assert (
        float(ds.needed.sel(cell="ideal cell", mapping="differential"))
        <= 8
        < float(ds.needed.sel(cell="ideal cell", mapping="offset"))
    )


def test_proportional_mapping_is_better_with_few_bits_and_with_noisy_cells(ds):
    assert (
        _accuracy(ds, "ideal cell", "differential", 6)
        > _accuracy(ds, "ideal cell", "offset", 6) + 0.3
    )
    assert _accuracy(ds, "PCM", "differential", 10) > _accuracy(ds, "PCM", "offset", 10) + 0.15


def test_slicing_pairs_gains_next_to_nothing_with_noisy_cells(ds):
    assert (
        _accuracy(ds, "PCM", "differential", 10)
        > _accuracy(ds, "PCM", "differential, 2-bit slices", 10) - 0.06
    )


def test_figure_draws(make, ds):
    assert [axes.get_xlabel() for axes in make.draw(ds).axes] == ["ADC bits"] * 2
