"""What does one part of one card serve of a service, at how many joules? From pimlab's own costs.

An inference comes from `schedule` (its interval, its latency, its energy), a request of a language
model from the steps of `cluster` (prefill of its prompt, then its share of a batch's steps). A part
of a card, one of k equal virtual functions or slices of time, has a k-th of the rate and takes k
times as long: a bound, because what is limited by fixed delays is not slowed down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import xarray as xr

from pimlab.arguments import typed
from pimlab.cluster import Cluster, Degrees, Work
from pimlab.cluster.cluster import memory_bytes
from pimlab.cluster.costs import machines, owner
from pimlab.cluster.memory import held
from pimlab.cluster.shards import layer_macs
from pimlab.cluster.steps import Pricer
from pimlab.cost import price
from pimlab.farm.offers import Offer
from pimlab.farm.services import Service
from pimlab.farm.sites import operation
from pimlab.farm.waiting import most_utilisation
from pimlab.machine.links import link
from pimlab.machine.protocol import Target
from pimlab.plan import chips_needed, planned
from pimlab.result import HIGH, LOW, STATIC
from pimlab.schedule import schedule
from pimlab.values import Value, choice, integer, number, quantity
from pimlab.workload import load_model

WAYS = ("card", "virtual function", "container")
BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Sequences of a language model that are decoded together: those tried."""
INFERENCES = 8
"""Inferences of a schedule, enough for its steady state."""
SLICES = (2, 4, 8)
"""Equal slices of a card's time that are tried for containers."""
BOARD = "pcie5-x16"
"""The link between the cards of one server."""


class Ability(Value):
    """What one instance serves: `cards` whole cards, or one of `parts` parts of one card.

    rate : requests a second at which the service's bounds hold.  latency : s of a request with no
    others around.  joules, joules_low, joules_high : of a request, without static power.
    batch : sequences decoded together.
    quality : of the model on the machine, NaN where nobody ran it.
    """

    service: str
    offer: str
    way: str = choice(*WAYS, default="card")
    cards: int = integer(1, default=1)
    parts: int = integer(1, default=1)
    rate: float = quantity("Hz", above=0)
    latency: float = quantity("s", low=0)
    joules: float = quantity("J", low=0)
    joules_low: float = quantity("J", low=0)
    joules_high: float = quantity("J", low=0)
    batch: int = integer(1, default=1)
    quality: float | None = number(default=None)

    @property
    def share(self) -> float:
        """Cards that one instance takes (unit: cards)."""
        return self.cards / self.parts

    @property
    def label(self) -> str:
        """ "1 card", "4 cards", "1/8 card (virtual function)"."""
        if self.way == "card":
            return f"{self.cards} card{'s' if self.cards > 1 else ''}"
        return f"1/{self.parts} card ({self.way})"


class Reason(NamedTuple):
    """Why an offer does not serve a service."""

    service: str
    offer: str
    text: str


@typed
def abilities(
    services: Sequence[Service],
    offers: Sequence[Offer],
    *,
    quality: xr.Dataset | None = None,
    delay: Mapping[str, float] | None = None,
) -> tuple[tuple[Ability, ...], tuple[Reason, ...]]:
    """Every way in which an offer serves a service, and why the others do not.

    quality : the Dataset of `compare` (or of several joined) with the services' metrics over model
    and target; a service with a floor is refused where it is not reached or was not run.
    delay : service -> s of the way to the cloud and back.

    >>> digits = pim.farm.Service(name="d", model="digits-mlp", rate="1 kHz", latency="1 ms")
    >>> found, refused = pim.farm.abilities([digits], [pim.offer("warboy")])
    >>> found[0].label, found[0].rate > 1e5
    ('1 card', True)
    """
    found: list[Ability] = []
    refused: list[Reason] = []
    for service in services:
        far = (delay or {}).get(service.name, 0.0)
        for one in offers:
            try:
                found += _ways(service, one, scored(service, one, quality), far)
            except Unserved as error:
                refused.append(Reason(service.name, one.name, str(error)))
    return tuple(found), tuple(refused)


class Unserved(ValueError):
    """An offer cannot serve a service; the text says why."""


def scored(service: Service, offer: Offer, quality: Any) -> float | None:
    """The service's metric on the offer's machine; Unserved where it misses the floor. In the unit
    of the metric.
    """
    value = _scored(service, offer, quality)
    if service.floor is None:
        return value
    if value is None:
        raise Unserved(f"{service.metric} of {_named(service)} on {offer.target.name} was not run")
    worse = value > service.floor if _less(quality, service.metric) else value < service.floor
    if worse:
        raise Unserved(
            f"{service.metric} {value:.4g} misses the floor {service.floor:.4g} on "
            f"{offer.target.name}"
        )
    return value


def _scored(service: Service, offer: Offer, quality: Any) -> float | None:
    if quality is None or not service.metric or service.metric not in quality:
        return None
    table = quality[service.metric]
    if not {"model", "target"} <= set(table.dims):
        raise ValueError(
            f"quality {service.metric} has dimensions {table.dims}; allowed: a Dataset of compare, "
            "over model and target"
        )
    name = _named(service)
    if name not in table.model.values or offer.target.name not in table.target.values:
        return None
    value = table.sel(model=name, target=offer.target.name)
    value = float(value.mean()) if value.ndim else float(value)
    return None if math.isnan(value) else value


def _less(quality: Any, metric: str) -> bool:
    return quality[metric].attrs.get("better", "higher") == "lower"


def _named(service: Service) -> str:
    return service.model if isinstance(service.model, str) else str(service.model.name)


def _ways(service: Service, offer: Offer, quality: float | None, delay: float) -> Iterator[Ability]:
    model = load_model(service.model) if isinstance(service.model, str) else service.model
    if service.decodes:
        if not hasattr(model, "shape"):
            raise Unserved(f"{_named(service)} is no language model of a known shape")
        yield _decoded(service, offer, model, quality, delay)
        return
    yield from _inferred(service, offer, model, quality, delay)


def _inferred(
    service: Service, offer: Offer, model: Any, quality: float | None, delay: float
) -> Iterator[Ability]:
    plan = planned(model, offer.target)
    needed, occupied = chips_needed(plan)[offer.target.name], plan.occupancy[offer.target.name]
    cards = math.ceil(needed / offer.chips)
    if cards > offer.cards:
        raise Unserved(f"{needed} chips are {cards} cards, more than the {offer.cards} of a server")
    busy = schedule(model, offer.target, inferences=INFERENCES, chips="needed")
    copies = max(1, offer.chips * cards // needed)
    served = 0
    for way, parts in _divisions(service, offer, cards):
        rate, latency = _paced(service, busy, parts, delay)
        if rate > 0 and (parts == 1 or parts * occupied <= offer.chips):
            served += 1
            yield Ability(
                service=service.name, offer=offer.name, way=way, cards=cards, parts=parts,
                rate=copies * rate, latency=latency, quality=quality, **_joules(busy),
            )  # fmt: skip
    if not served:
        alone = float(busy.latency_alone)
        raise Unserved(
            f"a request takes {alone:.3g} s with no others around and {delay:.3g} s of way; the "
            f"SLO is {service.latency:.3g} s"
        )


def _paced(service: Service, busy: Any, parts: int, delay: float) -> tuple[float, float]:
    """(requests a second, s of one alone) of a `parts`-th of a chip under the service's SLO."""
    assert service.latency is not None
    slow = parts / (1 - operation("slice.loss").value) if parts > 1 else 1.0
    interval, latency = float(busy.interval) * slow, float(busy.latency_alone) * slow
    return _busyness((service.latency - delay - latency) / interval) / interval, latency


def _divisions(service: Service, offer: Offer, cards: int) -> Iterator[tuple[str, int]]:
    """(way, parts) that the service's isolation allows."""
    yield "card", 1
    if cards > 1 or service.isolation == "card":
        return
    for parts in offer.splits:
        yield "virtual function", parts
    if service.isolation == "container":
        for parts in SLICES:
            if parts not in offer.splits:
                yield "container", parts


def _busyness(wait: float) -> float:
    return most_utilisation(wait, most=operation("utilisation").value)


def _joules(busy: Any) -> dict[str, Any]:
    """J of an inference without static power, with low and high."""
    own = ~busy.operator.str.startswith(f"{STATIC} ")
    ends = ("", LOW, HIGH)
    return {f"joules{end}": float(busy[f"energy{end}"].where(own).sum()) for end in ends}


def _decoded(
    service: Service, offer: Offer, model: Any, quality: float | None, delay: float
) -> Ability:
    """The best of all card counts and batches: most requests a second and card."""
    shape = model.shape
    if service.input + service.output > shape.context:
        raise Unserved(
            f"{service.input} + {service.output} tokens are more than the {shape.context} of the "
            "model"
        )
    best: tuple[float, int, int, float, float] | None = None
    why = f"no server of {offer.cards} cards holds the model"
    for cards in counts_of(shape, offer):
        pricer = Pricer(shape, rack_of(offer, cards))
        for batch in BATCHES:
            if not fits(pricer, service, cards * offer.chips, batch):
                break
            rate, first, each, text = _served(pricer, service, cards * offer.chips, batch, delay)
            why = text or why
            if rate > 0 and (best is None or rate / cards > best[0]):
                best = rate / cards, cards, batch, rate, first + each * service.output
    if best is None:
        raise Unserved(why)
    _, cards, batch, rate, latency = best
    joules = _request(Pricer(shape, rack_of(offer, cards)), service, cards * offer.chips, batch)
    low, high = spread_of(offer.target, shape, service)
    return Ability(
        service=service.name, offer=offer.name, cards=cards, rate=rate, latency=latency,
        joules=joules, joules_low=joules * low, joules_high=joules * high, batch=batch,
        quality=quality,
    )  # fmt: skip


def counts_of(shape: Any, offer: Offer) -> list[int]:
    """Cards of one instance: powers of two whose chips divide the heads (unit: cards)."""
    powers = [1 << i for i in range(offer.cards.bit_length()) if 1 << i <= offer.cards]
    return [n for n in powers if shape.heads % (n * offer.chips) == 0]


def rack_of(offer: Offer, cards: int) -> Cluster:
    """So many cards of one server, joined by its bus."""
    return Cluster(chip=offer.target, chips=cards * offer.chips, link=link(BOARD))


def steps_of(pricer: Pricer, service: Service, chips: int, batch: int) -> tuple[Any, Any]:
    """(prefill of one prompt, one decoding step of the batch at its mean context). Units: s and
    J.
    """
    how = Degrees(tensor=chips)
    prompt = Work(batch=1, queries=service.input, context=service.input)
    decode = Work(batch=batch, context=service.input + -(-service.output // 2))
    return pricer.step(prompt, how), pricer.step(decode, how)


def fits(pricer: Pricer, service: Service, chips: int, batch: int) -> bool:
    """Whether weights and the caches of a batch fit; true where nobody states the memory."""
    work = Work(batch=batch, context=service.input + service.output)
    parts = held(pricer.shape, pricer.rack, work, chips, pricer.shape.layers)
    known = [part.share for part in parts if not math.isnan(part.share)]
    if not known and memory_bytes(pricer.rack) is None:
        return True
    return max(known, default=0.0) <= 1


def _served(
    pricer: Pricer, service: Service, chips: int, batch: int, delay: float
) -> tuple[float, float, float, str]:
    """(requests a second, s to the first token, s a token, why not) of one instance.

    Prefills interrupt the decoding of the batch: while they take the share p of the time, a token
    takes its step / (1 - p). A request occupies prefill + output step / batch seconds [s].
    """
    assert service.ttft is not None
    assert service.tpot is not None
    prompt, step = steps_of(pricer, service, chips, batch)
    first = prompt.seconds + step.seconds + delay
    if first > service.ttft:
        return 0.0, first, step.seconds, f"the first token takes {first:.3g} s at least"
    if step.seconds > service.tpot:
        return 0.0, first, step.seconds, f"a token takes {step.seconds:.3g} s at least"
    occupied = prompt.seconds + service.output * step.seconds / batch
    within = 1 - step.seconds / service.tpot
    waits = _busyness((service.ttft - first) / prompt.seconds)
    rate = min(operation("utilisation").value / occupied, min(within, waits) / prompt.seconds)
    return rate, first, step.seconds, "prefills leave no time" if rate <= 0 else ""


def _request(pricer: Pricer, service: Service, chips: int, batch: int) -> float:
    """J of a request without static power."""
    prompt, step = steps_of(pricer, service, chips, batch)
    each = (step.dynamic + step.link) / batch
    return float(prompt.dynamic + prompt.link + service.output * each)


def spread_of(target: Target, shape: Any, service: Service) -> tuple[float, float]:
    """Low and high of the products of one layer relative to their nominal energy (unit 1)."""
    low = nominal = high = 0.0
    for op in layer_macs(shape, Work(batch=1, context=service.input + service.output)):
        machine = machines(target)[owner(target, op)]
        energy = price(machine.events(op), machine.prices)
        nominal += sum(energy.nominal.values())
        low += sum(energy.low.values())
        high += sum(energy.high.values())
    return low / nominal, high / nominal
