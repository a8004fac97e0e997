"""papers/llm-throughput: tokens a second that nothing was fitted on, and bounds that no chip passes."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_throughput_where_heads_share_nothing_is_within_15_percent_in_the_median(make, ds):
    for gpu in ("a100", "h100"):
        assert np.median(np.abs(make.error(make.some(ds, "tokens", gpu, False)))) < 0.15


def test_ours_are_never_slower_where_heads_share_keys_and_much_is_decoded(make, ds):
    """What the software lacked there can only make it slower than the hardware."""
    for gpu in ("a100", "h100"):
        shared = make.some(ds, "tokens", gpu, True)
        long = shared.isel(row=np.flatnonzero(shared.row.str.endswith("out=2048").values))
        assert (make.error(long) > 0.3).all()


def test_no_published_rate_passes_a_bound(make, ds):
    for gpu in ("l40s", "rebel"):
        assert (make.error(make.some(ds, "tokens", gpu)) > 0).all()


@pytest.mark.full
def test_the_catalogue_holds_what_the_fit_of_rngd_gives(make):
    fitted, held = make.fit(), make.chip("rngd").efficiency
    for key in make.FITTED:
        assert getattr(held, key) == pytest.approx(getattr(fitted, key), rel=0.05)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
