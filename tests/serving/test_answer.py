"""Are percentiles and joules those of the requests?"""

import numpy as np
import pytest
from serving_examples import requests, times

import pimlab as pim
from pimlab.serving import Apart, serve
from pimlab.serving.answer import percentiles


def test_percentiles_are_requests_of_the_run():
    assert percentiles(np.array([4.0, np.nan, 1.0, 3.0, 2.0])).tolist() == [2, 4, 4, 4]
    assert np.isnan(percentiles(np.array([np.nan]))).all()


def test_bits_that_cross_a_link_are_paid_for():
    link = pim.link("pcie4-x16").but(bandwidth="8000 bit/s", delay="1 s")
    free = link.but(bit=link.bit.but(value=0.0, low=0.0, high=0.0))
    ends = "", "_low", "_high"
    paid, unpaid = (
        serve(times(), requests([0.0], [10], [2]), apart=Apart(times=times(), link=one))
        for one in (link, free)
    )
    more = [float(paid["energy" + end].sum() - unpaid["energy" + end].sum()) for end in ends]
    bits = 8 * 1000 * 10
    assert more == pytest.approx(
        [bits * v for v in (link.bit.value, link.bit.low, link.bit.high)], rel=1e-4
    )


def test_power_over_time_adds_up_to_the_energy():
    load = pim.poisson(rate="0.2 Hz", count=50, input=[5, 30], output=[1, 6])
    out = serve(times(), load)
    width = float(out.time[1] - out.time[0])
    drawn = float((out.power - 100).sum()) * width
    static = 100 * float(out.duration)
    assert drawn + static == pytest.approx(float(out.energy.sum()))
    assert float(out.token_energy) == pytest.approx(float(out.energy.sum() / out.output.sum()))


def test_quality_travels_along():
    mlp, npu = pim.load_model("digits-mlp"), pim.target("warboy")
    quality = pim.run(mlp, npu, pim.load_data("digits", limit=50))
    out = serve(times(), requests([0.0], [1], [1]), quality=quality)
    assert float(out.accuracy) == float(quality.accuracy)
    assert set(quality.sources.split(",")) <= set(out.sources.split(","))


def test_the_answer_is_cited_and_has_units():
    out = serve(times(sources=("furiosa-rngd",)), pim.load_requests("azure-code-2023", limit=3))
    assert out.sources == "furiosa-rngd,patel2024"
    assert all("units" in out[name].attrs for name in out.data_vars)


def test_bits_of_a_published_price_are_not_assumed():
    link = pim.link("pcie4-x16")
    parts = []
    for status in ("assumed", "published"):
        one = link.but(bit=link.bit.but(status=status))
        out = serve(times(), requests([0.0], [10], [2]), apart=Apart(times=times(), link=one))
        parts.append(float(out.assumed_share * out.energy.sum()))
    assert parts[0] - parts[1] == pytest.approx(8 * 1000 * 10 * link.bit.value, rel=1e-3)
