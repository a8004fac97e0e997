"""Split scikit-learn's digits and breast-cancer sets, train a small MLP on each, and write data and
networks.

Run from the repository: `python datasets/train/train_mlps.py [folder]`; about ten seconds. A
quarter of each set, drawn once by class with seed 0, is the test split; the rest trains, and its
evenly spaced samples calibrate.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from archives import save, spread
from graph import Chain
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def splits(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays train_, test_ and calibration_ inputs and labels."""
    train, test = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0, stratify=y)
    train, test = np.sort(train), np.sort(test)
    chosen = {
        "test": test,
        "calibration": train[spread(len(train), min(256, len(train)))],
        "train": train,
    }
    return {
        f"{split}_{kind}": of[index]
        for split, index in chosen.items()
        for kind, of in (("inputs", x), ("labels", y))
    }


def digits() -> tuple[dict[str, np.ndarray], float]:
    """Images uint8 (n, 64) of 0..16 and labels; the model takes them divided by 16."""
    x, y = load_digits(return_X_y=True)
    return splits(x.astype(np.uint8), y.astype(np.uint8)), 16.0


def breast_cancer() -> tuple[dict[str, np.ndarray], float]:
    """Measures float32 (n, 30), each less its mean and over its deviation on the training split;
    labels int64.
    """
    x, y = load_breast_cancer(return_X_y=True)
    arrays = splits(x, y.astype(np.int64))
    mean, deviation = arrays["train_inputs"].mean(axis=0), arrays["train_inputs"].std(axis=0)
    for split in ("test", "calibration", "train"):
        arrays[f"{split}_inputs"] = ((arrays[f"{split}_inputs"] - mean) / deviation).astype(
            np.float32
        )
    return arrays, 1.0


def train(
    name: str, arrays: dict[str, np.ndarray], scale: float, hidden: int, folder: Path
) -> None:
    """Train inputs-hidden-classes, write network and data, print the accuracy on the test split."""
    x, y = arrays["train_inputs"] / np.float32(scale), arrays["train_labels"]
    network = MLPClassifier(
        (hidden,),
        alpha=1e-2,
        learning_rate_init=3e-3,
        max_iter=300,
        n_iter_no_change=300,
        tol=0,
        random_state=0,
    )
    network.fit(
        x, np.eye(int(y.max()) + 1)[y]
    )  # independent outputs: as many as classes, also for two
    chain = Chain(name, (x.shape[1],))
    chain.layer("Gemm", "fc1", network.coefs_[0], network.intercepts_[0])
    chain.layer("Relu", "fc1.relu")
    chain.layer("Gemm", "fc2", network.coefs_[1], network.intercepts_[1])
    chain.save(folder / "models" / f"{name}.onnx", network.coefs_[1].shape[1])
    scores = np.maximum(
        arrays["test_inputs"] / np.float32(scale) @ network.coefs_[0] + network.intercepts_[0], 0
    )
    right = (
        (scores @ network.coefs_[1] + network.intercepts_[1]).argmax(1) == arrays["test_labels"]
    ).sum()
    print(f"{name}: {right} of {len(arrays['test_labels'])} test samples")


def main(folder: Path) -> None:
    """Write digits.npz, breast-cancer.npz and their networks under `folder`."""
    for name, data, hidden, (arrays, scale) in (
        ("digits-mlp", "digits", 64, digits()),
        ("cancer-mlp", "breast-cancer", 32, breast_cancer()),
    ):
        save(folder / f"{data}.npz", **arrays)
        train(name, arrays, scale, hidden, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
