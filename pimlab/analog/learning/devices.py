"""What does one pulse do to a cell? A step that depends on the state, differs from cell to cell and
from pulse to pulse.

States are in units of a weight: a catalogue file says which range the publication scaled to. The
formulas are those of aihwkit's documentation (Rasch et al., arXiv:2104.02184), from which the
presets are read. `steps` has the laws of the step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pimlab import catalogue
from pimlab.analog.draws import normals
from pimlab.analog.learning.steps import (
    LAWS,
    ExponentialStep,
    LinearStep,
    PiecewiseStep,
    PowerStep,
    Step,
    one_direction,
)
from pimlab.arguments import named
from pimlab.catalogue import Entry
from pimlab.constants import Constant
from pimlab.keys import Key
from pimlab.values import Value, choice, number, part, unknown

FACTS = ("write_energy", "write_time", "endurance")


class UpdateDevice(Value):
    """A cell that learns by pulses. Spreads are relative standard deviations over cells, `cycle`
    one over pulses.
    """

    name: str
    dw_min: float = number(above=0, doc="mean step of one pulse at state 0")
    w_min: float = number(high=0, doc="lowest state, mean over cells")
    w_max: float = number(above=0, doc="highest state, mean over cells")
    step: Step = part(LinearStep, ExponentialStep, PowerStep, PiecewiseStep, default=LinearStep())
    up_down: float = number(
        low=-1,
        high=1,
        default=0.0,
        doc="above 0, downward steps are smaller by this share; below 0, upward ones",
    )
    up_down_spread: float = number(low=0, default=0.0)
    dw_min_spread: float = number(low=0, default=0.0)
    dw_min_law: str = choice("normal", "log-normal", default="normal")
    w_min_spread: float = number(low=0, default=0.0)
    w_max_spread: float = number(low=0, default=0.0)
    cycle: float = number(
        low=0, default=0.0, doc="spread of a step from pulse to pulse, relative to it"
    )
    cycle_of: str = choice(
        "step",
        "dw_min",
        default="step",
        doc="what `cycle` is relative to: the step at this state, or at state 0",
    )
    cycle_add: float = number(
        low=0,
        default=0.0,
        doc="added to a step's size before `cycle` multiplies it, in units of a weight",
    )
    cycle_slope: float = number(
        low=0, default=0.0, doc="added likewise, times the magnitude of the state"
    )
    write_noise: float = number(
        low=0, default=0.0, doc="what a read sees beside the state, drawn at each write, in dw_min"
    )
    one_sided: bool = False
    """Whether pulses only raise the state: a weight is then the difference of two cells, reset when
    one is full.
    """
    reset: float = number(low=0, default=0.0, doc="state after a reset, mean")
    reset_spread: float = number(
        low=0, default=0.0, doc="standard deviation of the state after a reset"
    )
    facts: tuple[tuple[str, Constant], ...] = ()
    """What is published of "write_energy" (J a pulse), "write_time" (s a pulse) and "endurance"
    (pulses).
    """
    sources: tuple[str, ...] = ()

    def check(self) -> None:
        """A two-sided cell can go below 0, and a range holds two steps or more."""
        if self.w_min == 0 and not self.one_sided:
            raise ValueError(
                f"UpdateDevice {self.name} w_min=0 but one_sided=False: such a cell holds no "
                "negative weight"
            )
        if 2 * self.dw_min > self.w_max - self.w_min:
            raise ValueError(
                f"UpdateDevice {self.name} dw_min={self.dw_min} is more than half of the range "
                f"{self.w_min}..{self.w_max}"
            )

    @property
    def states(self) -> float:
        """Steps from one bound to the other at the step of state 0: the publications' "number of
        states" (unit: steps).
        """
        return (self.w_max - self.w_min) / self.dw_min

    @property
    def granularity(self) -> float:
        """Mean step of an upward and a downward pulse at state 0; of a one-sided cell the upward
        one in the middle of its range. In the unit of the state.
        """
        if isinstance(self.step, LinearStep):
            return self.dw_min
        at = self.w_max / 2 if self.one_sided else 0.0
        sizes = self.step.sizes(at, self.w_min, self.w_max)
        up, down = (size * (1 + bias) for size, bias in zip(sizes, self.biases, strict=True))
        return self.dw_min * (up if self.one_sided else (up + down) / 2)

    @property
    def biases(self) -> tuple[float, float]:
        """Relative change of upward and of downward steps that `up_down` makes (unit 1)."""
        return one_direction(self.up_down)

    @property
    def noise(self) -> np.ndarray:
        """float32, shape (5,), as `kernels.pulses.pulse` takes it."""
        of_step = self.cycle_of == "step"
        return np.array(
            [
                self.cycle if of_step else 0,
                0 if of_step else self.cycle,
                self.write_noise * self.dw_min,
                self.cycle * self.cycle_add,
                self.cycle * self.cycle_slope,
            ],
            np.float32,
        )

    def cells(self, shape: tuple[int, int], key: Key) -> np.ndarray:
        """float32, shape (6, k, n) of new cells: dw up, dw down, lowest, highest state, and what
        the law of the step takes up and down.
        """

        def drawn(cause: str, spread: float) -> np.ndarray:
            return (
                spread * normals(key.child(cause), shape) if spread else np.zeros(shape, np.float32)
            )

        size = drawn("step", self.dw_min_spread)
        spread = drawn("up-down", self.up_down_spread)
        bias = np.stack([spread, -spread]) + np.reshape(self.biases, (2, 1, 1))
        gain = np.exp(size) if self.dw_min_law == "log-normal" else 1 + size
        factors = gain + bias
        low = self.w_min * np.abs(1 + drawn("lowest", self.w_min_spread))
        high = self.w_max * np.abs(1 + drawn("highest", self.w_max_spread))
        shapes = self.step.shapes((self.w_min, self.w_max), low, high, drawn)
        return np.stack([*(self.dw_min * np.abs(factors)), low, high, *shapes]).astype(np.float32)


@named
def update_device(name: str | Path) -> UpdateDevice:
    """The cell of the catalogue's `updates` called `name`, or of a user's own TOML file (a path
    ending in .toml).

    ValueError with the nearest name when there is none.
    """
    if str(name).endswith(".toml"):
        return build(Path(name).stem, catalogue.load(name))
    return build(str(name), catalogue.entry("updates", str(name)))


def update_device_names() -> tuple[str, ...]:
    """Names of the cells in the catalogue."""
    return catalogue.names("updates")


def build(name: str, entry: Entry) -> UpdateDevice:
    """The cell of a catalogue entry: `model` names the law of its step; what a file does not give
    is ideal. ValueError for a law that there is not.
    """
    plain: dict[str, Any] = {one: entry[one].value for one in UpdateDevice.fields() if one in entry}
    texts: dict[str, Any] = {
        one: entry.meta[one] for one in ("dw_min_law", "cycle_of") if one in entry.meta
    }
    papers = {paper.strip() for paper in entry.meta.get("paper", "").split(",") if paper.strip()}
    return UpdateDevice(
        name=name,
        step=_step(name, entry),
        one_sided=entry.meta.get("one_sided") == "yes",
        **plain,
        **texts,
        facts=tuple((fact, entry[fact]) for fact in FACTS if fact in entry),
        sources=tuple(
            sorted(papers | {source for constant in entry.values() for source in constant.sources})
        ),
    )


def _step(name: str, entry: Entry) -> Step:
    """The law of the step that a file describes."""
    model = entry.meta.get("model", "linear")
    if model not in LAWS:
        raise ValueError(unknown(f"{name}: model", model, LAWS))
    if model == "piecewise":
        return PiecewiseStep(up=entry.row("up"), down=entry.row("down"))
    law: type[Step] = LAWS[model]
    shape: dict[str, Any] = {one: entry[one].value for one in law.fields() if one in entry}
    if "bound" in entry.meta:
        shape["bound"] = entry.meta["bound"]
    return law(**shape)
