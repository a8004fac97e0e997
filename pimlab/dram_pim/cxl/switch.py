"""How long does a vector take from one CXL device to the next, to all of a group, or from all of
them?

Messages travel in flits; a switch that multicasts sends a flit to all devices of a group at once,
at half the bandwidth of a lane.
"""

from __future__ import annotations

from pimlab.values import Value, integer, quantity


class Switch(Value):
    """A switch of `lanes` lanes in all, dealt out evenly over the devices."""

    lanes: int = integer(1, 2**16, doc="PCIe lanes of the switch")
    lane_bandwidth: float = quantity("bit/s", above=0, doc="of one lane, with multicast")
    delay: float = quantity("s", low=0, doc="ports, links and switch, there and back")
    flit: int = integer(1, 2**16, doc="bytes of one flit")
    payload: int = integer(1, 2**16, doc="bytes of data in one flit")
    word: int = integer(1, 64, default=16, doc="bits of one value")

    def check(self) -> None:
        """A flit has room for its payload."""
        if self.payload > self.flit:
            raise ValueError(f"Switch payload={self.payload} is more than flit={self.flit}")

    def lanes_of(self, devices: int) -> int:
        """Lanes of one of `devices` devices; ValueError where there are fewer than one each."""
        if devices > self.lanes:
            raise ValueError(
                f"Switch lanes={self.lanes} for {devices} devices; allowed: one lane a device or "
                "more"
            )
        return self.lanes // devices

    def _flits(self, values: float) -> int:
        return int(-(-values * self.word // (8 * self.payload)))

    def _seconds(self, flits: int, devices: int) -> float:
        return self.delay + 8 * flits * self.flit / (self.lanes_of(devices) * self.lane_bandwidth)

    def send(self, values: int, devices: int) -> float:
        """Seconds [s] of a vector from one device to another, or to a whole group."""
        return self._seconds(self._flits(values), devices)

    def gather(self, values: int, group: int, devices: int) -> float:
        """Seconds [s] until one device has the parts of a vector of all `group` devices."""
        return self._seconds(self._flits(values / group) * (group - 1), devices)

    def block(self, width: int, hidden: int, group: int, devices: int) -> float:
        """Seconds [s] of the messages of a decoder block over a tensor-parallel group: five
        broadcasts and gathers of the residual stream, one of each of the feed-forward layer.
        """
        return (
            5 * (self.send(width, devices) + self.gather(width, group, devices))
            + self.send(hidden, devices)
            + self.gather(hidden, group, devices)
        )
