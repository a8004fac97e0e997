"""What is a memory cell? A conductance range and what programming, time and reading do to a conductance in it.

Every part that is None is ideal. All arrays are in siemens, all times in seconds after programming.
"""

from __future__ import annotations

import numpy as np

from pimlab import units
from pimlab.analog.devices.clipped import moments
from pimlab.analog.devices.curves import CURVES, Curve
from pimlab.analog.draws import normals
from pimlab.keys import Key, as_key
from pimlab.values import Value, part, quantity


class ProgrammingError(Value):
    """Programming leaves g_target + sigma(g_target) z in a cell, z standard normal, cut off at zero.

    `sigma` gives siemens as a function of g / g_reference: the conductance the fit was normalised by.
    """

    sigma: Curve = part(*CURVES)
    g_reference: float = quantity("S", above=0)

    def spread(self, g: np.ndarray) -> np.ndarray:
        """Standard deviation before the cut, S, float64, shape of g."""
        return np.maximum(self.sigma(g / self.g_reference), 0.0)


class PowerLawDrift(Value):
    """g(t) = g (1 + t / t0)^-nu with one exponent a cell, nu = |N(mean(g), sigma(g))|.

    Ielmini et al., IEEE Trans. Electron Devices 54, 308 (2007); spread over cells: Boybat et al. and Nandakumar et al. 2019.
    """

    time: float = quantity("s", above=0)
    mean: Curve = part(*CURVES)
    sigma: Curve | None = part(*CURVES, default=None)
    g_reference: float = quantity("S", above=0)

    def exponent(self, g: np.ndarray, key: Key) -> np.ndarray:
        """nu of every cell, float64, shape of g (the target the cell was programmed to, S)."""
        u = g / self.g_reference
        spread = 0.0 if self.sigma is None else self.sigma(u) * normals(key, g.shape)
        return np.abs(self.mean(u) + spread)

    def after(self, g: np.ndarray, seconds: float, key: Key, target: np.ndarray) -> np.ndarray:
        """Conductance `seconds` after programming, S, float64."""
        return g * (1 + seconds / self.time) ** -self.exponent(target, key)


class FlickerNoise(Value):
    """1/f noise accumulated since programming: sigma = g Q(g) sqrt(ln((t + t0 + t_read) / (2 t_read))).

    Nandakumar et al., ICECS 2019; Joshi et al. 2020, Methods. One draw a cell and read; `strength` is Q of g / g_reference.
    """

    strength: Curve = part(*CURVES)
    read_time: float = quantity("s", above=0)
    start: float = quantity("s", low=0)
    """Age of the cell at time 0 (the drift reference time)."""
    g_reference: float = quantity("S", above=0)

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero, S, float64."""
        age = seconds + self.start
        return g * self.strength(target / self.g_reference) * np.sqrt(np.log(max((age + self.read_time) / (2 * self.read_time), 1.0)))


class GaussianReadNoise(Value):
    """Every read sees g + sigma z, sigma = absolute + relative g; cut off at zero."""

    absolute: float = quantity("S", low=0, default=0.0)
    relative: float = quantity("", low=0, default=0.0)

    def spread(self, g: np.ndarray, seconds: float, target: np.ndarray) -> np.ndarray:
        """Standard deviation of one read before the cut at zero, S, float64."""
        return self.absolute + self.relative * np.asarray(g)


class Device(Value):
    """A memory cell: range, programming error, drift and read noise; an absent part is ideal."""

    name: str
    g_min: float = quantity("S", low=0)
    g_max: float = quantity("S", above=0)
    programming: ProgrammingError | None = part(ProgrammingError, default=None)
    drift: PowerLawDrift | None = part(PowerLawDrift, default=None)
    read_noise: FlickerNoise | GaussianReadNoise | None = part(FlickerNoise, GaussianReadNoise, default=None)
    sources: tuple[str, ...] = ()

    def check(self) -> None:
        """g_min < g_max."""
        if not self.g_min < self.g_max:
            raise ValueError(f"Device {self.name} g_min={self.g_min} S is not below g_max={self.g_max} S")

    def program(self, g_target: np.ndarray, key: int | Key = 0) -> np.ndarray:
        """Conductances after programming `g_target`, S, float64, same shape; one draw a cell.

        ValueError where a target lies outside g_min..g_max.
        """
        g = self.checked(g_target)
        if self.programming is None:
            return g.copy()
        return np.maximum(g + self.programming.spread(g) * normals(as_key(key).child("programming"), g.shape), 0.0)

    def drifted(self, g: np.ndarray, at: str | float, key: int | Key = 0, target: np.ndarray | None = None) -> np.ndarray:
        """Conductances `at` seconds (or text) after programming, without read noise, S, float64.

        g : programmed conductances, S. target : what they were programmed to (default: g itself), on which exponents depend.
        """
        seconds, g = units.seconds(at), np.asarray(g, float)
        if self.drift is None:
            return g
        return self.drift.after(g, seconds, as_key(key).child("drift"), g if target is None else np.asarray(target, float))

    def read_moments(self, g: np.ndarray, at: str | float, target: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Mean and variance (S, S^2) of one read of drifted conductances g, the cut at zero included; variance None: no noise."""
        if self.read_noise is None:
            return g, None
        return moments(g, self.read_noise.spread(g, units.seconds(at), g if target is None else target))

    def read(self, g: np.ndarray, at: str | float = 0.0, key: int | Key = 0) -> np.ndarray:
        """Conductances seen by one read of programmed cells `g`, `at` seconds (or text) after programming; S, float64.

        The same key gives each cell the same drift; `key.child(i)` under "read noise" tells reads apart by `key.row`.
        ValueError for a negative conductance or a time before programming.
        """
        g = np.asarray(g, float)
        if not (np.isfinite(g).all() and (g >= 0).all()):
            raise ValueError(f"{self.name}: conductances to read must be finite and 0 S or more; smallest is {g.min()}")
        now = self.drifted(g, at, key)
        if self.read_noise is None:
            return now
        spread = self.read_noise.spread(now, units.seconds(at), g)
        return np.maximum(now + spread * normals(as_key(key).child("read noise"), g.shape), 0.0)

    def checked(self, g: np.ndarray) -> np.ndarray:
        """Targets as float64; ValueError naming the first that is outside g_min..g_max (1e-6 of g_max is rounding)."""
        g = np.asarray(g, float)
        slack = 1e-6 * self.g_max
        outside = ~((g >= self.g_min - slack) & (g <= self.g_max + slack))
        if outside.any():
            bad = g[outside].flat[0]
            raise ValueError(f"{self.name}: target {bad} S is outside {units.si(self.g_min, 'S')}..{units.si(self.g_max, 'S')}")
        return np.clip(g, self.g_min, self.g_max)
