"""Do requests see what a hand counts, and do the numbered invariants of a service hold?"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_examples import requests, times

import pimlab as pim
from pimlab.serving import Apart, Policy, serve

LINK = pim.link("pcie4-x16").but(bandwidth="8000 bit/s", delay="1 s")


def test_one_request_by_hand():
    out = serve(times(), requests([5.0], [10], [3]))
    # 10 tokens: 1 + 1 s; then a step of one token each, looking back on 11 and 12
    assert out.ttft.item() == pytest.approx(2.0)
    assert out.latency.item() == pytest.approx(2.0 + 1.1 + 0.011 + 1.1 + 0.012)
    assert out.tpot.item() == pytest.approx(1.1115)
    seconds = out.latency.item()
    assert out.energy.item() == pytest.approx((10 + 100) * seconds)
    assert out.energy_low.item() == pytest.approx((4 + 50) * seconds)
    assert out.energy_high.item() == pytest.approx((40 + 200) * seconds)
    assert out.token_energy.item() == pytest.approx(110 * seconds / 3)
    assert out.assumed_share.item() == pytest.approx(101 / 110)


def test_a_second_request_joins_the_batch_at_the_next_step():
    out = serve(times(), requests([0.0, 0.5], [10, 20], [2, 1]))
    # the first step ends at 2 s; the second has 20 + 1 tokens and one context of 11
    assert out.ttft.values == pytest.approx([2.0, 2.0 + 1 + 2.1 + 0.011 - 0.5])
    assert out.begun.values == pytest.approx([0.0, 2.0])


def test_a_long_prompt_is_read_in_parts_that_fit_a_step():
    whole, parts = (
        serve(times(), requests([0.0], [100], [1]), policy=Policy(batch=4, tokens=n))
        for n in (100, 25)
    )
    assert whole.ttft.item() == pytest.approx(11)
    assert parts.ttft.item() == pytest.approx(4 * 3.5)


def test_whole_prompts_stop_those_that_decode():
    policy = Policy(batch=4, tokens=64, mixed=False)
    out = serve(times(), requests([0.0, 0.5], [10, 20], [2, 1]), policy=policy)
    assert out.ttft.values == pytest.approx([2.0, 2.0 + 3.0 - 0.5])
    assert out.latency[0].item() == pytest.approx(2.0 + 3.0 + 1.1 + 0.011)


def test_apart_the_cache_crosses_the_link_before_the_second_token():
    apart = Apart(times=times(), link=LINK)
    out = serve(times(), requests([0.0], [10], [2]), apart=apart)
    assert out.ttft.item() == pytest.approx(2.0)
    assert out.tpot.item() == pytest.approx(
        1 + 10 + 1.1 + 0.011
    )  # 1000 bytes a token over 1000 B/s


def test_the_last_sequence_gives_way_where_pages_lack():
    tight = times(held=48)
    policy = Policy(batch=4, tokens=64, page=16)
    pair = requests([0.0, 0.0], [16, 16], [16, 3])
    again = serve(tight, pair, policy=policy)
    assert again.preempted.values.tolist() == [0, 1]
    swap = serve(tight, pair, policy=policy.but(swap=LINK))
    assert swap.preempted.values.tolist() == [0, 1]
    assert swap.latency[1] != again.latency[1]
    roomy = serve(times(), pair, policy=policy)
    assert roomy.preempted.sum() == 0
    assert roomy.latency[1] < again.latency[1]


def test_a_prefix_that_is_kept_is_not_read_again():
    pair = requests([0.0, 50.0], [40, 40], [1, 1], first=[0, 2, 4], blocks=[1, 2, 1, 2])
    out = serve(times(), pair)
    assert out.reused.values.tolist() == [0, 32]
    assert out.ttft.values == pytest.approx([5.0, 1.8])
    without = serve(times(), pair, policy=Policy(prefixes=False))
    assert without.ttft.values == pytest.approx([5.0, 5.0])


def test_a_prefix_aware_router_goes_where_the_prefix_is():
    given_ = {"first": [0, 2, 4], "blocks": [1, 2, 1, 2]}
    pair = requests([0.0, 5.5], [40, 40], [30, 1], **given_)
    near, turn = (
        serve(times(), pair, replicas=2, policy=Policy(router=r))
        for r in ("prefix aware", "round robin")
    )
    assert turn.replica.values.tolist() == [0, 1]
    assert near.replica.values.tolist() == [0, 1]  # forty tokens are unfinished there: no gain
    later = requests([0.0, 500.0], [40, 40], [30, 1], **given_)
    assert serve(
        times(), later, replicas=2, policy=Policy(router="prefix aware")
    ).replica.values.tolist() == [0, 0]


def test_a_full_queue_refuses():
    out = serve(
        times(),
        requests([0.0, 0.1, 0.2, 0.3], [9] * 4, [2] * 4),
        policy=Policy(batch=1, tokens=9, queue=1),
    )
    assert out.refused == 2
    assert out.replica.values.tolist() == [0, 0, -1, -1]
    assert np.isnan(out.ttft.values[2:]).all()
    assert not out.good.values[2:].any()


def test_an_slo_says_who_is_good():
    slo = pim.Slo(ttft="2.1 s")
    out = serve(times(), requests([0.0, 0.5], [10, 20], [2, 1]), slo=slo)
    assert out.good.values.tolist() == [True, False]
    assert out.attainment == 0.5
    assert out.goodput.item() == pytest.approx(1 / out.duration.item())


@st.composite
def runs(draw):
    n = draw(st.integers(1, 25))
    gaps = draw(st.lists(st.floats(0, 20), min_size=n, max_size=n))
    lengths = st.lists(st.integers(1, 40), min_size=n, max_size=n)
    shared = draw(st.booleans())
    prompt = draw(lengths)
    counts = [p // 8 if shared else 0 for p in prompt]
    blocks = [10 * draw(st.integers(0, 2)) + k for c in counts for k in range(c)]
    policy = Policy(
        batch=draw(st.integers(1, 5)),
        tokens=draw(st.integers(5, 60)),
        page=draw(st.sampled_from([1, 4, 8])),
        mixed=draw(st.booleans()),
        router=draw(st.sampled_from(["round robin", "least work", "prefix aware"])),
        swap=LINK if draw(st.booleans()) else None,
        queue=draw(st.sampled_from([None, 1, 2])),
    )
    apart = Apart(times=times(held=96), link=LINK) if draw(st.booleans()) else None
    load = requests(
        np.cumsum(gaps),
        prompt,
        draw(lengths),
        first=np.cumsum([0, *counts]),
        blocks=np.array(blocks, int),
        block=8,
    )
    return load, policy, draw(st.integers(1, 3)), apart


@settings(max_examples=25, deadline=None)
@given(runs())
def test_invariants(run):
    load, policy, replicas, apart = run
    out = serve(times(held=96), load, policy=policy, replicas=replicas, apart=apart)
    served = ~np.isnan(out.latency.values)
    # 1 requests in = answered + refused
    assert served.sum() + int(out.refused) == load.count
    # 2 nothing before it comes, no token before it runs, no answer before its first token
    assert (out.begun.values[served] >= load.arrival[served]).all()
    assert (out.ttft.values[served] > 0).all()
    assert (out.latency.values[served] >= out.ttft.values[served]).all()
    # 3 no memory over capacity
    pages = 96 // policy.page * (replicas + (1 if apart else 0))
    assert (out.pages.values <= pages + 1e-9).all()
    # 4 no batch over what the policy allows
    assert (out.running.values <= policy.batch * (replicas + (1 if apart else 0)) + 1e-9).all()
    # 5 energy of requests = power over time; links carry what is left
    count = replicas + (1 if apart else 0)
    if out.sizes["time"] > 1:
        width = float(out.time[1] - out.time[0])
        drawn = float((out.power - 100 * count).sum()) * width + 100 * count * float(out.duration)
        crossed = float(out.energy.sum()) - drawn
        assert -1e-6 * drawn <= crossed <= 1e-6 * drawn + 1e-3 * bool(apart or policy.swap)
    # 6 lower and upper ends stand around the energy
    assert (out.energy_low <= out.energy).all()
    assert (out.energy <= out.energy_high).all()
    # 7 same seed, same bytes
    assert out.identical(serve(times(held=96), load, policy=policy, replicas=replicas, apart=apart))


def test_load_to_zero_gives_the_answer_of_one_request_alone():
    apart = requests([0.0, 1e4, 2e4], [10, 30, 10], [3, 4, 3])
    out = serve(times(), apart)
    alone = [
        serve(times(), requests([0.0], [p], [o])).latency.item() for p, o in [(10, 3), (30, 4)]
    ]
    assert out.latency.values == pytest.approx([alone[0], alone[1], alone[0]])


def test_more_replicas_never_lengthen_the_mean_wait():
    load = pim.poisson(rate="0.3 Hz", count=80, input=[5, 30], output=[1, 6])
    waits = [float(serve(times(), load, replicas=n).latency.mean()) for n in (1, 2, 4)]
    assert waits[0] >= waits[1] >= waits[2]


def test_what_is_no_plan_is_refused():
    with pytest.raises(TypeError, match="machine=.rngd. is not a ParallelPlan"):
        serve("rngd", requests([0.0], [1], [1]))
    with pytest.raises(ValueError, match="replicas=0; allowed"):
        serve(times(), requests([0.0], [1], [1]), replicas=0)
    with pytest.raises(ValueError, match="serve replicas=10+; allowed: an integer, 1 to 100000"):
        serve(times(), requests([0.0], [1], [1]), replicas=10**40)
    with pytest.raises(ValueError, match="page=5 does not divide the blocks of 16"):
        serve(times(), requests([0.0], [40], [1], first=[0, 1], blocks=[1]), policy=Policy(page=5))


def test_users_send_the_next_request_when_the_last_is_answered():
    load = pim.serving.closed(users=3, count=30, input=[5, 30], output=[1, 9], seed=2)
    out = serve(times(), load, policy=Policy(batch=2, tokens=64))
    finish = (out.arrival + out.latency).values
    for i, sent in enumerate(out.arrival.values):
        under_way = (out.arrival.values[:i] <= sent) & (finish[:i] > sent)
        assert under_way.sum() <= 2
        assert sent == 0 or sent in finish
    alone = serve(times(), pim.serving.closed(users=1, count=4, input=10, output=3))
    assert alone.latency.values == pytest.approx([alone.latency.values[0]] * 4)
    assert alone.duration.item() == pytest.approx(4 * alone.latency.values[0])
    with pytest.raises(ValueError, match="users=0 is outside"):
        pim.serving.closed(users=0, count=4, input=10, output=3)


def test_more_state_than_memory_holds_is_refused_and_few_requests_need_little(monkeypatch):
    """100,000 replicas with 65,536 places each would need 26 GB; no replica runs more than all requests."""
    times = pim.serving.single_shot({1: 1e-3, 8: 2e-3})
    wide, few = (
        pim.serving.Policy(batch=2**16, tokens=2**17),
        pim.serving.single_shots(rate="10 Hz", count=20),
    )
    assert np.isfinite(pim.serve(times, few, policy=wide, replicas=10**5).latency).all()
    monkeypatch.setattr("pimlab.serving.bounds.MOST_BYTES", 4 * 20 * 10**5 - 1)
    with pytest.raises(
        ValueError, match=r"replicas=100000 with batch=65536, 20 requests.*0.008 GB"
    ):
        pim.serve(times, few, policy=wide, replicas=10**5)
