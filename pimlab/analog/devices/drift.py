"""How does a conductance change after programming? Power-law drift, relaxation, leaking charge, and
temperature.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pimlab.analog.devices.curves import CURVES, FLAT, Curve, table
from pimlab.analog.draws import normals
from pimlab.analog.non_ideal import NonIdeal, check_between
from pimlab.analog.physics import BOLTZMANN
from pimlab.kernels import cells
from pimlab.keys import Key
from pimlab.values import choice, part, quantity


class Drift(NonIdeal):
    """How conductances change between programming and a read; a user's own law derives from this
    class.
    """

    cause: ClassVar[str] = "drift"
    additive: ClassVar[bool] = False
    """Whether a random amount is added to the conductance, so that a cell that programming left at
    0 S can rise again (`Device.drifted` then gives it the negative value that it was cut from).
    """

    def after(self, g: np.ndarray, seconds: float, key: Key, target: np.ndarray) -> np.ndarray:
        """Conductance `seconds` after programming [S], float64, of cells programmed to `target`
        that stand at `g`, S.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how cells drift")


class PowerLawDrift(Drift):
    """g(t) = g (1 + t / t0)^-nu with one exponent a cell, nu = |N(mean(g), sigma(g))|.

    Ielmini et al., IEEE Trans. Electron Devices 54, 308 (2007); spread over cells: Nandakumar et
    al., ICECS 2019.
    """

    time: float = quantity("s", above=0)
    mean: Curve = part(*CURVES)
    sigma: Curve | None = part(*CURVES, default=None)
    g_reference: float = quantity("S", above=0)

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Exponents and their standard deviations are within 0..1: the largest in print is 0.13."""
        u = g / self.g_reference
        check_between(owner, "drift exponent", self.mean(u), 0.0, 1.0)
        if self.sigma is not None:
            check_between(owner, "spread of the drift exponent", self.sigma(u), 0.0, 1.0)

    def log_age(self, seconds: float) -> float:
        """ln(1 + t / t0) (unit 1)."""
        return float(np.log1p(seconds / self.time))

    def exponent(self, g: np.ndarray, key: Key) -> np.ndarray:
        """nu of every cell, float64, shape of g (the target the cell was programmed to, S). Unit 1,
        shape (...) of g.
        """
        u = g / self.g_reference
        spread = 0.0 if self.sigma is None else self.sigma(u) * normals(key, g.shape)
        return np.abs(self.mean(u) + spread)

    def after(self, g: np.ndarray, seconds: float, key: Key, target: np.ndarray) -> np.ndarray:
        """Conductance `seconds` after programming [S], float64."""
        if seconds == 0:
            return g
        age, mean, sigma = self.log_age(seconds), table(self.mean), table(self.sigma or FLAT)
        if mean is None or sigma is None:
            return g * np.exp(self.exponent(target, key) * -age)
        g, target = (np.ascontiguousarray(one, np.float64) for one in (g, target))
        z = np.zeros(g.shape, np.float32) if self.sigma is None else normals(key, g.shape)
        out = np.empty_like(g)
        cells.drifted(
            g.ravel(), target.ravel(), z.ravel(), self.g_reference, mean, sigma, age, out.ravel()
        )
        return out


class Relaxation(Drift):
    """The spread around the target grows and its centre moves: measured at some times, interpolated
    between them.

    `spreads` (and `shifts`) give siemens [S] of target / g_reference at `times`, the first being
    programming itself. A cell gets one draw for good, whose weight sqrt(sigma(t)^2 - sigma(0)^2)
    makes the spread around the target the measured one. Interpolation is linear in t or in ln t
    (`scale`); after the last time its values hold, for want of any later ones.
    """

    additive: ClassVar[bool] = True

    times: tuple[float, ...]
    spreads: tuple[Curve, ...]
    shifts: tuple[Curve, ...] = ()
    scale: str = choice("linear", "log", default="linear")
    g_reference: float = quantity("S", above=0)

    def check(self) -> None:
        """Times ascend; one spread (and one shift, if any) a time; ln t needs times above zero."""
        if (
            len(self.times) < 2
            or list(self.times) != sorted(set(self.times))
            or len(self.spreads) != len(self.times)
        ):
            raise ValueError(
                f"Relaxation times={self.times} with {len(self.spreads)} spreads: needs 2 "
                "ascending times or more, one spread each"
            )
        if self.shifts and len(self.shifts) != len(self.times):
            raise ValueError(
                f"Relaxation has {len(self.shifts)} shifts for {len(self.times)} times"
            )
        if self.scale == "log" and self.times[0] <= 0:
            raise ValueError(
                f"Relaxation scale='log' cannot start at {self.times[0]} s; allowed: above 0"
            )

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Spreads are within 0..g_max and never below the first one."""
        first = self.spreads[0](g / self.g_reference)
        for time, curve in zip(self.times, self.spreads, strict=True):
            now = curve(g / self.g_reference)
            check_between(owner, f"spread at {time:g} s", now, 0.0, g[-1], "S")
            if (now < first * (1 - 1e-9)).any():
                worst = int(np.argmin(now / np.maximum(first, 1e-300)))
                raise ValueError(
                    f"{owner}: Relaxation spread shrinks from {first[worst]:.3g} S at "
                    f"{self.times[0]:g} s to {now[worst]:.3g} S at {time:g} s; allowed: at least "
                    "the first one, what was drawn once stays"
                )

    def spread(self, target: np.ndarray, seconds: float) -> np.ndarray:
        """Standard deviation around the target at that time, before the cut at zero [S],
        float64.
        """
        return np.maximum(self._at(self.spreads, target, seconds), 0.0)

    def shift(self, target: np.ndarray, seconds: float) -> np.ndarray:
        """How far the centre has moved by that time [S], float64."""
        return self._at(self.shifts, target, seconds) if self.shifts else np.zeros(np.shape(target))

    def _at(self, curves: tuple[Curve, ...], target: np.ndarray, seconds: float) -> np.ndarray:
        axis = np.log(self.times) if self.scale == "log" else np.array(self.times)
        now = np.clip(
            np.log(max(seconds, self.times[0])) if self.scale == "log" else seconds,
            axis[0],
            axis[-1],
        )
        right = int(np.clip(np.searchsorted(axis, now), 1, len(axis) - 1))
        share = (now - axis[right - 1]) / (axis[right] - axis[right - 1])
        u = np.asarray(target) / self.g_reference
        return (1 - share) * curves[right - 1](u) + share * curves[right](u)

    def after(self, g: np.ndarray, seconds: float, key: Key, target: np.ndarray) -> np.ndarray:
        """Conductance `seconds` after programming, cut at zero [S], float64."""
        first = self.spread(target, self.times[0])
        grown = np.sqrt(np.maximum(self.spread(target, seconds) ** 2 - first**2, 0.0))
        return np.maximum(g + self.shift(target, seconds) + grown * normals(key, g.shape), 0.0)


class LogRelaxation(Drift):
    """The centre moves by `shift_rate` ln t and each cell by (`spread_rate` ln t + `spread`) z, t
    in seconds, from 1 s on.
    """

    additive: ClassVar[bool] = True

    shift_rate: float = quantity("S")
    spread_rate: float = quantity("S", low=0)
    spread: float = quantity("S", low=0)

    def after(self, g: np.ndarray, seconds: float, key: Key, target: np.ndarray) -> np.ndarray:
        """Conductance `seconds` after programming, cut at zero [S], float64; unchanged before 1 s,
        where nothing was measured.
        """
        if seconds < 1:
            return g
        age = np.log(seconds)
        return np.maximum(
            g
            + self.shift_rate * age
            + (self.spread_rate * age + self.spread) * normals(key, g.shape),
            0.0,
        )


class Leak(Drift):
    """Charge leaks away: g(t) = rest + (g - rest) exp(-t / time), the same in every cell; what a
    capacitor cell does.
    """

    time: float = quantity("s", above=0)
    rest: float = quantity("S", low=0, default=0.0)
    """Conductance of a cell without charge."""

    def after(self, g: np.ndarray, seconds: float, key: Key, target: np.ndarray) -> np.ndarray:
        """Conductance `seconds` after programming [S], float64."""
        return self.rest + (g - self.rest) * np.exp(-seconds / self.time)


class Arrhenius(NonIdeal):
    """Thermally activated conduction: g(T) = g exp(-E / k (1/T - 1/T0))."""

    cause: ClassVar[str] = "temperature"

    energy: float = quantity("J", low=0)
    """Activation energy; text such as "0.2 eV"."""
    temperature: float = quantity("K", above=0)
    reference: float = quantity("K", above=0, default=300.0)
    """Temperature at which the conductances were programmed and the fits taken."""

    @property
    def factor(self) -> float:
        """g(T) / g(T0) (unit 1)."""
        return float(np.exp(-self.energy / BOLTZMANN * (1 / self.temperature - 1 / self.reference)))

    @property
    def varies(self) -> bool:
        """One factor for every cell, key and time."""
        return False
