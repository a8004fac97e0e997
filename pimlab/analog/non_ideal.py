"""What makes a machine differ from an ideal one? Parts that say what their non-ideality is called,
and whether values change with it by key or time.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, ClassVar

import numpy as np

from pimlab.values import Value


class NonIdeal(Value):
    """A part of a cell or of a machine; where it is absent, that part is ideal.

    `cause` is the name that `Target.causes` and a waterfall give it: a class that sets none is
    called by its own name, in lower-case words. `varies` says whether two keys or two times can
    give
    two answers: True unless a class says otherwise, because a wrong False would let a study compute
    one seed and repeat it for all.

    >>> class Hysteresis(pim.analog.NonIdeal):
    ...     width: float = 0.1
    >>> Hysteresis().cause, Hysteresis().varies
    ('hysteresis', True)
    """

    cause: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.cause:
            cls.cause = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", cls.__name__).lower()

    @property
    def varies(self) -> bool:
        """Whether values depend on the key or on the time after programming."""
        return True

    def check_over(self, g: np.ndarray, owner: str) -> None:
        """Refuse numbers that no cell of conductances g (S, float64, over the range of `owner`) can
        have; ValueError naming owner, part, value and what is allowed.
        """


def check_between(
    owner: str, what: str, values: np.ndarray, low: float, high: float, unit: str = ""
) -> None:
    """ValueError naming `owner` and `what` when any of `values` is outside low..high. Values and
    bounds in `unit`, shape (...).
    """
    outside = values[~((values >= low * (1 - 1e-9)) & (values <= high * (1 + 1e-9)))]
    if outside.size:
        raise ValueError(
            f"{owner}: {what}={outside.flat[0]:.3g} {unit}".rstrip()
            + f" somewhere in its range; allowed: {low:g}..{high:.3g} {unit}".rstrip()
        )


def non_idealities(owner: Value) -> dict[str, NonIdeal]:
    """Field of `owner` -> the non-ideal part it holds, in the order of the fields; absent parts are
    left out.
    """
    own = dataclasses.fields(owner)  # type: ignore[arg-type]
    values = {field.name: getattr(owner, field.name) for field in own}
    return {name: value for name, value in values.items() if isinstance(value, NonIdeal)}


def part_fields(owner: Value) -> dict[str, Any]:
    """Field of `owner` declared with `values.part` -> what it holds, absent parts left out."""
    return {
        field.name: getattr(owner, field.name)
        for field in dataclasses.fields(owner)  # type: ignore[arg-type]
        if field.metadata.get("kind") == "part" and getattr(owner, field.name) is not None
    }
