"""How long do stacked DRAMs take for a list of requests? Their channels, bank groups and rows are
found in the bits of each address.

A channel takes its requests from a queue of `queue`: what is in it may be served in any order
(first ready, first served). Where a queue wants one row of a bank, that row is opened while other
banks transfer; where it wants several rows of one bank, each of them costs `row_switch`. Otherwise
the channel's rate and the distance of commands (tCCD) count. furiosa-opt book, "Memory
Performance", "High-Bandwidth Memory" and "DMA Engine", Examples 4 and 5; that queues of `queue`
requests are served one after another is our reading of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pimlab.values import Value, integer, number, quantity


class Place(NamedTuple):
    """Where requests lie: int64 arrays of one shape."""

    channel: np.ndarray
    """Channel of all stacks."""
    group: np.ndarray
    """Bank group within a channel, of all slices."""
    bank: np.ndarray
    """Bank within a channel, of all groups."""
    row: np.ndarray


class Hbm(Value):
    """Stacks of DRAM behind one chip, and how addresses are spread over them."""

    stacks: int = integer(1, 8)
    channels: int = integer(1, 64, doc="a stack")
    beat: int = integer(1, doc="bytes a channel moves in a cycle of its own")
    clock: float = quantity("Hz", above=0, doc="of a channel")
    request: int = integer(1, doc="bytes of a request")
    queue: int = integer(1, doc="requests that a channel may reorder")
    row_switch: float = number(above=0, doc="cycles at 1 GHz to close a row and open another")
    commands: tuple[float, ...] = (2.0, 3.0, 4.0)
    """Least distance of two commands of a channel: in different bank groups, in different slices,
    in one bank group; cycles of `command_clock`."""
    command_clock: float = quantity("Hz", above=0)

    def check(self) -> None:
        """There are three distances of commands, all above 0; ValueError says what there is."""
        given = self.commands
        if len(given) != 3 or not all(math.isfinite(one) and one > 0 for one in given):
            raise ValueError(
                f"Hbm commands={given!r} are not three cycles above 0: of other bank groups, of "
                "other slices, of one bank group"
            )

    @property
    def bandwidth(self) -> float:
        """Of all channels (unit: B/s)."""
        return self.stacks * self.channels * self.beat * self.clock

    def place(self, address: np.ndarray) -> Place:
        """Where byte addresses lie. address : int64, shape (requests,), B.

        Bit 8 is the stack; the channel is bits 9 to 12, each exclusive-or with every fourth bit up
        to 28; bits 13 and 19 the bank group, 17 and 18 the bank, 20 and 34 the slice, 21 up the
        row. Where bit 34 is set (the third slice), bit 20 counts rows.
        """
        a = np.asarray(address, dtype=np.int64)
        folded = (a >> 9) ^ (a >> 13) ^ (a >> 17) ^ (a >> 21) ^ (a >> 25)
        third = (a >> 34) & 1
        low = (a >> 20) & 1
        group = ((a >> 13) & 1) | ((a >> 18) & 2) | (np.where(third, 2, low) << 2)
        high = np.where(third, low, (a >> 35) & 1)
        channel = ((a >> 8) & (self.stacks - 1)) * self.channels + (folded & (self.channels - 1))
        return Place(
            channel, group, (group << 2) | ((a >> 17) & 3), (high << 13) | ((a >> 21) & 8191)
        )

    def nanoseconds(self, address: np.ndarray, weights: np.ndarray | float = 1.0) -> float:
        """Time until the busiest channel has served all requests [ns].

        address : int64, shape (requests,), B, in the order of arrival; weights : float, shape
        (requests,) or one number, transfers that a request needs (2 across a boundary, more for
        partial writes).
        """
        if len(address) == 0:
            return 0.0
        place = self.place(address)
        order = np.argsort(place.channel, kind="stable")
        channel, group, bank, row = (part[order] for part in place)
        first = np.searchsorted(channel, channel)
        window = (
            channel * (len(channel) // self.queue + 1)
            + (np.arange(len(channel)) - first) // self.queue
        )
        load = np.broadcast_to(np.asarray(weights, dtype=float), (len(channel),))[order]
        _, window = np.unique(window, return_inverse=True)
        spent = np.maximum(self._transfers(window, group, load), self._switches(window, bank, row))
        of = np.zeros(len(spent), dtype=np.int64)
        of[window] = channel
        return float(np.bincount(of, weights=spent).max())

    def _transfers(self, window: np.ndarray, group: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Nanoseconds of the commands of each window at their least distance: all of them, and
        those of the busiest bank group.
        """
        near, across, same = self.commands
        slices, groups = int(group.max() >> 2) + 1, int(group.max()) + 1
        count = int(window.max()) + 1
        table = np.bincount(window * groups + group, weights=load, minlength=count * groups)
        table = table.reshape(count, groups)
        padded = np.zeros((count, 4 * slices))
        padded[:, :groups] = table
        split = padded.reshape(count, slices, 4) > 0
        alone = ~(split.sum(axis=2) > 1).any(axis=1) & (split.any(axis=2).sum(axis=1) > 1)
        every = table.sum(axis=1) * np.where(alone, across, near)
        return (
            self.request
            / self.beat
            * np.maximum(every, same * table.max(axis=1))
            / self.command_clock
            * 1e9
        )

    def _switches(self, window: np.ndarray, bank: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Nanoseconds in which the rows of banks that are wanted with several rows are opened."""
        banks, count = int(bank.max()) + 1, int(window.max()) + 1
        wanted = np.unique((window * banks + bank) << 16 | row) >> 16
        rows = np.bincount(wanted, minlength=count * banks).reshape(count, banks)
        return self.row_switch * np.where(rows > 1, rows, 0).sum(axis=1).astype(float)
