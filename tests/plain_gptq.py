"""GPTQ as its paper and its authors' options describe it, one input after another: slow, and nothing of pimlab in it.

Frantar et al., ICLR 2023 (arXiv:2210.17323), algorithm 1 without its blocks; the options are those of the authors' code: grids with
zero points, the largest inputs first, scales of the original weights, grids narrowed by the power 2.4 of errors.
"""

import numpy as np


def grid_of(w, bits, symmetric, narrowed):
    """Step (n,) and zero point (n,) of a group of weights (rows, n)."""
    shares = 1 - np.arange(41) / 50 if narrowed else [1.0]
    least, best = np.full(w.shape[1], np.inf), None
    for share in shares:
        if symmetric:
            step = np.abs(w).max(0) * share / (2 ** (bits - 1) - 1)
            zero = np.zeros(w.shape[1])
        else:
            low, high = np.minimum(w.min(0), 0) * share, np.maximum(w.max(0), 0) * share
            step = (high - low) / (2**bits - 1)
            zero = np.rint(-low / np.where(step > 0, step, 1))
        step = np.where(step > 0, step, 1).astype(np.float32)
        loss = (np.abs(on_grid(w, step, zero, bits, symmetric) - w) ** 2.4).sum(0)
        better = loss < least
        best = (
            (step, zero)
            if best is None
            else tuple(np.where(better, a, b) for a, b in zip((step, zero), best, strict=True))
        )
        least = np.minimum(least, loss)
    return best


def on_grid(w, step, zero, bits, symmetric):
    """The weights that the nearest codes stand for."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if symmetric else (0, 2**bits - 1)
    return (np.clip(np.rint(w / step) + zero, low, high) - zero) * step


def gptq(w, x, bits, group, damping, *, symmetric=True, order=False, static=False, narrowed=False):
    """Weights (k, n) after rounding, for inputs x (rows, k)."""
    w, x = np.array(w, np.float64), np.asarray(x, np.float64)
    k = len(w)
    hessian = x.T @ x
    turn = np.argsort(-np.diag(hessian), kind="stable") if order else np.arange(k)
    hessian[np.diag_indices(k)] += damping * np.diag(hessian).mean()
    fixed = [grid_of(w[i : i + group], bits, symmetric, narrowed) for i in range(0, k, group)]
    left, out = w[turn].copy(), np.empty_like(w)
    inverse = np.linalg.inv(hessian[np.ix_(turn, turn)])
    for i in range(k):
        if i % group == 0:
            found = grid_of(left[i : i + group], bits, symmetric, narrowed)
        step, zero = fixed[turn[i] // group] if static else found
        out[turn[i]] = on_grid(left[i], step, zero, bits, symmetric)
        error = (left[i] - out[turn[i]]) / inverse[i, i]
        left[i + 1 :] -= np.outer(inverse[i + 1 :, i], error)
        rest = inverse[i + 1 :, i]  # the inverse without input i (Gaussian elimination)
        inverse[i + 1 :, i + 1 :] -= np.outer(rest, rest) / inverse[i, i]
    return out
