"""Are step times those of the plan, of the model, of the measured tables?"""

import numpy as np
import pytest
import xarray as xr
from cluster_examples import SMALL, cluster
from serving_examples import times

import pimlab as pim
from pimlab.cluster import Work
from pimlab.cluster.steps import Pricer
from pimlab.plan import planned
from pimlab.serving import measured, of_model, of_plan, serve, single_shot, single_shots

DIMS = ("batch", "context")
PLAN = pim.parallelise(SMALL, cluster(8), batch=6, context=64)


def test_points_are_the_steps_of_the_plan_and_the_error_is_stated():
    found, degrees = of_plan(PLAN, batch=16, tokens=64), PLAN.degrees.but(data=1)
    pricer = Pricer(SMALL, PLAN.cluster)
    decode = pricer.step(Work(batch=4, context=32), degrees)
    prompt = pricer.step(Work(batch=1, context=64, queries=64), degrees)
    assert found.step(4, 32)[0] == pytest.approx(decode.seconds)
    assert found.step(0, 0, 64, 64)[0] == pytest.approx(prompt.seconds)
    drawn = found.static[0] * decode.seconds
    assert found.step(4, 32)[1] + drawn == pytest.approx(decode.joules)
    assert 0 <= found.error < 0.2
    assert found.replicas == PLAN.degrees.data
    assert found.longest == SMALL.context


def test_one_request_takes_the_steps_of_the_plan():
    found = of_plan(PLAN, batch=4, tokens=64)
    out = serve(
        PLAN,
        pim.serving.fixed(count=1, input=64, output=2),
        policy=pim.serving.Policy(batch=4, tokens=64),
    )
    pricer, degrees = Pricer(SMALL, PLAN.cluster), PLAN.degrees.but(data=1)
    prompt = pricer.step(Work(batch=1, context=64, queries=64), degrees).seconds
    assert out.ttft.item() == pytest.approx(prompt)
    assert out.tpot.item() == pytest.approx(found.step(1, 65)[0])


def test_the_cache_is_what_the_weights_leave():
    from cluster_examples import Clock

    room = [
        of_plan(
            pim.parallelise(SMALL, cluster(1, machine=Clock(held=n)), batch=1, context=64), batch=8
        ).held
        for n in (400_000, 500_000)
    ]
    assert room[0] < room[1]
    grown = 2 * SMALL.layers * SMALL.kv_heads * SMALL.head_width
    assert room[1] - room[0] == pytest.approx(100_000 / grown, abs=128)


def test_measured_tables_give_what_was_measured():
    decode = xr.DataArray(
        [[1.0, 3.0], [2.0, 6.0]],
        coords={"batch": [1, 8], "context": [10, 1000]},
        dims=("batch", "context"),
    )
    prompt = xr.DataArray([1.5, 4.0, 9.0], coords={"tokens": [4, 100, 500]}, dims="tokens")
    found = measured(decode=decode, prompt=prompt, held=4096, longest=2048, watts=5.0, static=7.0)
    assert found.step(8, 1000)[0] == pytest.approx(6.0)
    assert found.step(1, 10)[0] == pytest.approx(1.0)
    assert found.step(0, 0, 500, 500)[0] == pytest.approx(9.0)
    assert found.step(8, 10, 92, 92)[0] == pytest.approx(4.0)  # a hundred new tokens
    assert found.step(8, 1000)[1] == pytest.approx(30.0)
    assert found.static[0] == 7.0


@pytest.mark.parametrize(
    ("decode", "text"),
    [
        (
            xr.DataArray([[1.0]], dims=("batch", "length")),
            "decode has dimensions .*allowed: a DataArray over",
        ),
        (
            xr.DataArray(
                [[np.nan]], coords={"batch": [1], "context": [1]}, dims=("batch", "context")
            ),
            "decode has gaps",
        ),
    ],
)
def test_bad_tables_are_refused(decode, text):
    prompt = xr.DataArray([1.0, 2.0], coords={"tokens": [1, 9]}, dims="tokens")
    with pytest.raises(ValueError, match=text):
        measured(decode=decode, prompt=prompt, held=100, longest=50)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"prompt": None}, "measured prompt has dimensions NoneType; allowed: a DataArray over"),
        ({"prompt": xr.DataArray(["a"], dims="tokens")}, "prompt has 1 entries of type <U1"),
        ({"decode": xr.DataArray(np.zeros((0, 2)), dims=("batch", "context"))}, "has 0 entries"),
    ],
)
def test_what_holds_no_numbers_is_no_table(change, text):
    good = {
        "decode": xr.DataArray([[1.0]], coords={"batch": [1], "context": [1]}, dims=DIMS),
        "prompt": xr.DataArray([1.0, 2.0], coords={"tokens": [1, 9]}, dims="tokens"),
    }
    assert measured(**good, held=100, longest=50).longest == 50
    with pytest.raises(ValueError, match=text):
        measured(**{**good, **change}, held=100, longest=50)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"latency": {None: 1.0}}, "latency={None: 1.0}; allowed: batches from 1 to 65536"),
        ({"latency": {1.5: 1.0}}, "allowed: batches from 1 to 65536"),
        ({"latency": {10**40: 1.0}}, "allowed: batches from 1 to 65536"),
        ({"latency": {1: 1.0}, "energy": {2: (1.0,) * 4}}, "of batch 1; allowed: four numbers"),
        ({"latency": {1: 1.0}, "energy": {1: 1.0}}, "of batch 1; allowed: four numbers"),
    ],
)
def test_batches_are_whole_and_have_their_energy(given, text):
    with pytest.raises(ValueError, match=text):
        single_shot(**given)


def test_a_model_without_batches_is_refused():
    with pytest.raises(ValueError, match=r"of_model batches=\(\) names no size"):
        of_model(pim.load_model("digits-mlp"), pim.target("warboy"), [])


def test_a_model_that_answers_at_once_takes_the_latency_and_energy_of_its_run():
    mlp, npu = pim.load_model("digits-mlp"), pim.target("warboy")
    found = of_model(mlp, npu, [1, 4])
    one = pim.run(mlp, npu)
    out = serve(found, single_shots(rate="1 Hz", count=1))
    assert out.latency.item() == pytest.approx(float(one.latency.sum()))
    assert out.energy.item() == pytest.approx(float(one.energy.sum()))
    assert out.energy_high.item() == pytest.approx(float(one.energy_high.sum()))
    assert found.name == f"digits-mlp on {planned(mlp, npu).name}"


def test_step_times_check_themselves():
    with pytest.raises(ValueError, match="tokens=.*allowed: rising numbers"):
        times(tokens=[2, 1])
    with pytest.raises(ValueError, match="rest has shape"):
        times(tokens=[1, 2, 3])
    with pytest.raises(ValueError, match="rest has a time below 0 s"):
        times(rest=np.full((2, 5), -1.0))
    with pytest.raises(ValueError, match="allowed: batches from 1"):
        single_shot({})
    assert times() == times()
    assert times() != times(held=64)
    assert hash(times()) == hash(times())
