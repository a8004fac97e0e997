"""Does what a card serves follow from its machine's own costs, and is a reason given where it does not?"""

import pytest

import pimlab as pim
from pimlab import farm
from pimlab.farm.abilities import abilities
from pimlab.farm.sites import operation


def one(service, offer):
    found, refused = abilities([service], [farm.offer(offer) if isinstance(offer, str) else offer])
    return found, refused


DIGITS = farm.Service(name="digits", model="digits-mlp", rate="1 Hz", latency="1 s")
CHAT = farm.Service(
    name="chat", model="llama2-7b", rate="1 Hz", input=512, output=128, ttft="1 s", tpot="100 ms"
)


def test_the_rate_is_the_schedule_s_at_the_planned_utilisation():
    (card,), _ = one(DIGITS, "warboy")
    busy = pim.schedule(pim.load_model("digits-mlp"), pim.target("warboy"), inferences=8)
    assert card.rate == pytest.approx(operation("utilisation").value / float(busy.interval))
    assert card.latency == pytest.approx(float(busy.latency_alone))
    assert card.joules + float(busy.static_energy.sum()) == pytest.approx(
        float(busy.energy.sum()), rel=1e-6
    )


def test_a_tight_bound_lowers_the_rate():
    busy = pim.schedule(pim.load_model("digits-mlp"), pim.target("warboy"), inferences=8)
    tight = DIGITS.but(latency=float(busy.latency_alone) + float(busy.interval))
    (card,), _ = one(tight, "warboy")
    assert card.rate == pytest.approx(0.1351573 / float(busy.interval), rel=1e-5)  # P(W > 1) = 1 %


@pytest.mark.parametrize(
    ("isolation", "ways"), [("card", {"card"}), ("machine", {"card", "virtual function"})]
)
def test_isolation_allows_virtual_functions(isolation, ways):
    found, _ = one(DIGITS.but(isolation=isolation), "rngd")
    assert {a.way for a in found} == ways


def test_containers_share_cards_that_do_not_divide():
    found, _ = one(DIGITS.but(isolation="container"), "warboy")
    assert {(a.way, a.parts) for a in found} == {
        ("card", 1),
        ("container", 2),
        ("container", 4),
        ("container", 8),
    }


def test_a_part_has_its_part_of_the_rate_and_takes_longer():
    found, _ = one(DIGITS, "rngd")
    whole = found[0]
    loss = 1 - operation("slice.loss").value
    for part in found[1:]:
        assert part.rate == pytest.approx(whole.rate * loss / part.parts)
        assert part.latency == pytest.approx(whole.latency * part.parts / loss)
        assert part.share == 1 / part.parts


def test_many_chips_on_a_card_hold_many_copies():
    single, _ = one(DIGITS, farm.offer("analog-pcm").but(chips=1))
    many, _ = one(DIGITS, "analog-pcm")
    assert many[0].rate == pytest.approx(16 * single[0].rate)


def test_a_language_model_from_its_steps():
    (rngd,), _ = one(CHAT, "rngd")
    rack = pim.Cluster(chip=pim.target("rngd"), chips=1)
    plan = pim.parallelise(pim.load_model("llama2-7b"), rack, batch=rngd.batch, context=576)
    prompt = pim.parallelise(pim.load_model("llama2-7b"), rack, context=512, phase="prefill")
    occupied = prompt.latency + 128 * plan.latency / rngd.batch
    assert rngd.rate == pytest.approx(0.9 / occupied)
    assert rngd.joules_low < rngd.joules < rngd.joules_high


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ttft": "1 ms"}, "the first token takes .* s at least"),
        ({"tpot": "1 us"}, "a token takes .* s at least"),
        ({"input": 4000}, "4000 \\+ 128 tokens are more than the 4096"),
        ({"model": "digits-mlp"}, "digits-mlp is no language model"),
    ],
)
def test_reasons_of_language_models(change, says):
    found, ((_, offer, text),) = one(CHAT.but(**change), "rngd")
    assert not found
    assert offer == "rngd"
    import re

    assert re.search(says, text)


def test_a_model_too_large_for_a_server_is_said_to_be():
    found, ((_, _, text),) = one(CHAT, "analog-pcm")
    assert not found
    assert "no server of 8 cards holds the model" in text


def test_the_way_to_the_cloud_counts():
    found, refused = abilities(
        [DIGITS.but(latency="1 ms")], [farm.offer("warboy")], delay={"digits": 2e-3}
    )
    assert not found
    assert "0.002 s of way" in refused[0].text
