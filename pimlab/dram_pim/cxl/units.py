"""What do the units beside the memory controllers compute, and how long do they take?

CENT puts accumulators, exponentiation, reduction trees and small cores into the CXL controller:
softmax, rotary angles and the root of a norm are theirs. Their vectors come through one buffer that
all channels share, so a pass over the channels is charged an access each.
"""

from __future__ import annotations

from pimlab.values import Value, integer, quantity


class NearUnits(Value):
    """Vector units of `lanes` values for each channel, and `cores` scalar cores, behind one shared
    buffer.
    """

    clock: float = quantity("Hz", above=0, doc="of units and cores")
    lanes: int = integer(1, 4096, doc="values of one vector")
    exponential: int = integer(1, 4096, doc="cycles of one vector's exponentials")
    cores: int = integer(1, 1024, doc="scalar cores")
    root: int = integer(1, 2**20, doc="cycles of a core for one reciprocal root")
    rotation: int = integer(1, 2**20, doc="cycles of a core for the angle of one feature")
    reciprocal: int = integer(1, 2**20, doc="cycles of a core for the reciprocal of one sum")

    def norms(self, width: int, channels: int) -> float:
        """Seconds [s] of the two norms of a block: sums of the channels' partial sums of squares,
        one reduction, one reciprocal root.
        """
        addition = 2 * channels + 2
        cycles = width / self.lanes**2 / channels * addition + 3 + self.root
        return 2 * cycles / self.clock

    def softmax(self, context: int, heads: int, channels: int) -> float:
        """Seconds [s] of the exponentials of `heads` rows of `context` scores, their sums and the
        reciprocals.
        """
        vectors = context * heads / self.lanes / channels
        passes = (channels + self.exponential + 1) + (2 * channels + 2)
        each = 1 + self.lanes + self.reciprocal / self.cores + 1
        return (vectors * passes + heads * each) / self.clock

    def rotary(self, width: int, kv_width: int) -> float:
        """Seconds [s] of the angles of queries and keys."""
        return (width + kv_width) * self.rotation / self.cores / self.clock

    def block(self, width: int, kv_width: int, heads: int, context: int, channels: int) -> float:
        """Seconds [s] of all that a decoder block asks of them, one after another."""
        return (
            self.norms(width, channels)
            + self.softmax(context, heads, channels)
            + self.rotary(width, kv_width)
        )

    def events(self, width: int, kv_width: int, heads: int, context: int) -> dict[str, float]:
        """Accesses of the shared buffer, instructions, cycles of the cores and vector operations of
        one block (unit: events).
        """
        squares = 2 * (width / self.lanes**2 + 2)
        scores = context * heads / self.lanes
        turned = (width + kv_width) / self.lanes
        cycles = 2 * self.root + heads * (self.lanes + self.reciprocal + 1)
        return {
            "shared buffer read": 2 * squares + 3 * scores + 2 * heads + turned,
            "shared buffer write": squares + 2 * scores + 2 * heads + 2 * turned,
            "instruction": squares + 2 * scores + 2 * heads + width + kv_width,
            "core cycle": cycles + (width + kv_width) * self.rotation / self.cores,
            "reduction": 2 + heads,
            "exponential": scores,
            "vector addition": 2 * width / self.lanes**2 + scores,
        }
