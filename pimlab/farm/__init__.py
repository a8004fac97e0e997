"""Which cards, of which vendor, in which cloud, serve what? Offers, services, rules, the farm."""

from __future__ import annotations

from pimlab.farm.abilities import Ability, Reason, abilities
from pimlab.farm.answer import Farm, changes
from pimlab.farm.manifests import manifests, validated, write_manifests
from pimlab.farm.offers import Offer, offer, offers
from pimlab.farm.packing import Nodes, Partitions, inflated, pack
from pimlab.farm.provision import ContradictionError, provision
from pimlab.farm.rules import Period, Rules, k_cloud
from pimlab.farm.services import DAY, Service
from pimlab.farm.sheet import k_perf, write_sheet
from pimlab.farm.sites import Cloud, Rack
from pimlab.farm.years import roadmap

__all__ = [
    "DAY",
    "Ability",
    "Cloud",
    "ContradictionError",
    "Farm",
    "Nodes",
    "Offer",
    "Partitions",
    "Period",
    "Rack",
    "Reason",
    "Rules",
    "Service",
    "abilities",
    "changes",
    "inflated",
    "k_cloud",
    "k_perf",
    "manifests",
    "offer",
    "offers",
    "pack",
    "provision",
    "roadmap",
    "validated",
    "write_manifests",
    "write_sheet",
]
