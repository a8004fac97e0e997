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


def _softmax(outputs: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares float64, shape (n, classes), and their logarithms."""
    z = outputs.astype(np.float64) / temperature
    z -= z.max(axis=1, keepdims=True)
    logarithm = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return np.exp(logarithm), logarithm
