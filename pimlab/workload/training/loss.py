"""How wrong are these outputs, and which way should each go?"""

from __future__ import annotations

import numpy as np

from pimlab.arguments import typed


@typed
def cross_entropy(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(loss float64, shape (n,) in nat, its gradient float32, shape (n, classes)) of each sample,
    by the softmax of outputs (n, classes).

    labels : integers, shape (n,). ValueError where the shapes do not fit or a label is no class.
    """
    if outputs.ndim != 2 or labels.shape != outputs.shape[:1]:
        raise ValueError(
            f"cross entropy: outputs {outputs.shape} and labels {labels.shape}; allowed: (n, "
            "classes) and (n,)"
        )
    if labels.dtype.kind not in "iu" or not np.isfinite(outputs).all():
        raise ValueError(
            f"cross entropy: labels are {labels.dtype} and outputs hold "
            f"{np.count_nonzero(~np.isfinite(outputs))} non-finite values; allowed: integers and "
            "finite numbers"
        )
    if labels.min() < 0 or labels.max() >= outputs.shape[1]:
        raise ValueError(
            f"cross entropy: labels {labels.min()}..{labels.max()}; allowed: "
            f"0..{outputs.shape[1] - 1}"
        )
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    shares = powers / powers.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = np.log(powers.sum(axis=1)) - shifted[rows, labels]
    shares[rows, labels] -= 1
    return loss, shares.astype(np.float32)


@typed
def mean_square(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(loss float64, shape (n,), its gradient float32, shape (n, values)) of each sample: half the
    squared distance from outputs (n, values) to labels, mean over values.

    labels : real numbers, shape (n, values), or (n,) for one value. ValueError where the shapes do
    not fit or outputs are not finite.
    """
    wanted = np.asarray(labels, np.float64).reshape(len(labels), -1)
    flat = outputs.reshape(len(outputs), -1)
    if flat.shape != wanted.shape:
        raise ValueError(
            f"mean square: outputs {outputs.shape} and labels {labels.shape}; allowed: the same "
            "numbers a sample"
        )
    if not np.isfinite(flat).all():
        raise ValueError(
            f"mean square: outputs hold {np.count_nonzero(~np.isfinite(flat))} non-finite values"
        )
    away = flat - wanted
    slope = (away / away.shape[1]).astype(np.float32).reshape(outputs.shape)
    return 0.5 * np.mean(np.square(away), axis=1), slope


@typed
def distillation(
    outputs: np.ndarray, teacher: np.ndarray, temperature: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """(loss float64, shape (n,) in nat, its gradient float32, shape (n, classes)): the divergence
    of the softmax of outputs (n, classes) from that of the teacher's outputs (n, classes), both
    over `temperature`, times its square (Hinton, Vinyals, Dean, arXiv:1503.02531, section 2).

    ValueError where the shapes do not fit or outputs are not finite.
    """
    outputs, teacher = np.asarray(outputs), np.asarray(teacher)
    if not 1e-6 <= temperature <= 1e6:
        raise ValueError(f"distillation temperature={temperature!r}; allowed: 1e-6..1e6")
    if outputs.ndim != 2 or teacher.shape != outputs.shape or not np.isfinite(outputs).all():
        raise ValueError(
            f"distillation: outputs {outputs.shape} and teacher {teacher.shape}; allowed: the same "
            "(n, classes), finite numbers"
        )
    own, log_own = _softmax(outputs, temperature)
    wanted, log_wanted = _softmax(teacher, temperature)
    loss = temperature**2 * np.sum(wanted * (log_wanted - log_own), axis=1)
    return loss, (temperature * (own - wanted)).astype(np.float32)


@typed
def ctc(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(loss float64, shape (n,) in nat, its gradient float32, shape (n, steps, characters)): minus
    the logarithm of the chance that the softmaxes of outputs (n, steps, characters) spell the
    labels, over all ways to place them (connectionist temporal classification: Graves, Fernandez,
    Gomez, Schmidhuber, ICML 2006, equations 6 to 8 and 16).

    labels : integers, shape (n, letters), 0 behind the end; character 0 is the blank between
    letters. ValueError where the shapes do not fit, a label is no character, outputs are not
    finite, or a line has more letters (and blanks between equal ones) than steps.
    """
    if outputs.ndim != 3 or labels.ndim != 2 or len(labels) != len(outputs):
        raise ValueError(
            f"ctc: outputs {outputs.shape} and labels {labels.shape}; allowed: (n, steps, "
            "characters) and (n, letters)"
        )
    low, high = labels.min(initial=0), labels.max(initial=0)
    if labels.dtype.kind not in "iu" or low < 0 or high >= outputs.shape[2]:
        raise ValueError(
            f"ctc: labels are {labels.dtype} within {low}..{high}; allowed: integers within "
            f"0..{outputs.shape[2] - 1}"
        )
    if not np.isfinite(outputs).all():
        raise ValueError(
            f"ctc: outputs hold {np.count_nonzero(~np.isfinite(outputs))} non-finite values"
        )
    loss, slope = np.empty(len(outputs)), np.empty(outputs.shape, np.float32)
    for i, (row, wanted) in enumerate(zip(outputs, labels, strict=True)):
        shares, logarithms = _softmax(row, 1.0)
        loss[i], spent = _spelled(logarithms, wanted[wanted > 0])
        slope[i] = shares - spent
    return loss, slope


def _spelled(log: np.ndarray, wanted: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the logarithm of the chance of `wanted`, and the share of it that goes through each
    character at each step, of logarithms float64, shape (steps, characters).
    """
    states = np.zeros(2 * len(wanted) + 1, int)
    states[1::2] = wanted
    seen = log[:, states]
    before = _reached(seen, states)
    behind = _reached(seen[::-1, ::-1], states[::-1])[::-1, ::-1]
    total = np.logaddexp.reduce(before[-1, -2:])
    if total == -np.inf:
        raise ValueError(
            f"ctc: {len(wanted)} letters with a blank between equal ones do not fit in {len(log)} "
            "steps; allowed: shorter lines"
        )
    spent = np.zeros(log.shape)
    np.add.at(spent.T, states, np.exp(before + behind - seen - total).T)
    return -float(total), spent


def _reached(seen: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Logarithm of the chance of all ways to each state at each step, from either of the first two:
    a step stays, goes on by one state, or by two over a blank between unequal letters.
    """
    jump = np.zeros(len(states), bool)
    jump[2:] = (states[2:] != 0) & (states[2:] != states[:-2])
    ways = np.full(seen.shape, -np.inf)
    ways[0, :2] = seen[0, :2]
    for step in range(1, len(seen)):
        last = ways[step - 1]
        found = np.logaddexp(last, np.concatenate([[-np.inf], last[:-1]]))
        over = np.concatenate([[-np.inf, -np.inf], last[:-2]])[: len(last)]
        ways[step] = np.where(jump, np.logaddexp(found, over), found) + seen[step]
    return ways


def _softmax(outputs: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares float64, shape (n, classes), and their logarithms."""
    z = outputs.astype(np.float64) / temperature
    z -= z.max(axis=1, keepdims=True)
    logarithm = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return np.exp(logarithm), logarithm
