"""papers/decode-roofline: targets are met at the quick size, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_both_are_never_slower_and_the_pins_win_large_batches(make, ds):
    both, banks, pins = (
        ds.seconds.sel(way=way) for way in ("both", "in the banks", "through the pins")
    )
    assert ((both <= banks) & (both <= pins)).all()
    assert float(banks.sel(batch=1)) < float(pins.sel(batch=1))
    assert 1 < make.crossover(ds) < 4
    assert len(make.draw(ds).axes) == 2
