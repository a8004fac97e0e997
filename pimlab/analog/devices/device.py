"""What is a memory cell? A conductance range and what programming, time, temperature and reading do
to a conductance in it.

Every part that is None is ideal. All arrays are in siemens, all times in seconds after programming.
"""

from __future__ import annotations

import numpy as np

from pimlab import units
from pimlab.analog.devices.current import CubicCurrent, SteepCurrent
from pimlab.analog.devices.drift import Arrhenius, Drift
from pimlab.analog.devices.programming import Defects, ProgrammingError
from pimlab.analog.devices.read_noise import ReadNoise
from pimlab.analog.devices.selector import SelectedCurrent
from pimlab.analog.draws import normals
from pimlab.analog.non_ideal import NonIdeal, non_idealities, part_fields
from pimlab.analog.physics import numbers
from pimlab.analog.process import History
from pimlab.constants import Constant
from pimlab.keys import Key, as_key
from pimlab.values import Value, integer, part, quantity, unknown

_TICK = 1e-6
"""Seconds in which a cell read by itself is taken to be read once."""


class Device(Value):
    """A memory cell: range, programming error, drift, read noise and the rest; an absent part is
    ideal.

    A subclass may add parts of its own: fields made with `values.part(..., default=None)` whose
    classes derive from `NonIdeal`. `varies`, `causes` and a machine's `with_causes` then know them.
    """

    name: str
    g_min: float = quantity("S", low=0)
    g_max: float = quantity("S", above=0)
    levels: int | None = integer(
        2, default=None, doc="states a cell can be put in; None: any conductance"
    )
    current: CubicCurrent | SteepCurrent | SelectedCurrent | None = part(
        CubicCurrent,
        SteepCurrent,
        SelectedCurrent,
        default=None,
        doc="nonlinear I-V curve; None: I = g V",
    )
    programming: ProgrammingError | None = part(ProgrammingError, default=None)
    defects: Defects | None = part(Defects, default=None)
    drift: Drift | None = part(Drift, default=None)
    temperature: Arrhenius | None = part(Arrhenius, default=None)
    read_noise: ReadNoise | None = part(ReadNoise, default=None)
    bounded: bool = False
    """Whether drifted conductances stay within g_min..g_max (else only above 0 S)."""
    facts: tuple[tuple[str, Constant], ...] = ()
    """What else is published: "write_energy" (J), "write_time" (s), "endurance" (writes),
    "read_voltage" (V), ...
    """
    sources: tuple[str, ...] = ()

    def check(self) -> None:
        """g_min < g_max; every part says whether it varies, and its numbers make sense."""
        if not self.g_min < self.g_max:
            raise ValueError(
                f"Device {self.name} g_min={self.g_min} S is not below g_max={self.g_max} S"
            )
        for name, held in part_fields(self).items():
            if not isinstance(held, NonIdeal):
                raise TypeError(
                    f"Device {self.name} {name}={held!r} does not say whether it varies; allowed: "
                    "parts whose class derives from pimlab.analog.NonIdeal"
                )
            held.check_over(np.linspace(self.g_min, self.g_max, 65), f"Device {self.name}")

    @property
    def parts(self) -> dict[str, NonIdeal]:
        """Field -> the non-ideal part it holds, in the order in which `causes` names them."""
        return non_idealities(self)

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of every publication behind this cell and its facts, sorted."""
        behind = (key for _, one in self.facts for key in one.sources)
        return tuple(sorted({*self.sources, *behind}))

    @property
    def causes(self) -> tuple[str, ...]:
        """What the non-idealities of this cell are called, each once."""
        return tuple(dict.fromkeys(held.cause for held in self.parts.values()))

    @property
    def varies(self) -> bool:
        """Whether any part is random or changes with time; a class that overrides `program` or
        `drifted` is taken to do so.
        """
        own = any(
            getattr(type(self), name) is not getattr(Device, name)
            for name in ("program", "drifted")
        )
        return own or any(held.varies for held in self.parts.values())

    def fact(self, name: str) -> Constant:
        """The published number called `name`; KeyError with the nearest name when this device has
        none. In the unit that the publication states.
        """
        facts = dict(self.facts)
        if name not in facts:
            raise KeyError(f"{self.name}: {unknown('fact', name, facts)}")
        return facts[name]

    def program(self, g_target: np.ndarray, key: int | Key = 0) -> np.ndarray:
        """Conductances after programming `g_target` [S], float64, same shape; one draw a cell.

        Targets go to the nearest of the cell's levels, if it has levels. ValueError for a target
        outside g_min..g_max.
        """
        g, key = self.checked(g_target), as_key(key)
        if self.levels is not None or self.programming is None:
            g = self.nearest_level(g)
        if self.programming is not None:
            g = self.programming.written(g, normals(key.child("programming"), g.shape))
        return (
            g
            if self.defects is None
            else self.defects.applied(g, self.g_min, self.g_max, key.child("defects"))
        )

    def drifted(
        self, g: np.ndarray, at: str | float, key: int | Key = 0, target: np.ndarray | None = None
    ) -> np.ndarray:
        """Conductances `at` seconds (or text) after programming, at the device's temperature,
        without read noise [S], float64.

        g : programmed conductances, S. target : what they were programmed to (default: g itself),
        on which drift depends.
        """
        seconds, g = units.seconds(at), np.asarray(g, float)
        if self.drift is not None:
            key, target = as_key(key), g if target is None else np.asarray(target, float)
            if self.drift.additive and self.programming is not None:
                g = self.programming.before_cut(g, target, key.child("below zero"))
            g = self.drift.after(g, seconds, key.child("drift"), target)
            if self.bounded:
                g = np.clip(g, self.g_min, self.g_max)
        return g if self.temperature is None else g * self.temperature.factor

    def read(self, g: np.ndarray, at: str | float = 0.0, key: int | Key = 0) -> np.ndarray:
        """Conductances seen by one read of programmed cells `g`, `at` seconds [s] (or text) after
        programming; S, float64.

        The same key gives each cell the same drift and the same noise; another key is another set
        of cells. ValueError for a negative conductance or a time before programming.
        """
        g = numbers(g, f"{self.name}: g")
        if not (np.isfinite(g).all() and (g >= 0).all()):
            raise ValueError(
                f"{self.name}: conductances to read must be finite and 0 S or more; smallest is "
                f"{g.min()}"
            )
        now = self.drifted(g, at, key)
        if self.read_noise is None:
            return now
        seconds, noise = units.seconds(at), self.read_noise
        spread = noise.spread(now, seconds, g)
        return noise.seen(now, spread, self._normals(seconds, as_key(key).child("read noise"), g))

    def _normals(self, seconds: float, key: Key, g: np.ndarray) -> np.ndarray:
        """Standard normals of a read at that time, float32: other times see other draws, as far as
        the noise has changed between them.
        """
        assert self.read_noise is not None
        history = History(self.read_noise.parts(seconds, _TICK), key, round(seconds / _TICK))
        z = np.sqrt(history.white) * normals(key.child("white", history.first), g.shape)
        draws = zip(history.amplitudes, history.segments(0), strict=True)
        for index, (amplitude, segment) in enumerate(draws):
            z = z + amplitude * normals(key.child(index, int(segment)), g.shape)
        return z

    def window(self, volts: float) -> float:
        """What a full cell conducts more than an empty one [S], at `volts` (V) through a selector
        where there is one.
        """
        if not isinstance(self.current, SelectedCurrent):
            return self.g_max - self.g_min
        low, high = self.current.current(np.array([self.g_min, self.g_max]), np.array(volts))
        return float(high - low) / volts

    def checked(self, g: np.ndarray) -> np.ndarray:
        """Targets as float64; ValueError naming the first that is outside g_min..g_max (1e-6 of
        g_max is rounding). g : shape (...), S.
        """
        g = numbers(g, f"{self.name}: g_target")
        if g.size and self.g_min <= g.min() and g.max() <= self.g_max:
            return g
        slack = 1e-6 * self.g_max
        outside = ~((g >= self.g_min - slack) & (g <= self.g_max + slack))
        if outside.any():
            bad = g[outside].flat[0]
            raise ValueError(
                f"{self.name}: target {bad} S is outside "
                f"{units.si(self.g_min, 'S')}..{units.si(self.g_max, 'S')}"
            )
        return np.clip(g, self.g_min, self.g_max)

    def nearest_level(self, g: np.ndarray) -> np.ndarray:
        """The level each target goes to: `levels` conductances, evenly spaced; g itself without
        levels. g : float64, shape (...), S; returns the same shape.
        """
        if self.levels is None:
            return g.copy()
        step = (self.g_max - self.g_min) / (self.levels - 1)
        return self.g_min + step * np.rint((g - self.g_min) / step)
