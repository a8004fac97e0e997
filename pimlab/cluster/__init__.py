"""How do many chips run one model together? Networks, memory and parallelisation."""

from __future__ import annotations

from pimlab.cluster.chakra import read as read_chakra
from pimlab.cluster.cluster import Cluster
from pimlab.cluster.collectives import ALGORITHMS, OPERATIONS, Round, rounds
from pimlab.cluster.mixed import MixedPlan
from pimlab.cluster.networks import Network, network, networks
from pimlab.cluster.phases import Requests
from pimlab.cluster.plans import ParallelPlan
from pimlab.cluster.requests import RequestPlan
from pimlab.cluster.search import parallelise
from pimlab.cluster.shards import Work
from pimlab.cluster.step_costs import step_costs
from pimlab.cluster.steps import Degrees, Step
from pimlab.cluster.topologies import FatTree, Mesh, Ring, Switch, Topology
from pimlab.cluster.training import Training, TrainingStep, training_step
from pimlab.cluster.training_search import TrainingPlan, best_training

__all__ = [
    "ALGORITHMS",
    "OPERATIONS",
    "Cluster",
    "Degrees",
    "FatTree",
    "Mesh",
    "MixedPlan",
    "Network",
    "ParallelPlan",
    "RequestPlan",
    "Requests",
    "Ring",
    "Round",
    "Step",
    "Switch",
    "Topology",
    "Training",
    "TrainingPlan",
    "TrainingStep",
    "Work",
    "best_training",
    "network",
    "networks",
    "parallelise",
    "read_chakra",
    "rounds",
    "step_costs",
    "training_step",
]
