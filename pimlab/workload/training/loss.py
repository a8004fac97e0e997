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
