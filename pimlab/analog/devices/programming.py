"""What does writing a conductance leave in the cell? A spread around the target, and cells that do
not follow at all.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from pimlab.analog.devices.curves import CURVES, Curve, table
from pimlab.analog.draws import uniforms
from pimlab.analog.non_ideal import NonIdeal, check_between
from pimlab.kernels import cells
from pimlab.keys import Key
from pimlab.values import number, part, quantity


class ProgrammingError(NonIdeal):
    """Programming leaves g_target + sigma(g_target) z in a cell, z standard normal, cut off at
    zero.

    `sigma` gives siemens [S] as a function of g / g_reference: the conductance the fit was
    normalised by. Where two readings of the same figure disagree, `other` is the second one (of g /
    other_reference) and `interval` their band.
    """

    cause: ClassVar[str] = "programming"

    sigma: Curve = part(*CURVES)
    g_reference: float = quantity("S", above=0)
    other: Curve | None = part(*CURVES, default=None)
    other_reference: float | None = quantity("S", above=0, default=None)
    floor: float = quantity(
        "S", low=0, default=0.0, doc="targets below it are left erased: at 0 S, without error"
    )

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Standard deviations are within 0..g_max."""
        for curve, reference in (
            (self.sigma, self.g_reference),
            (self.other, self.other_reference),
        ):
            if curve is not None and reference is not None:
                check_between(owner, "programming sigma", curve(g / reference), 0.0, g[-1], "S")

    def spread(self, g: np.ndarray) -> np.ndarray:
        """Standard deviation before the cut [S], float64, shape of g."""
        g = np.asarray(g)
        spread = np.maximum(self.sigma(g / self.g_reference), 0.0)
        return np.where(g < self.floor, 0.0, spread) if self.floor else spread

    def written(self, g: np.ndarray, z: np.ndarray) -> np.ndarray:
        """What standard normals `z` (float32, shape of g) leave in cells whose targets are `g`
        [S], float64, shape (...) of g.
        """
        sigma = table(self.sigma)
        if sigma is None:
            g = self.erased(g)
            return np.maximum(g + self.spread(g) * z, 0.0)
        g = np.ascontiguousarray(g, np.float64)
        out = np.empty_like(g)
        cells.programmed(g.ravel(), z.ravel(), self.g_reference, sigma, self.floor, out.ravel())
        return out

    def erased(self, g: np.ndarray) -> np.ndarray:
        """Targets [S] with those below `floor` at 0 S, float64, shape (...) of g."""
        return np.where(g < self.floor, 0.0, g) if self.floor else g

    def before_cut(self, g: np.ndarray, target: np.ndarray, key: Key) -> np.ndarray:
        """g [S] with what the cut at zero took from cells at exactly 0 S given back: a draw of
        target + sigma z below zero, S, float64.

        The joint distribution is that of a draw that was never cut. A cell whose target is 0 S and
        whose sigma is 0 stays at 0 S.
        """
        cut = g == 0
        if not cut.any():
            return g
        aim = np.broadcast_to(target, g.shape)[cut]
        sigma = np.maximum(self.spread(aim), 1e-300)
        share = 1.0 - uniforms(key, g.shape)[cut].astype(np.float64)  # within 0..1, without 0
        tail = ndtri(share * ndtr(-aim / sigma))
        whole = np.array(g, float)
        whole[cut] = np.where(np.isfinite(tail), np.minimum(aim + sigma * tail, 0.0), 0.0)
        return whole

    def interval(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smaller and larger of the two readings' standard deviations [S]; equal where there is
        only one.
        """
        first = self.spread(g)
        if self.other is None or self.other_reference is None:
            return first, first
        second = np.maximum(self.other(np.asarray(g) / self.other_reference), 0.0)
        return np.minimum(first, second), np.maximum(first, second)


class Defects(NonIdeal):
    """Cells that stay where they are, whatever is written: a share at the lower end of the range, a
    share at the upper.
    """

    stuck_low: float = number(low=0, high=1, default=0.0)
    stuck_high: float = number(low=0, high=1, default=0.0)

    def check(self) -> None:
        """The shares are of the same cells."""
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(
                f"Defects stuck_low={self.stuck_low} and stuck_high={self.stuck_high} add to more "
                "than 1"
            )

    def applied(self, g: np.ndarray, low: float, high: float, key: Key) -> np.ndarray:
        """g with the stuck cells at `low` or `high` [S]; which cells those are follows from
        `key`.
        """
        drawn = uniforms(key, g.shape)
        return np.where(
            drawn < self.stuck_low, low, np.where(drawn >= 1 - self.stuck_high, high, g)
        )
