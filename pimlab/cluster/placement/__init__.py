"""Which machine of a mixed cluster holds which layers? Maximum flow: problem, bound and search."""

from __future__ import annotations

from pimlab.cluster.placement.flow import maximum_flow
from pimlab.cluster.placement.lp_file import read_lp
from pimlab.cluster.placement.problem import LayerPlacement, Placed
from pimlab.cluster.placement.solve import solve

__all__ = ["LayerPlacement", "Placed", "maximum_flow", "read_lp", "solve"]
