"""Which weights can go? Magnitude, Wanda and SparseGPT, any share of them or n of every m along the
inputs (2:4).

`pattern` is the share of weights to remove, 0..1, or text such as "2:4": two kept of every four
inputs of a column.
"""

from __future__ import annotations

import re

import numpy as np

from pimlab.arguments import typed
from pimlab.kernels.blas import one_thread
from pimlab.values import unknown
from pimlab.workload.transform.layer import (
    BLOCK,
    DAMPINGS,
    Compressed,
    checked,
    chosen,
    inverse_factor,
    made_up,
    output_error,
)

POWERS = (1.0, 0.5, 0.0)
"""Powers of the inputs' norms that `wanda` chooses from, the paper's first."""


def _pattern(pattern: float | str, k: int, what: str) -> tuple[float, int | None, int]:
    """(share to remove, m or None, kept of m), checked against k inputs."""
    if isinstance(pattern, str):
        found = re.fullmatch(r"(\d+):(\d+)", pattern)
        kept, m = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 0 < kept < m:
            raise ValueError(
                f"{what} pattern={pattern!r} is not a share 0..1 or text such as '2:4' (kept of "
                "every)"
            )
        if k % m:
            raise ValueError(
                f"{what} pattern={pattern!r}: {m} does not divide the {k} inputs of the layer"
            )
        return 1 - kept / m, m, kept
    if isinstance(pattern, bool) or not 0 <= pattern < 1:
        raise ValueError(f"{what} pattern={pattern!r} is outside 0 <= share < 1")
    return float(pattern), None, 0


def _best_of_m(scores: np.ndarray, m: int, kept: int) -> np.ndarray:
    """Mask (k, n) of the `kept` largest scores among every m along k."""
    groups = scores.reshape(-1, m, scores.shape[1])
    rank = np.argsort(np.argsort(-groups, axis=1, kind="stable"), axis=1, kind="stable")
    return (rank < kept).reshape(scores.shape)


def _largest(scores: np.ndarray, share: float) -> np.ndarray:
    """Mask of all but the `share` smallest scores of the whole array."""
    removed = round(share * scores.size)
    mask = np.ones(scores.size, bool)
    mask[np.argsort(scores, axis=None, kind="stable")[:removed]] = False
    return mask.reshape(scores.shape)


def _largest_of_column(scores: np.ndarray, share: float) -> np.ndarray:
    rank = np.argsort(np.argsort(scores, axis=0, kind="stable"), axis=0, kind="stable")
    return rank >= round(share * scores.shape[0])


_WITHIN = {"output": _largest_of_column, "layer": _largest}


def _kept(w: np.ndarray, mask: np.ndarray) -> Compressed:
    return Compressed(np.where(mask, w, np.float32(0)), np.ones(w.shape[0], np.float32), mask=mask)


@typed
def magnitude(w: np.ndarray, pattern: float | str = 0.5) -> Compressed:
    """The smallest weights of the layer float32, shape (k, n) removed: the baseline."""
    w, _ = checked(w, None, "magnitude")
    share, m, kept = _pattern(pattern, w.shape[0], "magnitude")
    return _kept(w, _largest(np.abs(w), share) if m is None else _best_of_m(np.abs(w), m, kept))


@typed
def wanda(
    w: np.ndarray,
    x: np.ndarray,
    pattern: float | str = 0.5,
    within: str | None = None,
    power: float | None = None,
) -> Compressed:
    """Removed where |w_ij| times the norm of input i over x, shape (rows, k) is smallest; the rest
    stays as it is.

    within : what an unstructured pattern compares: the weights of one "output", as the paper does
    for language models, or of the whole "layer"; None takes the one that changes the outputs on x
    less.
    power : of the norm: 1 is the paper's score, 0 the magnitude's. The score takes inputs to be
    uncorrelated; where they are not (places of one image; few outputs) less weight on their norms
    can serve better. None takes 1, 0.5 or 0, whichever changes the outputs on x least.
    Sun et al., Wanda, ICLR 2024 (arXiv:2306.11695), equation 1.
    """
    w, x = checked(w, x, "wanda")
    if within not in (None, *_WITHIN):
        raise ValueError(unknown("wanda within", within, _WITHIN))
    if power is not None and not 0 <= power <= 1:
        raise ValueError(
            f"wanda power={power!r} is outside 0..1; for the best of {POWERS} write power=None"
        )
    share, m, kept = _pattern(pattern, w.shape[0], "wanda")
    norms = np.linalg.norm(x.astype(np.float64), axis=0)[:, None]
    scores = [np.abs(w) * norms**each for each in (POWERS if power is None else (power,))]
    if m is not None:
        choices = [_kept(w, _best_of_m(score, m, kept)) for score in scores]
    else:
        choices = [
            _kept(w, _WITHIN[name](score, share))
            for score in scores
            for name in ((within,) if within else _WITHIN)
        ]
    return (
        choices[0] if len(choices) == 1 else min(choices, key=lambda each: output_error(x, w, each))
    )


@typed
def sparse_gpt(
    w: np.ndarray, x: np.ndarray, pattern: float | str = 0.5, damping: float | None = None
) -> Compressed:
    """Removed where it costs the outputs on x, shape (rows, k) least, the inputs that follow taking
    up each error.

    Masks are chosen for blocks of 128 inputs (or every m) when they are reached, by w_ij**2 /
    [H^-1]_ii of what is left.
    damping : as in `gptq`; infinite removes by magnitude within the blocks.
    Frantar and Alistarh, SparseGPT, ICML 2023 (arXiv:2301.00774), algorithm 1.
    """
    w, x = checked(w, x, "sparse_gpt")
    share, m, kept = _pattern(pattern, w.shape[0], "sparse_gpt")

    def pruned(rows: np.ndarray, each: float) -> Compressed:
        return _sparse_gpt(w, inverse_factor(rows, each, "sparse_gpt"), share, m, kept)

    with one_thread():  # as in `gptq`
        return pruned(x, chosen(x, w, pruned, DAMPINGS) if damping is None else damping)


def _sparse_gpt(
    w: np.ndarray, factor: np.ndarray, share: float, m: int | None, kept: int
) -> Compressed:
    left, mask = w.astype(np.float64), np.ones(w.shape, bool)
    unit = m or BLOCK

    def kept_of(i: int) -> np.ndarray:
        if i % unit == 0:
            rows = slice(i, i + unit)
            scores = (left[rows] / np.diag(factor)[rows, None]) ** 2
            mask[rows] = _largest(scores, share) if m is None else _best_of_m(scores, m, kept)
        return np.where(mask[i], left[i], 0.0)

    return _kept(made_up(left, factor, unit, kept_of).astype(np.float32), mask)
