"""What does a result look like? Datasets -> matplotlib figures. The only room that imports matplotlib."""

from pimlab.plot.roadmap import accuracy_against_energy, energy_breakdown, waterfall
from pimlab.plot.style import STAGE_COLOURS, save

__all__ = ["STAGE_COLOURS", "accuracy_against_energy", "energy_breakdown", "save", "waterfall"]
