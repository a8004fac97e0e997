"""What does a result look like? Datasets -> matplotlib figures. The only room that imports
matplotlib.
"""

from typing import Any

from pimlab.plot.analog import drift
from pimlab.plot.breakdown import breakdown
from pimlab.plot.cells import cells
from pimlab.plot.designs import designs
from pimlab.plot.farm import farm, stage_shares, tornado
from pimlab.plot.front import front
from pimlab.plot.life import life
from pimlab.plot.rates import energy_against_rate
from pimlab.plot.reasons import causes, differences, prices
from pimlab.plot.roadmap import energy_breakdown, waterfall
from pimlab.plot.roofline import roofline
from pimlab.plot.serving import (
    cost_against_slo,
    goodput_against_rate,
    latencies,
    service_over_time,
)
from pimlab.plot.spec_map import spec_map
from pimlab.plot.stages import operating_points
from pimlab.plot.style import STAGE_COLOURS, figure, for_print, save
from pimlab.plot.swept import swept
from pimlab.plot.timeline import timeline
from pimlab.plot.wafer import wafer

__all__ = [
    "STAGE_COLOURS",
    "breakdown",
    "causes",
    "cells",
    "cost_against_slo",
    "designs",
    "differences",
    "drift",
    "energy_against_rate",
    "energy_breakdown",
    "farm",
    "figure",
    "for_print",
    "front",
    "goodput_against_rate",
    "latencies",
    "life",
    "operating_points",
    "prices",
    "roofline",
    "save",
    "service_over_time",
    "spec_map",
    "stage_shares",
    "swept",
    "timeline",
    "tornado",
    "wafer",
    "waterfall",
]


def __getattr__(name: str) -> Any:
    from pimlab.values import nearest

    raise AttributeError(f"pimlab.plot has no {name!r}{nearest(name, __all__)}")
