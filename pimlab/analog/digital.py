"""What does an analog chip compute digitally beside its arrays? Activations and the like, on units
of its own, so that a host is needed only for what is left.
"""

from __future__ import annotations

from pimlab.machine.protocol import VectorOp
from pimlab.values import Value, quantity

DIGITAL_OP = "digital operation"


class DigitalUnits(Value):
    """Digital units of an analog chip: which operators they serve, and how fast."""

    kinds: tuple[str, ...]
    """Operator types, as ONNX names them, in lower case: "relu", "sigmoid", ..."""
    rate: float = quantity("Hz", above=0, doc="results a second of the whole chip")

    def check(self) -> None:
        """At least one kind; each a word in lower case."""
        if not self.kinds or any(
            not isinstance(one, str) or not one or one != one.lower() for one in self.kinds
        ):
            raise ValueError(
                f"DigitalUnits kinds={self.kinds!r}; allowed: operator types in lower case, such "
                "as ('relu', 'tanh')"
            )

    def serves(self, op: VectorOp) -> bool:
        """Whether these units execute `op`."""
        return op.kind in self.kinds

    def seconds(self, op: VectorOp) -> float:
        """Seconds [s] of one inference of `op`."""
        return op.elements / self.rate
