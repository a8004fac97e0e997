"""Which machine runs which operator of a model? Plans, what they cost, whether they fit, and the
search for the cheapest one.
"""

from __future__ import annotations

from pimlab.plan.capacity import (
    CapacityError,
    check_fits,
    chips_needed,
    chips_text,
    shortage,
    with_chips,
)
from pimlab.plan.plan import Op, Plan, machine_text, planned

__all__ = [
    "CapacityError",
    "Op",
    "Plan",
    "check_fits",
    "chips_needed",
    "chips_text",
    "machine_text",
    "planned",
    "shortage",
    "with_chips",
]
