"""How do answers, machines and models pass to other programs, and back?"""

from pimlab.interchange.accelforge import (
    accelforge_architecture,
    accelforge_workload,
    timeloop_architecture,
    timeloop_problem,
)
from pimlab.interchange.aihwkit import from_aihwkit
from pimlab.interchange.crosssim import from_crosssim
from pimlab.interchange.results import as_json, numbers, table, writable, write_answer
from pimlab.interchange.settings import Imported
from pimlab.interchange.spice import spice_netlist
from pimlab.interchange.toml import from_toml, to_toml

__all__ = [
    "Imported",
    "accelforge_architecture",
    "accelforge_workload",
    "as_json",
    "from_aihwkit",
    "from_crosssim",
    "from_toml",
    "numbers",
    "spice_netlist",
    "table",
    "timeloop_architecture",
    "timeloop_problem",
    "to_toml",
    "writable",
    "write_answer",
]
