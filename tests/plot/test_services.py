"""Every workload has its row, every machine its point; what is missing is named."""

import pytest

import pimlab as pim
from pimlab.plot.services import stages_by_service
from pimlab.workload import SERVICES

ROWS = [service for service in SERVICES if service.model in ("cancer-mlp", "digits-mlp")]


@pytest.fixture(scope="module")
def ds():
    return pim.compare([service.model for service in ROWS], ["warboy", "pcm-hermes"], limit=20)


def test_one_row_a_workload_and_one_point_a_machine(ds):
    fig = stages_by_service(ds, ROWS)
    assert len(fig.axes) == 3 * len(ROWS)
    for ax in fig.axes:
        assert len(ax.containers) == 2
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()] == ["warboy", "pcm-hermes"]
    assert fig.axes[0].get_ylabel() == "health, edge\ncancer-mlp"


def test_a_workload_that_was_not_compared_is_named(ds):
    with pytest.raises(
        ValueError,
        match=r"services \['small-lm'\] are not in the Dataset; allowed: one or more of cancer-mlp, digits-mlp",
    ):
        stages_by_service(ds, [service for service in SERVICES if service.model == "small-lm"])
