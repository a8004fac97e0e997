"""How far apart are two reads of the same cell? 1/f, Gaussian and telegraph noise, all cut at zero
conductance.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from pimlab.analog.devices import clipped
from pimlab.analog.devices.curves import CURVES, Curve, table
from pimlab.analog.non_ideal import NonIdeal, check_between
from pimlab.analog.process import FOREVER, Part, spectrum
from pimlab.kernels import cells
from pimlab.values import choice, number, part, quantity

Cumulants = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class ReadNoise(NonIdeal):
    """How reads of one cell differ: one standard normal a cell and read, scaled by `spread` and cut
    at zero. A user's own noise derives from this class.
    """

    cause: ClassVar[str] = "read noise"
    flip: ClassVar[float] = np.inf
    """Telegraph noise: standard normals above this take a cell to its lower level; inf: Gaussian
    noise.
    """

    @property
    def ends(self) -> tuple[float, float]:
        """Conductances at which a read is cut, S: 0 and inf, unless a class says otherwise [S]."""
        return 0.0, np.inf

    @property
    def lasts(self) -> bool:
        """Whether some of the noise stays from one read to the next."""
        return False

    def parts(self, age: float, interval: float) -> tuple[Part, ...]:
        """(hold in reads, share of the variance) of the noise that stays from read to read, of
        cells `age` seconds [s] old that are read every `interval` seconds; the rest of the variance
        is drawn anew in every read.
        """
        return ()

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero [S], float64."""
        raise NotImplementedError

    def moments(self, g: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of one read, the cut included, S and S^2, float64. Both of the
        shape (...) of g.
        """
        return clipped.bounded_moments(g, sigma, *self.ends)

    def cumulants(self, g: np.ndarray, sigma: np.ndarray) -> Cumulants:
        """The first four cumulants of one read, the cut included, S to S^4, float64. Shape (...) of
        g.
        """
        return clipped.bounded_cumulants(g, sigma, *self.ends)

    def seen(self, g: np.ndarray, sigma: np.ndarray, z: np.ndarray) -> np.ndarray:
        """One read, with standard normals z [S], float64."""
        return np.clip(g + sigma * z, *self.ends)


class _OneOverF(ReadNoise):
    """1/f noise: how it goes on in time. A subclass says how large it is.

    process : "spectrum", as its 1/f spectrum says (`process.spectrum`): reads that follow each
    other share most of it, and an average over reads keeps it; "frozen", one draw for all reads at
    a time, as aihwkit draws it; "white", one in every read, as CrossSim draws it.
    """

    read_time: float = quantity("s", above=0)
    process: str = choice("spectrum", "frozen", "white", default="spectrum")

    @property
    def lasts(self) -> bool:
        """Whether some of the noise stays from one read to the next."""
        return self.process != "white"

    def parts(self, age: float, interval: float) -> tuple[Part, ...]:
        """See `ReadNoise.parts`."""
        if self.process == "spectrum":
            return spectrum(self._since(age), self.read_time, interval)
        return ((FOREVER, 1.0),) if self.process == "frozen" else ()

    def _since(self, age: float) -> float:
        """Seconds [s] over which noise has accumulated."""
        return age


class FlickerNoise(_OneOverF):
    """1/f noise accumulated since programming: sigma = g Q sqrt(ln((t + t0 + t_read) / (2
    t_read))).

    Nandakumar et al., ICECS 2019; Joshi et al. 2020, Methods. `strength` is Q of target /
    g_reference.
    """

    strength: Curve = part(*CURVES)
    start: float = quantity("s", low=0)
    """Age of the cell at time 0 (the drift reference time)."""
    g_reference: float = quantity("S", above=0)

    def _since(self, age: float) -> float:
        return age + self.start

    def growth(self, seconds: float) -> float:
        """sqrt(ln((t + t0 + t_read) / (2 t_read))) (unit 1), 0 where that is none."""
        age = seconds + self.start
        return float(np.sqrt(np.log(max((age + self.read_time) / (2 * self.read_time), 1.0))))

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Strengths are within 0..1: the largest in print is 0.2."""
        check_between(owner, "1/f strength", self.strength(g / self.g_reference), 0.0, 1.0)

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero [S], float64."""
        growth, strength = self.growth(seconds), table(self.strength)
        if strength is None:
            return g * self.strength(target / self.g_reference) * growth
        g = np.ascontiguousarray(g, np.float64)
        aims = np.ascontiguousarray(np.broadcast_to(target, g.shape), np.float64)
        out = np.empty_like(g)
        cells.flicker(g.ravel(), aims.ravel(), self.g_reference, strength, growth, out.ravel())
        return out


class LogFlickerNoise(_OneOverF):
    """sigma = factor log10(g / 1 uS) sqrt(ln((t + t_read) / (2 t_read))), zero below 1 uS and at
    time 0; conductances are cut at `low` and `high`.
    """

    factor: float = quantity("S", low=0)
    low: float = quantity("S", low=0, default=0.0)
    high: float | None = quantity("S", above=0, default=None, doc="None: no upper end")

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """The factor is within 0..g_max."""
        check_between(owner, "1/f factor", np.array([self.factor]), 0.0, g[-1], "S")

    @property
    def ends(self) -> tuple[float, float]:
        """Conductances at which a read is cut [S]."""
        return self.low, np.inf if self.high is None else self.high

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero [S], float64."""
        growth = np.sqrt(np.log(max((seconds + self.read_time) / (2 * self.read_time), 1.0)))
        return self.factor * np.log10(np.maximum(np.asarray(g) * 1e6, 1.0)) * growth


class CurveReadNoise(ReadNoise):
    """sigma is a curve of g / g_reference, in siemens, the same at any time."""

    sigma: Curve = part(*CURVES)
    g_reference: float = quantity("S", above=0)

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Standard deviations are within 0..g_max."""
        check_between(owner, "read sigma", self.sigma(g / self.g_reference), 0.0, g[-1], "S")

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero [S], float64."""
        return np.maximum(self.sigma(np.asarray(g) / self.g_reference), 0.0)


class GaussianReadNoise(ReadNoise):
    """Every read sees g + sigma z, sigma = absolute + relative g; cut off at zero."""

    absolute: float = quantity("S", low=0, default=0.0)
    relative: float = quantity("", low=0, default=0.0)

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Standard deviations are within 0..g_max."""
        check_between(owner, "read sigma", self.absolute + self.relative * g, 0.0, g[-1], "S")

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero [S], float64."""
        return self.absolute + self.relative * np.asarray(g)


class TelegraphNoise(ReadNoise):
    """A read finds the cell at g, or, with probability `share`, at g (1 - depth): random telegraph
    noise, two levels.
    """

    depth: float = number(low=0, high=1)
    share: float = number(above=0, high=0.999)
    dwell: float | None = quantity(
        "s", above=0, default=None, doc="time a cell stays in a state; None: less than a read"
    )

    @property
    def lasts(self) -> bool:
        """Whether some of the noise stays from one read to the next."""
        return self.dwell is not None

    def parts(self, age: float, interval: float) -> tuple[Part, ...]:
        """See `ReadNoise.parts`."""
        return () if self.dwell is None else ((max(round(self.dwell / interval), 1), 1.0),)

    @property
    def flip(self) -> float:  # type: ignore[override]
        """Standard normals above this find the cell low (unit: standard deviations)."""
        return float(ndtri(1 - self.share))

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Height of the step [S], float64."""
        return self.depth * np.asarray(g)

    def moments(self, g: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of one read, S and S^2, float64. Both of the shape (...) of g."""
        return g - self.share * step, self.share * (1 - self.share) * np.square(step)

    def cumulants(self, g: np.ndarray, step: np.ndarray) -> Cumulants:
        """The first four cumulants of one read: those of a Bernoulli variable, S to S^4,
        float64. Shape (...) of g.
        """
        variance = self.share * (1 - self.share)
        return (
            *self.moments(g, step),
            -variance * (1 - 2 * self.share) * step**3,
            variance * (1 - 6 * variance) * step**4,
        )

    def seen(self, g: np.ndarray, step: np.ndarray, z: np.ndarray) -> np.ndarray:
        """One read, with standard normals z [S], float64."""
        return g - step * (z > self.flip)
