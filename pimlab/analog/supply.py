"""What does another supply voltage do to a macro's energy and time? Charge goes as C V^2, delay as
a power of V, within the range that was measured.
"""

from __future__ import annotations

from pimlab import units
from pimlab.constants import Constant
from pimlab.values import Value, quantity


class Supply(Value):
    """The supply at which a macro's prices and times hold, and what follows at another one.

    Energy goes as V^2; where a `threshold` is given, as V - threshold: what a fixed clock makes of
    short-circuit currents and leakage. Time goes as V^-time_exponent.
    """

    voltage: float = quantity("V", above=0, doc="of the prices and times")
    lowest: float = quantity("V", above=0, doc="lowest supply that was measured")
    highest: float = quantity("V", above=0, doc="highest supply that was measured")
    threshold: float | None = quantity(
        "V", low=0, default=None, doc="None: energy goes as the square of the supply"
    )
    time_exponent: float = quantity("", low=0, high=10, default=0.0, doc="0: one clock at any V")

    def check(self) -> None:
        """The stated supply lies in the measured range, and above the threshold."""
        if not self.lowest <= self.voltage <= self.highest:
            raise ValueError(
                f"Supply voltage={self.voltage} V is outside lowest..highest, "
                f"{self.lowest}..{self.highest} V"
            )
        if self.threshold is not None and self.threshold >= self.lowest:
            raise ValueError(
                f"Supply threshold={self.threshold} V; allowed: below lowest={self.lowest} V"
            )

    def checked(self, voltage: str | float) -> float:
        """`voltage` [V]; ValueError for one outside the measured range."""
        volts = units.parse(voltage, "V", "supply")
        if not self.lowest <= volts <= self.highest:
            raise ValueError(
                f"supply={volts:g} V is outside {self.lowest:g}..{self.highest:g} V, the range "
                "that was measured"
            )
        return volts

    def energy_ratio(self, volts: float) -> float:
        """Energy at `volts` over that at `voltage` (unit 1)."""
        if self.threshold is not None:
            return (volts - self.threshold) / (self.voltage - self.threshold)
        return (volts / self.voltage) ** 2

    def time_ratio(self, volts: float) -> float:
        """Time at `volts` over that at `voltage` (unit 1)."""
        return (self.voltage / volts) ** self.time_exponent


def scaled_price(constant: Constant, ratio: float, volts: float) -> Constant:
    """A price at another supply [in the unit of `constant`]: computed, so no longer published."""
    status = "assumed" if constant.status == "assumed" else "derived"
    reason = f"{constant.reason}; " if constant.reason else ""
    return constant.but(
        value=ratio * constant.value,
        low=ratio * constant.low,
        high=ratio * constant.high,
        status=status,
        reason=f"{reason}times {ratio:.4g} at {volts:g} V",
    )
