"""How does slow noise of the cells enter the steps of one read? 1/f noise hardly moves between two
bits of an input.

Step p of a read sees sum_i x_pi n_i with the same n in all steps, so the steps' noise has the
covariance C_pq = sum_i x_pi x_qi sigma_i^2. Each output's steps are drawn jointly, as L z with L L'
= C (Cholesky, row by row as the steps come). Independent draws a step would give the sum of steps
the variance sum_p w_p^2 C_pp, a third of the true one for 8-bit inputs at full scale.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels import crossbar, philox

Words = tuple[np.uint32, np.uint32]


class StepNoise:
    """Noise of the steps of one tile, in their order.

    variance : float32 (k, n), of a read per squared input, or the one value all cells have;  third
    : float32 (k, n) or None;
    words, row : the key of the first row of the block.
    """

    def __init__(
        self, variance: np.ndarray | float, third: np.ndarray | None, words: Words, row: int
    ):
        self.variance, self.third, self.words, self.row = variance, third, words, row
        self.steps: list[np.ndarray] = []
        self.factors: list[list[np.ndarray]] = []
        self.normals: list[np.ndarray] = []

    def add(
        self, codes: np.ndarray, current: np.ndarray, lane: int, spread: np.ndarray | None = None
    ) -> None:
        """Adds the next step's noise to `current`, float32 (batch, n), read with `codes`, float32
        (batch, k).

        spread : float32 (batch, n), variance that this step has instead (wires took something from
        it); how steps go together stays.
        """
        drawn = np.empty_like(current)
        philox.normal(*self.words, self.row, lane, drawn)
        self.steps.append(codes)
        self.normals.append(drawn)
        self.factors.append(self._factors())
        noise = sum(
            (factor * z for factor, z in zip(self.factors[-1], self.normals, strict=True)),
            np.zeros_like(current),
        )
        if spread is not None:
            variance = sum((factor * factor for factor in self.factors[-1]), np.zeros_like(current))
            noise = np.divide(
                noise * np.sqrt(spread),
                np.sqrt(variance),
                out=np.zeros_like(noise),
                where=variance > 0,
            )
        current += noise if self.third is None else self._skewed(noise, codes)

    def _factors(self) -> list[np.ndarray]:
        """Row of L that belongs to the last step: float32 (batch, n) or (batch, 1) each; 0 where an
        earlier step has no noise left.
        """
        row: list[np.ndarray] = []
        for q, earlier in enumerate(self.steps[:-1]):
            left = self._covariance(earlier) - sum(
                (a * b for a, b in zip(row, self.factors[q], strict=False)), np.float32(0)
            )
            pivot = self.factors[q][q]
            row.append(np.divide(left, pivot, out=np.zeros_like(left), where=pivot > 0))
        left = self._covariance(self.steps[-1]) - sum((a * a for a in row), np.float32(0))
        return [*row, np.sqrt(np.maximum(left, np.float32(0)))]

    def _covariance(self, earlier: np.ndarray) -> np.ndarray:
        both = self.steps[-1] * earlier
        if isinstance(self.variance, float):
            return (both.sum(axis=1, dtype=np.float64) * self.variance).astype(np.float32)[:, None]
        return both @ self.variance

    def _skewed(self, noise: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """`noise` of the same spread and the third cumulant of this step's cells: see
        `kernels.crossbar.add_skewed_noise`.
        """
        assert self.third is not None
        variance = np.square(codes) @ self.variance
        sigma = np.sqrt(variance)
        skew = np.clip(
            (codes**3 @ self.third) / np.maximum(variance * sigma, np.float32(1e-30)), -2, 2
        )
        z = np.divide(noise, sigma, out=np.zeros_like(noise), where=sigma > 0)
        return sigma * (z + skew * (z * z - 1) / 6) / np.sqrt(1 + skew * skew / 18)


def least_active(steps: list[np.ndarray]) -> np.ndarray:
    """float32 (batch,): the smallest `kernels.crossbar.activity` of any step that has active
    inputs; 0 where none has.
    """
    each = np.empty((len(steps), len(steps[0])), np.float32)
    for step, out in zip(steps, each, strict=True):
        crossbar.activity(np.ascontiguousarray(step), out)
    least = np.where(each > 0, each, np.inf).min(axis=0)
    return np.where(np.isfinite(least), least, 0).astype(np.float32)
