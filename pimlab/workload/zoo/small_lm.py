"""What is in the project's own language model? The arrays that datasets/train/train_small_lm.py
wrote.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.language.tokens import BytePairs
from pimlab.workload.model import ModelError

VOCABULARY = "kjv-1024"
"""Name of the tokenizer whose merges the model file holds."""


def load_small(path: str | Path, name: str, sha256: str) -> LanguageModel:
    """The model of an .npz file of the training script; ModelError names the file where it is
    damaged.

    The file holds `shape` (JSON), `merges` int16, shape (merges, 2), and float16 arrays by the
    names of the model; the head is the transposed embedding where it has no array of its own.
    """
    arrays = _arrays(Path(path))
    shape = DecoderShape(**json.loads(str(arrays.pop("shape"))))
    tokenizer = BytePairs(VOCABULARY, arrays.pop("merges"))
    arrays.pop("facts")
    floats = {key: value.astype(np.float32) for key, value in arrays.items()}
    weights = {
        key: value[None] for key, value in floats.items() if value.ndim == 2 and key != "embedding"
    }
    weights.setdefault("head", floats["embedding"].T[None])
    parameters = {
        key: value for key, value in floats.items() if value.ndim == 1 or key == "embedding"
    }
    return LanguageModel(
        name=name,
        sha256=sha256,
        shape=shape,
        tokenizer=tokenizer,
        weights=weights,
        parameters=parameters,
    )


def training_facts(path: str | Path) -> dict[str, float]:
    """What the training script measured: perplexities of the calibration and test books, and of
    n-gram models. Unit 1.
    """
    return json.loads(str(_arrays(Path(path))["facts"]))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return dict(file)
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ModelError(
            f"{path.name}: damaged, or no model of datasets/train/train_small_lm.py: {error}"
        ) from error
