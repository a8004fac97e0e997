"""papers/upmem-pipeline: targets are met at the quick size, and the figure draws."""

from paper_checks import *  # noqa: F403  # the checks of every paper


def test_larger_transfers_are_faster(make, ds):
    assert (ds.bandwidth.diff("transfer") > 0).all()
    assert len(make.draw(ds).axes) == 2
