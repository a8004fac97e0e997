"""How is drift made up for? A digital gain found by reading reference inputs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pimlab.analog.draws import uniforms
from pimlab.keys import Key
from pimlab.values import Value, choice, integer

if TYPE_CHECKING:
    from pimlab.analog.programmed import ProgrammedCrossbar


class DriftCompensation(Value):
    """Gains from mean |y| of reference inputs right after programming over mean |y| now.

    Both reads go through the same noisy cells and converters as any other read. One gain a layer is the "global drift
    compensation" of Joshi et al., Nat. Commun. 11, 2473 (2020), Methods; one a column also follows the columns' own drift.
    """

    per: str = choice("layer", "column", default="layer")
    vectors: int = integer(1, 4096, default=64, doc="reference input rows, spread evenly over the input range")

    def gain(self, programmed: ProgrammedCrossbar, seconds: float) -> np.ndarray | None:
        """Factor on every output `seconds` after programming, float32 () or (n,); None at programming time."""
        if seconds == 0:
            return None
        x = uniforms(Key(seed=0).child("reference inputs"), (self.vectors, programmed.k))
        if programmed.machine.signed_inputs:
            x = 2.0 * x - np.float32(1.0)
        axis = 0 if self.per == "column" else None
        before, now = (np.abs(programmed.reference_read(t, x)).mean(axis=axis, dtype=np.float64) for t in (0.0, seconds))
        return np.where(now > 0, before / np.where(now > 0, now, 1.0), 1.0).astype(np.float32)
