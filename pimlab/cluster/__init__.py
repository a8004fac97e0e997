"""How do many chips run one model together? Networks, memory and parallelisation."""

from __future__ import annotations

from pimlab.cluster.collectives import ALGORITHMS, OPERATIONS, Round, rounds
from pimlab.cluster.networks import Network, network, networks
from pimlab.cluster.topologies import FatTree, Mesh, Ring, Switch, Topology

__all__ = [
    "ALGORITHMS",
    "OPERATIONS",
    "FatTree",
    "Mesh",
    "Network",
    "Ring",
    "Round",
    "Switch",
    "Topology",
    "network",
    "networks",
    "rounds",
]
