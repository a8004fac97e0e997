"""How is drift made up for? A digital gain found by reading reference inputs again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pimlab.analog.draws import uniforms
from pimlab.keys import Key
from pimlab.values import Value, integer

if TYPE_CHECKING:
    from pimlab.analog.programmed import ProgrammedCrossbar


class GlobalDriftCompensation(Value):
    """One gain a layer: mean |y| of reference inputs right after programming over mean |y| now.

    Both reads go through the same noisy cells and converters as any other read. Joshi et al., Nat. Commun. 11, 2473
    (2020), Methods: "global drift compensation".
    """

    vectors: int = integer(1, 4096, default=64, doc="reference input rows, spread evenly over the input range")

    def gain(self, programmed: ProgrammedCrossbar, seconds: float) -> float:
        """Factor on every output `seconds` after programming; 1.0 where nothing is left to scale."""
        x = (2.0 * uniforms(Key(seed=0).child("reference inputs"), (self.vectors, programmed.k)) - 1.0).astype(np.float32)
        before = np.abs(programmed.reference_read(0.0, x)).mean(dtype=np.float64)
        now = np.abs(programmed.reference_read(seconds, x)).mean(dtype=np.float64)
        return float(before / now) if now > 0 else 1.0
