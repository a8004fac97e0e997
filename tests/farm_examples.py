"""Small farms that the tests of room farm share: two services, four offers, three clouds."""

from functools import lru_cache

from pimlab import farm
from pimlab.farm.planning import Question
from pimlab.farm.rules import Period, Rules

NAMES = ("warboy", "atom", "rngd", "h100")


@lru_cache(maxsize=1)
def offers():
    return tuple(farm.offer(name) for name in NAMES)


def clouds(count=3, **fields):
    given = {"power": "200 kW", "racks": 10, **fields}
    return tuple(farm.Cloud(name=f"cloud {i}", **given) for i in range(count))


def services(**fields):
    vision = farm.Service(name="vision", model="fashion-cnn", rate="100 Hz", latency="10 ms")
    chat = farm.Service(
        name="chat", model="llama2-7b", rate="20 Hz", input=100, output=10, ttft="1 s", tpot="1 s"
    )
    return vision.but(**fields), chat.but(**fields)


def abilities():
    """What each card serves, by hand: vision 10 a second and card, chat as its name says."""
    found = []
    for offer, rate, joules in (
        ("warboy", 10, 1.0),
        ("atom", 20, 1.5),
        ("rngd", 40, 2.0),
        ("h100", 80, 4.0),
    ):
        ends = {"joules": joules, "joules_low": joules / 2, "joules_high": joules * 2}
        found.append(
            farm.Ability(service="vision", offer=offer, rate=float(rate), latency=1e-3, **ends)
        )
        if offer != "warboy":
            found.append(
                farm.Ability(service="chat", offer=offer, rate=rate / 10, latency=1e-1, **ends)
            )
    ends = {"joules": 2.0, "joules_low": 1.0, "joules_high": 4.0}
    found.append(
        farm.Ability(
            service="vision",
            offer="rngd",
            way="virtual function",
            parts=8,
            rate=4.9,
            latency=1e-2,
            **ends,
        )
    )
    return tuple(found)


def question(rules=None, **changes):
    periods = (Period(name="2025", start=2025, end=2025, rules=rules or Rules(spare="none")),)
    asked = Question(services(), offers(), clouds(), periods, abilities())
    return asked._replace(**changes)
