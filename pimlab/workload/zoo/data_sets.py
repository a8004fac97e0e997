"""Which data sets are known by name, and where do their samples come from?"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pimlab.arguments import named
from pimlab.values import nearest
from pimlab.workload import files, tables
from pimlab.workload.data import Data, check_limit, load_file
from pimlab.workload.edit_errors import CharacterError
from pimlab.workload.files import DataError
from pimlab.workload.language.perplexity import Perplexity
from pimlab.workload.metrics import Accuracy, Metric, PearsonSimilarity
from pimlab.workload.zoo import minilm, ocr, tabular_mlps

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the training images."""

Split = tuple[np.ndarray, np.ndarray]


def _archive(name: str, split: str) -> Split:
    """inputs and labels of a split in a vendored .npz file with arrays <split>_inputs and
    <split>_labels.
    """
    with np.load(files.verified(name)) as arrays:
        return arrays[f"{split}_inputs"], arrays[f"{split}_labels"]


def _scaled(name: str, split: str, scale: float) -> Split:
    inputs, labels = _archive(name, split)
    return inputs.astype(np.float32) / np.float32(scale), labels.astype(np.int64)


def _fashion(split: str) -> Split:
    """Images float32, shape (n, 1, 28, 28) in 0..1 and labels int64, shape (n,)."""
    if split == "calibration":
        return _scaled("fashion-mnist-calibration.npz", split, 255)
    if split == "train":
        if not FASHION.is_dir():
            raise DataError(
                f"the training images of fashion-mnist are not here ({FASHION}); install them with "
                "`apt-get install dataset-fashion-mnist`"
            )
        images, labels = (
            FASHION / f"train-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")
        )
    else:
        images, labels = (
            files.verified(f"t10k-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1")
        )
    return _idx(images).reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255), _idx(
        labels
    ).astype(np.int64)


def _idx(path: Path) -> np.ndarray:
    """The array in a gzipped IDX file of bytes, flat."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an IDX file of bytes (it starts with {raw[:4]!r})")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Source:
    read: Callable[[str], Split]
    splits: tuple[str, ...]
    licence: str
    source: str
    note: str = ""
    metric: Callable[[], Metric] = Accuracy


def _windows(text: str, split: str) -> Split:
    """Windows of tokens int32, shape (n, context + 1) of a text, and which next tokens are scored,
    bool, shape (n, context).
    """
    from pimlab.workload.language import TEXTS

    return TEXTS[text](split)


_THREE, _TWO = ("test", "calibration", "train"), ("test", "calibration")

SOURCES: dict[str, _Source] = {
    "fashion-mnist": _Source(
        read=_fashion,
        splits=_THREE,
        licence="MIT",
        source="Zalando Research, Fashion-MNIST (Xiao, Rasul, Vollgraf 2017)",
        note="10,000 test images; 512 of the 60,000 training images calibrate",
    ),
    "digits": _Source(
        read=lambda split: _scaled("digits.npz", split, 16),
        splits=_THREE,
        licence="BSD-3-Clause",
        source="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI (in "
        "scikit-learn)",
        note="450 test images of 8 x 8: a point of accuracy is 4.5 images",
    ),
    "breast-cancer": _Source(
        read=lambda split: _archive("breast-cancer.npz", split),
        splits=_THREE,
        licence="BSD-3-Clause",
        source="Wolberg, Street, Mangasarian, Breast Cancer Wisconsin (Diagnostic), UCI (in "
        "scikit-learn)",
        note="143 test patients: one more or less moves accuracy by 0.7 points",
    ),
    "magika-files": _Source(
        read=lambda split: _archive("magika-files.npz", split),
        splits=_TWO,
        licence="BSD, MIT, Apache-2.0 by file",
        source="files of the pinned Python packages named in datasets/magika-files.csv",
        note="labels are file extensions; kinds with misleading extensions were left out after a "
        "look at the model's errors",
    ),
    **{
        name: _Source(
            read=functools.partial(_windows, name),
            splits=_THREE,
            licence="public domain",
            metric=Perplexity,
            source="King James Bible (1611), Debian bible-kjv-text 4.38",
            note=f"tokens of {model}; Genesis tests, the start of Ruth calibrates; parallel "
            "passages remain in training books",
        )
        for name, model in (("kjv", "small-lm"), ("kjv-smollm2", "smollm2-135m"))
    },
    **{
        f"ocr-lines-{deviation}": _Source(
            read=functools.partial(ocr.rendered, deviation),
            splits=_THREE,
            licence="public domain text, rendered here",
            source="verses of the King James Bible drawn in DejaVu Sans",
            metric=CharacterError,
            note=f"100 rendered lines with Gaussian noise of {deviation} (of 255) a pixel; neither "
            "scanned nor handwritten",
        )
        for deviation in (40, 120, 200)
    },
    **{
        name: _Source(
            read=functools.partial(tabular_mlps.samples, name),
            splits=_THREE,
            licence="read from its package, not copied",
            source=table.source,
            note=table.note,
        )
        for name, table in tabular_mlps.TABLES.items()
    },
    "lee": _Source(
        read=lambda split: minilm.lee(split),
        splits=_TWO,
        licence="read from gensim's tests, not copied",
        source="Lee, Pincombe, Welsh (2005), An empirical evaluation of models of text document "
        "similarity (in gensim)",
        metric=lambda: PearsonSimilarity(50),
        note="50 short news texts, 1225 pairs that share them: the interval is about 0.1 wide",
    ),
}
"""Data set name -> where its splits come from."""


def _own(path: Path, split: str, limit: int | None) -> Data:
    """Data of a file of one's own."""
    if split != "test":
        raise DataError(f"{path}: split={split!r}; a file holds one split, 'test'")
    if path.suffix == ".npy":
        raise DataError(
            f"{path} holds one array; allowed: an .npz file of x and y, written by "
            "numpy.savez('mine.npz', x=x, y=y)"
        )
    return (tables.load_table if path.suffix in tables.SUFFIXES else load_file)(path, limit)


@named
def load_data(name: str | os.PathLike[str], split: str = "test", limit: int | None = None) -> Data:
    """A data set by name: "fashion-mnist", "digits", "breast-cancer", "magika-files", or a text
    ("kjv", "kjv-smollm2"); or one's own by the path of an .npz, .csv or .parquet file.

    An .npz file holds the arrays inputs and labels (or x and y), optionally calibration, and texts:
    metric, better, licence, source, note; `Data` says what they are. Of a model with several inputs
    the arrays are called inputs.NAME. A table has a column called label, and inputs in the others.
    split : "test", "calibration" (training samples, for activation ranges) or, for some, "train".
    limit : the first `limit` samples alone; None for all. Raises DataError for an unknown name or
    split, a file that is missing or altered (it names the file), or a limit below 1; ImportError
    says which optional package to install.

    >>> pim.load_data("digits", limit=50)
    <Data digits, test: 50 samples (64,), accuracy, BSD-3-Clause>
    """
    check_limit(name, limit)
    kinds = (".npz", ".npy", *tables.SUFFIXES)
    if isinstance(name, os.PathLike) or (isinstance(name, str) and name.endswith(kinds)):
        return _own(Path(name), split, limit)
    if not isinstance(name, str):
        raise TypeError(
            f"data {name!r} is not a name; write for example pimlab.load_data('digits', "
            "split='test')"
        )
    if name not in SOURCES:
        raise DataError(
            f"data {name!r} is not known{nearest(str(name), SOURCES)} (known: "
            f"{', '.join(sorted(SOURCES))})"
        )
    origin = SOURCES[name]
    if split not in origin.splits:
        raise DataError(
            f"data {name!r} has no split {split!r}{nearest(str(split), origin.splits)} (splits: "
            f"{', '.join(origin.splits)})"
        )
    inputs, labels = origin.read(split)
    return Data(
        inputs[:limit],
        labels[:limit],
        name=name,
        split=split,
        metric=origin.metric(),
        calibration=functools.partial(load_data, name, split="calibration"),
        licence=origin.licence,
        source=origin.source,
        note=origin.note,
    )
