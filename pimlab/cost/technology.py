"""What would an operation measured at one CMOS node cost at another? Stillmaker and Baas' energy
polynomials.

A. Stillmaker and B. Baas, Integration 58 (2017) 74-81: E(node, V) = a2 V^2 + a1 V + a0 in an
arbitrary unit, fitted to simulated gates from 180 to 7 nm; here 130 to 7 nm. Between two nodes log
E is interpolated in log node. Below 7 nm the slope from 10 to 7 nm is continued, and the result
counts as assumed.
"""

from __future__ import annotations

import math
from functools import lru_cache

from pimlab import catalogue
from pimlab.constants import Constant, assumed, derive

_ENTRY = ("technology", "stillmaker-baas")
_SUPPLY = (0.5, 1.5)
"""Supply voltages in V between which the polynomials are published."""


@lru_cache(maxsize=1)
def nodes() -> tuple[float, ...]:
    """The nodes with a published polynomial, in nm, ascending. Unit: nm."""
    return tuple(
        sorted({float(name.split(".")[0].removeprefix("nm")) for name in catalogue.entry(*_ENTRY)})
    )


@lru_cache(maxsize=4096)
def relative_energy(node: float, voltage: float) -> float:
    """Energy of one operation at `node` (nm) and supply `voltage` (V), in the polynomials'
    arbitrary unit.

    ValueError outside 2..130 nm and 0.5..1.5 V, where the polynomials say nothing.
    """
    if not 2 <= node <= nodes()[-1]:
        raise ValueError(
            f"node={node:g} nm is outside 2..{nodes()[-1]:g} nm, where the scaling is published "
            f"(below {nodes()[0]:g}: continued)"
        )
    if not _SUPPLY[0] <= voltage <= _SUPPLY[1]:
        raise ValueError(
            f"voltage={voltage:g} V is outside {_SUPPLY[0]:g}..{_SUPPLY[1]:g} V, where the scaling "
            "polynomials hold"
        )
    below = max([n for n in nodes()[:-1] if n <= node], default=nodes()[0])
    above = nodes()[nodes().index(below) + 1]
    slope = math.log(_polynomial(above, voltage) / _polynomial(below, voltage)) / math.log(
        above / below
    )
    return _polynomial(below, voltage) * (node / below) ** slope


def scaled(
    constant: Constant,
    *,
    from_node: float,
    from_voltage: float,
    node: float,
    voltage: float,
    spread: float = 0.1,
) -> Constant:
    """`constant` [J], measured at `from_node` nm and `from_voltage` V, at `node` nm and `voltage`
    V.

    The interval spans `voltage` -+ `spread` (V), as far as the polynomials hold: the supply of a
    product is seldom published. Derived, or assumed where `node` lies below the last published
    polynomial. ValueError outside 2..130 nm and 0.5..1.5 V.
    """
    base = relative_energy(from_node, from_voltage)
    ratio = _ratio(node, voltage, spread, base)
    reason = (
        f"{from_node:g} nm, {from_voltage:g} V to {node:g} nm, {voltage:g} V by Stillmaker "
        f"and Baas, supply -+ {spread:g} V"
    )
    return derive(
        constant.name, lambda c, r: c * r, constant, ratio, unit=constant.unit, reason=reason
    )


def _ratio(node: float, voltage: float, spread: float, base: float) -> Constant:
    nominal = relative_energy(node, voltage) / base
    supplies = (max(_SUPPLY[0], voltage - spread), min(_SUPPLY[1], voltage + spread))
    ends = [nominal, *(relative_energy(node, supply) / base for supply in supplies)]
    low, high = min(ends), max(ends)
    if node < nodes()[0]:
        return assumed(
            "technology ratio",
            nominal,
            "",
            f"no polynomial below {nodes()[0]:g} nm: the slope from 10 to 7 nm continued",
            low,
            high,
        )
    return Constant(
        name="technology ratio",
        value=nominal,
        low=low,
        high=high,
        unit="",
        printed=f"{nominal:.4g}",
        status="derived",
        sources=("stillmaker2017", "hwcomponents"),
        where="energy polynomials",
        reason="ratio of two energies",
    )


def _polynomial(node: float, voltage: float) -> float:
    a2, a1, a0 = catalogue.entry(*_ENTRY).row(f"nm{node:g}")
    return a2 * voltage**2 + a1 * voltage + a0
