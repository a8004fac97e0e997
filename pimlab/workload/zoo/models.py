"""Which models come with the project, and how is any other one loaded?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pimlab.arguments import named
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


@named
def load_model(
    name: Any,
    *,
    dims: Mapping[str, int] | None = None,
    output: str | None = None,
    example: Any = None,
) -> Model:
    """A model by name, or from the path of an ONNX, GGUF or safetensors file, or of a program that
    torch.export saved.

    name : one of the project's models ("fashion-cnn", "digits-mlp", "cancer-mlp", "magika",
    "small-lm"), one made of an optional package ("minilm", "smollm2-135m", ...), a shape without
    weights ("llama2-7b", ...), or a path to a file. A .safetensors file has a Hugging Face
    config.json beside it; a folder that holds both is read whole; a config.json alone is a shape
    without weights, for costs (of GPT-2 and OPT as well). A .pt2 file needs the optional package
    torch.
    dims : sizes of the dimensions that an ONNX file leaves open, such as {"sequence": 128}; with
    the name of the batch, an inference is a batch of that size.
    output : name of the output of an ONNX file that answers; None for its first.
    example : array (n, ...), or arrays by input name, that fit an ONNX file whose inputs cannot be
    drawn at random (shapes, indices), or a .pt2 file that holds no inputs.
    Raises TypeError for what is no text, ModelError for an unknown name, a damaged file, or an
    operator that no target executes; DataError when a vendored file is not the one that was
    published; ImportError says which optional package to install.

    >>> pim.load_model("digits-mlp")
    <OnnxModel digits-mlp: 2 MAC operators, 4,736 MACs an inference, 4,810 parameters in them>
    """
    from pimlab.workload.importers.onnx_split import OnnxModel

    if not isinstance(name, (str, Path)):
        raise TypeError(_no_path(name))
    text, path = str(name), Path(name)
    if text in OPTIONAL and output is None and example is None:
        return OPTIONAL[text](dict(dims) if dims else None)
    if text in VENDORED or path.suffix == ".onnx":
        source = files.verified(VENDORED[text]) if text in VENDORED else path
        label = text if text in VENDORED else None
        return OnnxModel(source, name=label, dims=dims, output=output, example=example)
    if path.suffix == ".pt2" and dims is None and output is None:
        from pimlab.workload.importers.torch_export import load_program

        return load_program(path, example)
    given = {"dims": dims, "output": output, "example": example}
    for argument, value in given.items():
        if value is not None:
            raise ModelError(
                f"model {text!r} with {argument}={value!r}: only ONNX files take {argument}"
            )
    return _without_dims(text, path)


def _no_path(model: Any) -> str:
    """What to write for a model that is an object in memory."""
    kinds = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    shown = f"{type(model).__name__} object"
    if "torch" in kinds:
        return (
            f"model {shown} is a torch module; write it to a file with torch.onnx.export(model, "
            "(example,), 'model.onnx', dynamo=True) and then pimlab.load_model('model.onnx'), or "
            "give it to pimlab.workload.TorchModel(model, example)"
        )
    if "sklearn" in kinds:
        return (
            f"model {shown} is of scikit-learn; write it to a file with skl2onnx.to_onnx(model, "
            "x[:1].astype('float32'), options={'zipmap': False}), save its SerializeToString() as "
            "'model.onnx', and then pimlab.load_model('model.onnx', output='probabilities') "
            "(networks such as MLPClassifier; trees and kernels multiply no matrices)"
        )
    if "onnx" in kinds:
        return (
            f"model {shown} is an onnx graph in memory; write pimlab.workload.OnnxModel(model), or "
            "the path of its file"
        )
    if "keras" in kinds or "tensorflow" in kinds:
        return (
            f"model {shown} is of Keras; write model.export('model.onnx', format='onnx') and then "
            "pimlab.load_model('model.onnx')"
        )
    return (
        f"model {model!r} is neither a name nor a path; write for example "
        "pimlab.load_model('fashion-cnn')"
    )


def _without_dims(text: str, path: Path) -> Model:
    from pimlab.workload.importers.hf_config import config
    from pimlab.workload.importers.hf_costs import cost_shape_of
    from pimlab.workload.importers.hf_model import load_huggingface
    from pimlab.workload.importers.onnx_split import OnnxModel
    from pimlab.workload.language import MODELS, hyperscale, load_gguf
    from pimlab.workload.zoo.hyperscale import UNPUBLISHED, HyperscaleModel

    if text in TRAINED or text in MODELS:
        return {**TRAINED, **MODELS}[text]()
    if path.suffix == ".gguf":
        return load_gguf(path)
    if path.name == "config.json":
        return HyperscaleModel(path.parent.name or text, cost_shape_of(config(path), text))
    if path.suffix == ".safetensors" or (path / "config.json").is_file():
        return load_huggingface(path)
    if path.exists():
        return OnnxModel(path)
    if text in UNPUBLISHED:
        return hyperscale(text)
    known = [*VENDORED, *OPTIONAL, *TRAINED, *MODELS]
    raise ModelError(
        f"model {text!r} is not known{nearest(text, known)} "
        f"(known: {', '.join(sorted(known))}, or the path of an .onnx, .gguf, .safetensors or .pt2 "
        "file)"
    )
