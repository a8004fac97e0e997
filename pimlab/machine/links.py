"""What joins two machines, and what does one transfer over it cost? Seconds and joules of a link.

A message of `n` bytes takes `delay + 8 n / bandwidth` seconds: the alpha-beta model of Hockney
(1994), alpha being the delay and beta the time of one bit.
"""

from __future__ import annotations

from pimlab import catalogue
from pimlab.arguments import named
from pimlab.constants import Constant
from pimlab.values import Value, integer, part, quantity

LINK_BIT = "link bit"
"""The event of one bit that crosses a link."""


class Link(Value):
    """What lies between two machines: PCIe, CXL, NVLink, Ethernet, a board trace."""

    name: str
    bandwidth: float = quantity("bit/s", above=0, doc="in one direction")
    delay: float = quantity("s", low=0, doc="time of one transfer before its data")
    bit: Constant = part(Constant, doc="energy of one bit that crosses, both ends counted")
    word: int = integer(1, 64, default=16, doc="bits of one activation")
    sources: tuple[str, ...] = ()
    """Keys of the publications behind bandwidth and delay."""

    def seconds(self, message: float) -> float:
        """Seconds [s] until a message of `message` bytes has crossed: delay + 8 message /
        bandwidth.
        """
        return self.delay + 8 * message / self.bandwidth


@named
def link(name: str) -> Link:
    """The link `name` of catalogue room `links`, such as "pcie5-x16" or "nvlink4"; ValueError with
    the nearest name. Rates in the unit bit/s, delays in s.

    >>> pim.link("pcie5-x16").seconds(1e6) > pim.link("nvlink4").seconds(1e6)
    True
    """
    if not isinstance(name, str):
        raise TypeError(f"link {name!r} is not a name; write for example pimlab.link('pcie5-x16')")
    table = catalogue.entry("links", name)
    with catalogue.naming(table.name):
        return Link(
            name=name,
            bandwidth=table["bandwidth"].value,
            delay=table["delay"].value,
            bit=table["energy.bit"].but(unit="J"),
            sources=tuple(sorted({s for constant in table.values() for s in constant.sources})),
        )


def links() -> tuple[str, ...]:
    """Names that `link` knows."""
    return catalogue.names("links")
