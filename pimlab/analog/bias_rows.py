"""How do word lines hold a bias? As cells of their own that are driven at full scale in every
read.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pimlab.analog.design import ArrayDesign
from pimlab.analog.programmed import ProgrammedCrossbar
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, Programmed, checked_operands


class BiasInRows(Programmed):
    """Weights of which the last `rows` word lines hold the bias.

    ValueError without a calibration, which fixes the drivers' full scale, and for a bias that so
    many rows cannot hold.
    """

    def __init__(
        self,
        machine: ArrayDesign,
        w: np.ndarray,
        key: Key,
        bias: np.ndarray,
        rows: int,
        calibration: Calibration | None,
    ):
        if calibration is None:
            raise ValueError(
                f"{machine.name}: bias_rows={rows} needs a calibration: the drivers' full scale "
                "must be fixed"
            )
        self.rows = rows
        self.full_scale = max(abs(calibration.x.low), abs(calibration.x.high)) or 1.0
        share = bias / (rows * self.full_scale)
        needed = np.abs(share).max() / (np.abs(w).max() or 1.0)
        if needed > 1:
            raise ValueError(
                f"{machine.name}: bias_rows={rows} cannot hold bias {np.abs(bias).max()}; allowed: "
                f"{int(np.ceil(needed * rows))} or more"
            )
        held = np.vstack([w, np.tile(share.astype(np.float32), (rows, 1))])
        driven = Calibration(
            x=calibration.x,
            y=calibration.y,
            sample=self._with_bias(np.asarray(calibration.sample, np.float32)),
            rule=calibration.rule,
        )
        self.inner = ProgrammedCrossbar(machine, held, key, None, driven)

    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """As `ProgrammedCrossbar.matmul`, of x float32, shape (batch, k) without the bias rows."""
        return self.inner.matmul(self._driven(x), key, at)

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """As `ProgrammedCrossbar.counted`. x : float32, shape (batch, k);  y : float32,
        shape (batch, n).
        """
        return self.inner.counted(self._driven(x), key, at)

    def integrals(self, x: np.ndarray, at: str | float = 0.0) -> Mapping[str, float]:
        """As `ProgrammedCrossbar.integrals` [J]."""
        return self.inner.integrals(self._driven(x), at)

    def _driven(self, x: np.ndarray) -> np.ndarray:
        return self._with_bias(
            checked_operands(x, self.inner.k - self.rows, self.inner.machine.name)
        )

    def _with_bias(self, x: np.ndarray) -> np.ndarray:
        """x float32, shape (batch, k) beside `rows` inputs at full scale."""
        return np.hstack([x, np.full((len(x), self.rows), self.full_scale, np.float32)])
