"""Which models come with the project, and how is any other one loaded?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pimlab.values import nearest
from pimlab.workload import files, lines, sentences
from pimlab.workload.model import Model, ModelError

VENDORED = {
    "fashion-cnn": "models/fashion-cnn.onnx",
    "digits-mlp": "models/digits-mlp.onnx",
    "cancer-mlp": "models/cancer-mlp.onnx",
    "magika": "models/magika.onnx",
}
"""Model name -> file in datasets/. Language models, and shapes without weights, are in `language.MODELS`."""


OPTIONAL: dict[str, Callable[..., Model]] = {"minilm": sentences.minilm, "minilm-int8": sentences.minilm_int8, "ocr": lines.recogniser}
"""Model name -> what builds it of optional packages; they say what to install."""


def load_model(name: str | Path, *, dims: Mapping[str, int] | None = None) -> Model:
    """A model by name, or from the path of an ONNX or GGUF file.

    name : one of the project's models ("fashion-cnn", "digits-mlp", "cancer-mlp", "magika", "small-lm"), one made of an
    optional package ("minilm", "smollm2-135m", ...), a shape without weights ("llama2-7b", ...), or a path to a file.
    dims : sizes of the dimensions that an ONNX file leaves open, besides the batch, such as {"sequence": 128}.
    Raises ModelError for an unknown name, a damaged file, or an operator that no target executes; DataError when a
    vendored file is not the one that was published; ImportError says which optional package to install.
    """
    from pimlab.workload import language
    from pimlab.workload.onnx_split import OnnxModel

    text = str(name)
    if text in VENDORED:
        return OnnxModel(files.verified(VENDORED[text]), name=text, dims=dims)
    if text in OPTIONAL:
        return OPTIONAL[text]() if dims is None else OPTIONAL[text](dict(dims))
    path = Path(name)
    if path.suffix == ".gguf":
        return language.load_gguf(path)
    if path.suffix == ".onnx" or path.exists():
        return OnnxModel(path, dims=dims)
    if text in language.MODELS:
        return language.MODELS[text]()
    known = {*VENDORED, *OPTIONAL, *language.MODELS}
    raise ModelError(
        f"model {text!r} is not known{nearest(text, known)} (known: {', '.join(sorted(known))}, or the path of an .onnx or .gguf file)"
    )
