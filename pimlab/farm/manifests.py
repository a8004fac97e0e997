"""How is a farm's plan handed to Kubernetes? Claims, deployments and flavours, a file a cloud.

Cards are asked for by the device class that their vendor's driver for dynamic resource allocation
documents: npu.furiosa.ai (FuriosaAI), npu.rebellions.ai and, for virtual machines,
vfio-npu.rebellions.ai (Rebellions), gpu.nvidia.com (NVIDIA). An offer without a documented class
gets the class "pimlab.invalid/<offer>", so that nothing is scheduled by a guess.

* A whole card or several: a ResourceClaimTemplate of that count, one claim a pod.
* A virtual function: a claim of one device; the driver must publish the functions as devices, and
the label pimlab/parts says into how many a card is split. * A slice of a card's time: one
ResourceClaim that so many pods share.

Files are JSON, which kubectl applies as it does YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pimlab.arguments import typed
from pimlab.farm.abilities import Ability
from pimlab.farm.answer import Farm
from pimlab.farm.offers import Offer
from pimlab.values import unknown

CLAIMS = "resource.k8s.io/v1"
KUEUE = "kueue.x-k8s.io/v1beta1"
LABEL = "pimlab"
NO_CLASS = "pimlab.invalid"
KINDS = {
    "ResourceClaimTemplate": "V1ResourceClaimTemplate",
    "ResourceClaim": "ResourceV1ResourceClaim",
    "Deployment": "V1Deployment",
}
"""Kind -> model of the package kubernetes that checks it."""


@typed
def manifests(
    plan: Farm, period: str | None = None, images: Mapping[str, str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Cloud -> Kubernetes objects of the plan in `period` (the last unless given).

    images : service -> container image; "<service>:latest" where none is given.
    ValueError for an unknown period or service.
    """
    names = [one.name for one in plan.question.periods]
    when = names[-1] if period is None else period
    if when not in names:
        raise ValueError(unknown("period", when, names))
    services = {one.name for one in plan.question.services}
    for name in images or {}:
        if name not in services:
            raise ValueError(f"manifests images: {unknown('service', name, services)}")
    return {
        cloud.name: list(_objects(plan, j, names.index(when), dict(images or {})))
        for j, cloud in enumerate(plan.question.clouds)
    }


@typed
def write_manifests(
    plan: Farm,
    folder: str | Path,
    period: str | None = None,
    images: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write `manifests` as one file a cloud, a Kubernetes List each; the files' paths.

    >>> farm = pim.farm
    >>> digits = farm.Service(name="digits", model="digits-mlp", rate="2 MHz", latency="1 ms")
    >>> clouds = [farm.Cloud(name=name, power="100 kW", racks=5) for name in ("a", "b")]
    >>> plan = pim.provision([digits], ["warboy", "atom"], clouds, farm.Rules(vendors=2, clouds=2))
    >>> [file.name for file in farm.write_manifests(plan, tempfile.mkdtemp())]
    ['a.json', 'b.json']
    """
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    files = []
    for cloud, objects in manifests(plan, period, images).items():
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        file = where / f"{_name(cloud)}.json"
        file.write_text(json.dumps(listed, indent=2) + "\n")
        files.append(file)
    return files


def _objects(
    plan: Farm, cloud: int, period: int, images: dict[str, str]
) -> Iterator[dict[str, Any]]:
    offers = {one.name: one for one in plan.question.offers}
    for i, offer in enumerate(plan.question.offers):
        if plan.counts.cards[i, cloud, period]:
            yield _flavour(offer)
    for number, ability in enumerate(plan.question.abilities):
        many = int(plan.counts.instances[number, cloud, period])
        if many:
            image = images.get(ability.service, f"{_name(ability.service)}:latest")
            yield from _workload(ability, offers[ability.offer], many, image)


def _workload(ability: Ability, offer: Offer, many: int, image: str) -> Iterator[dict[str, Any]]:
    name = _name(f"{ability.service}-{offer.name}-{ability.way}")
    if ability.way != "container":
        yield _template(name, ability, offer)
        yield _deployment(name, ability, many, image, {"resourceClaimTemplateName": name})
        return
    for card, first in enumerate(range(0, many, ability.parts)):
        one = f"{name}-{card}"
        yield _claim(one, ability, offer)
        pods = min(ability.parts, many - first)
        yield _deployment(one, ability, pods, image, {"resourceClaimName": one})


def _template(name: str, ability: Ability, offer: Offer) -> dict[str, Any]:
    return {
        "apiVersion": CLAIMS,
        "kind": "ResourceClaimTemplate",
        "metadata": _metadata(name, ability),
        "spec": {"metadata": {"labels": _labels(ability)}, "spec": _devices(ability, offer)},
    }


def _claim(name: str, ability: Ability, offer: Offer) -> dict[str, Any]:
    return {
        "apiVersion": CLAIMS,
        "kind": "ResourceClaim",
        "metadata": _metadata(name, ability),
        "spec": _devices(ability, offer),
    }


def _devices(ability: Ability, offer: Offer) -> dict[str, Any]:
    """The devices that one claim asks for."""
    asked = {
        "deviceClassName": offer.device_class or f"{NO_CLASS}.{_name(offer.name)}",
        "allocationMode": "ExactCount",
        "count": ability.cards,
    }
    return {"devices": {"requests": [{"name": "card", "exactly": asked}]}}


def _deployment(
    name: str, ability: Ability, many: int, image: str, claim: dict[str, str]
) -> dict[str, Any]:
    labels = {**_labels(ability), "app": name}
    container = {
        "name": _name(ability.service),
        "image": image,
        "resources": {"claims": [{"name": "card"}]},
    }
    pod = {"containers": [container], "resourceClaims": [{"name": "card", **claim}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, ability),
        "spec": {
            "replicas": many,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _flavour(offer: Offer) -> dict[str, Any]:
    """Kueue's ResourceFlavor: nodes that hold the offer's cards, by the farm's label."""
    return {
        "apiVersion": KUEUE,
        "kind": "ResourceFlavor",
        "metadata": {"name": _name(offer.name)},
        "spec": {"nodeLabels": {f"{LABEL}/offer": _name(offer.name)}},
    }


def _labels(ability: Ability) -> dict[str, str]:
    return {
        f"{LABEL}/service": _name(ability.service),
        f"{LABEL}/offer": _name(ability.offer),
        f"{LABEL}/way": _name(ability.way),
        f"{LABEL}/parts": str(ability.parts),
    }


def _metadata(name: str, ability: Ability) -> dict[str, Any]:
    return {"name": name, "labels": _labels(ability)}


def _name(text: str) -> str:
    """A name as Kubernetes takes it: lower case, digits and hyphens, 63 at most."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "x"


@typed
def validated(objects: list[dict[str, Any]]) -> int:
    """Check objects against the models of the package kubernetes (unit: objects); how many were
    checked.

    ValueError names an object that lacks a field or has one that the model does not know; kinds of
    Kueue have no model there and are left out. ImportError says how to install the package.
    """
    try:
        from kubernetes.client import ApiClient
    except ImportError as error:
        raise ImportError("validated needs kubernetes: pip install pimlab[farm]") from error
    client, checked = ApiClient(), 0
    for number, one in enumerate(objects):
        if not isinstance(one, dict) or not isinstance(one.get("kind"), str):
            raise ValueError(
                f"validated objects[{number}]={one!r:.60} is no object of Kubernetes; allowed: a "
                'dict with a text "kind"'
            )
        if one["kind"] in KINDS:
            _check(client, one)
            checked += 1
    return checked


def _check(client: Any, one: dict[str, Any]) -> None:
    metadata = one.get("metadata")
    name = f"{one['kind']} {metadata.get('name') if isinstance(metadata, dict) else metadata!r}"
    try:
        model = client.deserialize(json.dumps(one), KINDS[one["kind"]], "application/json")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from None
    if client.sanitize_for_serialization(model) != one:
        raise ValueError(f"{name} has a field that Kubernetes does not know")
