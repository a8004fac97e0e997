"""How well does a language model predict a text? By its perplexity, with an interval over blocks of
tokens.
"""

from __future__ import annotations

import numpy as np

from pimlab.workload import intervals
from pimlab.workload.metrics import Metric, without_nan

BLOCK = 32
"""Neighbouring tokens counted as one observation of the interval, since their surprises are not
independent.
"""


class Perplexity(Metric):
    """exp of the mean surprise a token, and its 95 % interval; lower is better, 1 is certainty."""

    name = "perplexity"
    long_name = "perplexity a token"
    better = "lower"

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (blocks, 2): summed surprise and scored tokens of each block of a window.

        outputs : float (windows, context), -ln p of each next token.  labels : bool, shape
        (windows, context), True where scored.
        """
        if outputs.shape != labels.shape:
            raise ValueError(
                f"perplexity: outputs have shape {outputs.shape}, labels {labels.shape}; allowed: "
                "the same (windows, context)"
            )
        without_nan(self.name, np.where(labels, outputs, 0))
        spare = ((0, 0), (0, -outputs.shape[1] % BLOCK))
        scored = np.pad(labels.astype(np.float64), spare).reshape(-1, BLOCK)
        surprise = np.pad(np.where(labels, outputs, 0).astype(np.float64), spare).reshape(-1, BLOCK)
        blocks = np.stack([surprise.sum(axis=1), scored.sum(axis=1)], axis=1)
        return blocks[blocks[:, 1] > 0]

    def summarise(self, contributions: np.ndarray) -> tuple[float, float, float]:
        """(perplexity, low, high): ratio of sums, with the normal approximation for a ratio over
        blocks in ln p.

        The variance is n/(n-1) sum(s - m c)**2 / sum(c)**2 (Cochran 1977, eq. 2.39); dependence
        between blocks is left out. One block alone has no interval: low and high are then NaN. Unit
        1.
        """
        surprise, scored = np.asarray(contributions, dtype=np.float64).T
        mean, error = intervals.ratio(surprise, scored)
        value, low, high = np.exp([mean, mean - error, mean + error])
        return float(value), float(low), float(high)


def windows_of(
    tokens: np.ndarray, context: int, start: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Windows int32, shape (windows, context + 1) of int tokens (count,), and which of their next
    tokens count, bool, shape (windows, context).

    Every token but the first is predicted once; windows share one token. With a token `start` that
    texts begin with (`Tokenizer.start`), each window begins with it instead, and every token is
    predicted once. A last, shorter window is padded with its last token, which is read by nothing
    that counts. ValueError for a text shorter than two tokens, or than one behind `start`.
    """
    tokens = np.asarray(tokens, dtype=np.int32)
    predicted = len(tokens) - (start is None)
    if predicted < 1:
        least = "two tokens" if start is None else "one token"
        raise ValueError(
            f"a text of {len(tokens)} tokens predicts nothing; allowed: {least} or more"
        )
    windows = -(-predicted // context)
    padded = np.pad(tokens, (0, windows * context - predicted), mode="edge")
    at = np.arange(windows)[:, None] * context
    scored = (at + np.arange(context)) < predicted
    if start is None:
        return padded[at + np.arange(context + 1)], scored
    return np.pad(padded[at + np.arange(context)], ((0, 0), (1, 0)), constant_values=start), scored
