"""Which models come with the project, and how is any other one loaded?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pimlab.values import nearest
from pimlab.workload import files
from pimlab.workload.model import Model, ModelError

VENDORED = {
    "fashion-cnn": "models/fashion-cnn.onnx",
    "digits-mlp": "models/digits-mlp.onnx",
    "cancer-mlp": "models/cancer-mlp.onnx",
    "magika": "models/magika.onnx",
}
"""Model name -> file in datasets/. Language models, and shapes without weights, are in `language.MODELS`."""


def load_model(name: str | Path, *, dims: Mapping[str, int] | None = None) -> Model:
    """A model by name, or from the path of an ONNX or (LLaMA family) GGUF file.

    name : one of the project's models ("fashion-cnn", "digits-mlp", "cancer-mlp", "magika"), a language model
    ("small-lm"; "smollm2-135m", from an optional package; shapes without weights such as "llama2-7b"), or a path.
    dims : sizes of the dimensions that an ONNX file leaves open, besides the batch, such as {"sequence": 128}.
    Raises ModelError for an unknown name, a damaged file, or an operator that no target executes; DataError when a
    vendored file is not the one that was published.
    """
    from pimlab.workload.language import MODELS, load_gguf
    from pimlab.workload.onnx_split import OnnxModel

    if str(name) in MODELS:
        return MODELS[str(name)]()
    if str(name) in VENDORED:
        return OnnxModel(files.verified(VENDORED[str(name)]), name=str(name), dims=dims)
    path = Path(name)
    if path.suffix == ".gguf":
        return load_gguf(path)
    if path.suffix == ".onnx" or path.exists():
        return OnnxModel(path, dims=dims)
    raise ModelError(f"model {str(name)!r} is not known{nearest(str(name), [*VENDORED, *MODELS])} "
                     f"(known: {', '.join(sorted([*VENDORED, *MODELS]))}, or the path of an .onnx or .gguf file)")  # fmt: skip
