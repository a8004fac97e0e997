"""Which machine runs which operator of a model? Plans, and the search for the cheapest one."""

from __future__ import annotations

from pimlab.plan.plan import Op, Plan, machine_text, planned

__all__ = ["Op", "Plan", "machine_text", "planned"]
