"""What does a chip lose against its arrays and its memory? A few constants, fitted to measured
operators.

seconds of an operator = operator + max(c, b) + exposed min(c, b), where c is what the arrays need
at `arrays` of their rate, and b what the traffic needs at `bandwidth` of the memory's.

They belong to a chip and its software, never to a model. A chip without them answers with a bound:
arrays that never wait, memory at its full rate, operators that start at once.
"""

from __future__ import annotations

from pimlab.values import Value, number, quantity


class Efficiency(Value):
    """Constants of one chip."""

    operator: float = quantity("s", low=0, default=0.0, doc="fixed cost of an operator")
    call: float = quantity(
        "s", low=0, default=0.0, doc="fixed cost of a batch: driver, transfer of inputs, answer"
    )
    arrays: float = number(above=0, high=1, default=1.0, doc="share of their rate arrays sustain")
    bandwidth: float = number(
        above=0, high=1, default=1.0, doc="share of the memory's rate that products sustain"
    )
    vector: float = number(
        above=0, high=1, default=1.0, doc="share of it that the vector unit sustains"
    )
    exposed: float = number(
        low=0, high=1, default=0.0, doc="share of the shorter of c and b that does not overlap"
    )

    def exposes(self, compute: float, transfer: float) -> float:
        """Seconds of `transfer` that are not hidden behind `compute`, both [s]."""
        return max(0.0, transfer - compute) + self.exposed * min(compute, transfer)
