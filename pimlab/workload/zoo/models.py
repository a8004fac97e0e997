"""Which models come with the project, and how is any other one loaded?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from pimlab.values import nearest
from pimlab.workload import files
from pimlab.workload.model import Model, ModelError
from pimlab.workload.zoo import minilm, ocr, tabular_mlps

VENDORED = {
    "fashion-cnn": "models/fashion-cnn.onnx",
    "digits-mlp": "models/digits-mlp.onnx",
    "cancer-mlp": "models/cancer-mlp.onnx",
    "magika": "models/magika.onnx",
}
"""Model name -> file in datasets/. Language models, and shapes without weights, are in
`language.MODELS`.
"""

OPTIONAL: dict[str, Callable[..., Model]] = {
    "minilm": minilm.minilm,
    "minilm-int8": minilm.minilm_int8,
    "ocr": ocr.recogniser,
}
"""Model name -> what builds it, for `dims` or its own, of an optional package that it names when
missing.
"""

TRAINED: dict[str, Callable[[], Model]] = {
    f"{name}-mlp": functools.partial(tabular_mlps.network, name) for name in tabular_mlps.TABLES
}
"""Model name -> what trains it on a table of an optional package."""


def load_model(name: str | Path, *, dims: Mapping[str, int] | None = None) -> Model:
    """A model by name, or from the path of an ONNX or GGUF file.

    name : one of the project's models ("fashion-cnn", "digits-mlp", "cancer-mlp", "magika",
    "small-lm"), one made of an optional package ("minilm", "smollm2-135m", ...), a shape without
    weights ("llama2-7b", ...), or a path to a file.
    dims : sizes of the dimensions that an ONNX file leaves open, besides the batch, such as
    {"sequence": 128}.
    Raises TypeError for what is no text, ModelError for an unknown name, a damaged file, or an
    operator that no target executes; DataError when a vendored file is not the one that was
    published; ImportError says which optional package to install.

    >>> pim.load_model("digits-mlp")
    <OnnxModel digits-mlp: 2 MAC operators, 4,736 MACs an inference, 4,810 parameters in them>
    """
    from pimlab.workload.importers.onnx_split import OnnxModel

    if not isinstance(name, (str, Path)):
        raise TypeError(
            f"model {name!r} is neither a name nor a path; write for example "
            "pimlab.load_model('fashion-cnn')"
        )
    text, path = str(name), Path(name)
    if text in VENDORED:
        return OnnxModel(files.verified(VENDORED[text]), name=text, dims=dims)
    if text in OPTIONAL:
        return OPTIONAL[text](dict(dims) if dims else None)
    if path.suffix == ".onnx":
        return OnnxModel(path, dims=dims)
    if dims:
        raise ModelError(
            f"model {text!r} with dims={dict(dims)}: only ONNX files have dimensions to fix"
        )
    return _without_dims(text, path)


def _without_dims(text: str, path: Path) -> Model:
    from pimlab.workload.importers.onnx_split import OnnxModel
    from pimlab.workload.language import MODELS, hyperscale, load_gguf
    from pimlab.workload.zoo.hyperscale import UNPUBLISHED

    if text in TRAINED or text in MODELS:
        return {**TRAINED, **MODELS}[text]()
    if path.suffix == ".gguf":
        return load_gguf(path)
    if path.exists():
        return OnnxModel(path)
    if text in UNPUBLISHED:
        return hyperscale(text)
    known = [*VENDORED, *OPTIONAL, *TRAINED, *MODELS]
    raise ModelError(
        f"model {text!r} is not known{nearest(text, known)} "
        f"(known: {', '.join(sorted(known))}, or the path of an .onnx or .gguf file)"
    )
