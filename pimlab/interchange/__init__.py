"""How do answers, machines and models pass to other programs, and back?"""

from pimlab.interchange.results import as_json, numbers, table, writable, write_answer
from pimlab.interchange.spice import spice_netlist
from pimlab.interchange.toml import from_toml, to_toml

__all__ = [
    "as_json",
    "from_toml",
    "numbers",
    "spice_netlist",
    "table",
    "to_toml",
    "writable",
    "write_answer",
]
