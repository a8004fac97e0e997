"""papers/silicon-networks: MLPerf's networks on Warboy, ATOM, X220 and GPUs, fitted and held-out results apart."""

import numpy as np
import pytest
from paper_checks import *  # noqa: F403  # the checks of every paper


def test_what_misses_is_said_by_how_much(ds):
    """Round v2.0's software runs SSD-MobileNet up to twice as fast as v1.1's did; a chip has one set of constants."""
    for name, slower in (
        ("latency warboy ssd-mobilenet batch=1 v2.0", 1.28),
        ("throughput warboy ssd-mobilenet batch=64 v2.0", 2.03),
    ):
        assert float(ds.slower.sel(result=name)) == pytest.approx(slower, abs=0.02)


def test_other_generations_of_gpus_are_near_in_large_batches(ds):
    """A10, A30, A2, Orin, L40S and H200 have constants of A100 or H100, and none of their own."""
    mine = np.isin(ds.chip.values, ("a100", "h100", "a10", "a30", "a2", "orin", "l40s", "h200"))
    whole = ds.result.str.contains("v2.1-one|v4.1").values
    large = ds.result.str.startswith("throughput").values & whole & mine
    assert large.sum() == 8
    assert (np.abs(ds.slower.values[large] - 1) < 0.15).all()


def test_a_request_alone_costs_what_no_constant_of_single_operators_holds(ds):
    """Within half, either way, on every GPU whose constants were fitted on operators."""
    gpus = ~np.isin(ds.chip.values, ("warboy", "atom", "x220", "ai100", "t4"))
    alone = ds.result.str.startswith("latency").values
    assert (np.abs(ds.slower.values[gpus & alone] - 1) < 0.5).all()


def test_nobody_passes_the_bound_of_a_chip_without_constants(ds):
    assert (ds.slower.values[ds.chip.values == "ai100"] < 1).all()


def test_networks_have_the_operations_that_mlperf_states(make):
    """Reddi et al. 2020, Table I: 8.2, 2.47 and 433 G operations an input."""
    found = {
        name: 2 * sum(getattr(op, "macs", 0) for op in make_ops()) / 1e9
        for name, make_ops in make.networks().NETWORKS.items()
    }
    assert found["resnet50"] == pytest.approx(8.2, rel=0.01)
    assert found["ssd-mobilenet"] == pytest.approx(2.47, rel=0.01)
    assert found["ssd-resnet34"] == pytest.approx(433, rel=0.01)


@pytest.mark.full
@pytest.mark.parametrize("name", ["warboy", "atom", "t4"])
def test_the_catalogue_holds_what_the_fit_gives(make, name):
    fitted, held = make.fit(name), make.machine(name).efficiency
    for key in make.FITS[name]:
        assert getattr(held, key) == pytest.approx(getattr(fitted, key), rel=0.05)


def test_the_figure_draws(make, ds):
    assert len(make.draw(ds).axes) == 1
