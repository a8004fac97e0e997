"""Is this ONNX file one that can be split? It is read, checked, and its functions written out."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pimlab.values import nearest
from pimlab.workload.importers import functions, limits, microsoft
from pimlab.workload.importers.host_runtime import first_line
from pimlab.workload.importers.limits import label, subgraphs
from pimlab.workload.model import ModelError

MAC_TYPES = ("Conv", "ConvInteger", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger")
"""Operator types whose multiply-accumulates a target executes."""

WRITTEN = (
    "Einsum",
    "GRU",
    "LSTM",
    "MatMulNBits",
    "QGemm",
    "QLinearConv",
    "QLinearMatMul",
    "RNN",
)
"""Operator types that are written as those (`lowering`)."""

BODIES = ("If", "Loop", "Scan")
"""Operator types whose bodies are written out where they multiply."""

REFUSED = frozenset({"DeformConv"})
"""Standard operator types that hold multiply-accumulates in a form that is not split."""

_MICROSOFT = ("MatMulNBits", "QGemm", *microsoft.FORMS)
"""Operators of com.microsoft that are read."""

RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)

VERSION = 21
"""The version of the standard that graphs are declared in, where they use nothing newer."""

IR = 10
"""The version of the file format that graphs are handed on in: every ONNX Runtime here reads it,
and nothing that it leaves out is used.
"""

ML_HOST = frozenset(
    {
        "ArrayFeatureExtractor",
        "Binarizer",
        "FeatureVectorizer",
        "Imputer",
        "LabelEncoder",
        "Normalizer",
        "OneHotEncoder",
        "Scaler",
    }
)
"""Operators of ai.onnx.ml that the host runs: they prepare features or name labels."""

_LINEAR = ("LinearClassifier", "LinearRegressor")
"""Operators of ai.onnx.ml that are written as products (`linear_models`)."""

_DOMAINS = ("", "ai.onnx")


def read(path: Path) -> tuple[Any, str]:
    """The ONNX model in `path`, and the sha256 of the file and of all files beside it that hold
    its weights; ModelError when one is missing or damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise ModelError(f"{path} is not a file; allowed: the path of an ONNX file")
    try:
        bare = onnx.load(path, load_external_data=False)
        beside = sorted({name for tensor in _tensors(bare.graph) for name in _locations(tensor)})
        model = onnx.load(path) if beside else bare
        return model, _digest(path, beside)
    except (
        DecodeError,
        OSError,
        RecursionError,
        UnicodeDecodeError,
        ValueError,  # external data cut short
        onnx.checker.ValidationError,
    ) as error:
        raise ModelError(
            f"{path.name} is damaged or no valid ONNX file ({first_line(error)})"
        ) from error


@contextlib.contextmanager
def damage_named(file: str) -> Iterator[None]:
    """Turns what a damaged file makes of its own reading into a ModelError that names it."""
    from google.protobuf.message import DecodeError, EncodeError

    try:
        yield
    except ModelError:
        raise
    except (DecodeError, EncodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(
            f"{file} is damaged or no valid ONNX file ({first_line(error)})"
        ) from error


def _digest(path: Path, beside: list[str]) -> str:
    if not beside:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256(path.read_bytes())
    for name in beside:
        with (path.parent / name).open("rb") as file:
            total.update(f"\0{name}\0".encode())
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor that a graph and the graphs inside it hold."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for inner in subgraphs(node):
            yield from _tensors(inner)


def _locations(tensor: Any) -> list[str]:
    """The file beside the model that holds a tensor's values, if any."""
    return [entry.value for entry in tensor.external_data if entry.key == "location"]


def prepare(model: Any, file: str, output: str | None = None) -> str:
    """Make a model ready to be split, in place, and name the output that answers; ModelError when
    it is not valid ONNX or holds what no target executes.

    output : which output; None for the first. With a name, what only others need is left out.
    """
    limits.check_nesting(model.graph, file)
    _drop_listed_constants(model)
    _check(model, file)
    name = _chosen(model.graph, output, file)
    if output is not None:
        _prune(model.graph, name)
    functions.write_out(model, file)
    for node in model.graph.node:
        _refuse(node, file)
    _refuse_training(model, file)
    _lower_version(model)
    model.ir_version = IR
    return name


def _drop_listed_constants(model: Any) -> None:
    """Up to IR 3 every constant was listed among the inputs as well, as its default."""
    constants = {tensor.name for tensor in model.graph.initializer}
    free = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(free)
    model.ir_version = max(model.ir_version, 4)


def _check(model: Any, file: str) -> None:
    import onnx
    from google.protobuf.message import EncodeError

    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"{file}: tensor {tensor.name!r} is in the file {_locations(tensor)}, which was "
                "not read; give the path of the ONNX file"
            )
    for value in model.graph.output:  # the checker insists on a shape that is found by running
        if value.type.WhichOneof("value") in ("tensor_type", None):
            value.type.tensor_type.shape.SetInParent()
    for node in model.graph.node:
        _refuse_garbled(node, file)
        _refuse_unknown(node, model, file)
    try:
        onnx.checker.check_model(_checkable(model))
    except (onnx.checker.ValidationError, UnicodeDecodeError, EncodeError, ValueError) as error:
        raise ModelError(
            f"{file} is damaged or no valid ONNX file ({first_line(error)})"
        ) from error
    if len(model.graph.output) == 0:
        raise ModelError(f"{file} has no output; allowed: a graph with one output or more")


def _refuse_garbled(node: Any, file: str) -> None:
    """ModelError where a node's texts are no UTF-8: they come as bytes then."""
    texts = [node.op_type, node.domain, node.name, *node.input, *node.output]
    texts += [attribute.name for attribute in node.attribute]
    if bad := next((text for text in texts if not isinstance(text, str)), None):
        raise ModelError(f"{file} is damaged: a node holds the name {bad!r}, which is no text")


def _checkable(model: Any) -> Any:
    """The model, without what ONNX Runtime adds to the standard's domain, which the checker does
    not know.
    """
    if not any(node.op_type in microsoft.EARLY for node in model.graph.node):
        return model
    copy = type(model)()
    copy.CopyFrom(model)
    copy.opset_import.add(domain="com.microsoft", version=1)
    for node in copy.graph.node:
        if node.op_type in microsoft.EARLY and node.domain in _DOMAINS:
            node.domain = "com.microsoft"
    return copy


def _refuse_unknown(node: Any, model: Any, file: str) -> None:
    """ModelError for an operator of a standard domain that no version of ONNX here defines."""
    from onnx import defs

    versions = {opset.domain: opset.version for opset in model.opset_import}
    version = versions.get(node.domain, versions.get("ai.onnx", 1))
    local = {(f.domain, f.name) for f in model.functions}
    if node.domain not in (*_DOMAINS, "ai.onnx.ml") or (node.domain, node.op_type) in local:
        return
    domain = "" if node.domain == "ai.onnx" else node.domain
    if not defs.has(node.op_type, version, domain) and node.op_type not in microsoft.EARLY:
        raise ModelError(
            f"{file}: node {label(node)!r} is of type {node.op_type!r}, which version {version} "
            f"of {node.domain or 'ONNX'} does not define (the package onnx here knows versions up "
            f"to {defs.onnx_opset_version()})"
        )


def _chosen(graph: Any, output: str | None, file: str) -> str:
    names = [value.name for value in graph.output]
    if output is not None and output not in names:
        raise ModelError(
            f"{file} has no output {output!r}{nearest(output, names)} (outputs: {', '.join(names)})"
        )
    value = graph.output[0 if output is None else names.index(output)]
    if not value.type.HasField("tensor_type"):
        held = value.type.WhichOneof("value").removesuffix("_type")
        others = [v.name for v in graph.output if v.type.HasField("tensor_type")]
        choice = f", such as output={others[0]!r}" if others else ""
        raise ModelError(
            f"{file}: output {value.name!r} is a {held}; allowed: a tensor of numbers{choice}"
        )
    return str(value.name)


def _prune(graph: Any, name: str) -> None:
    """Keep what the output `name` needs."""
    wanted, kept = {name}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(reads(node))
            kept.append(node)
    output = next(value for value in graph.output if value.name == name)
    inputs = [value for value in graph.input if value.name in wanted]
    tensors = [tensor for tensor in graph.initializer if tensor.name in wanted]
    for field, values in (
        (graph.node, kept[::-1]),
        (graph.input, inputs),
        (graph.initializer, tensors),
        (graph.output, [output]),
    ):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)


def _lower_version(model: Any) -> None:
    """Declare the oldest version of the standard that says the same of every operator here: an
    operator is what it became in the version that changed it last. Programs lag behind versions.
    """
    from onnx import defs

    for opset in model.opset_import:
        if opset.domain in _DOMAINS:
            kinds = {node.op_type for node in _all_nodes(model.graph) if node.domain in _DOMAINS}
            known = [kind for kind in kinds if defs.has(kind, opset.version, "")]
            since = {defs.get_schema(kind, opset.version, "").since_version for kind in known}
            opset.version = min(opset.version, max(since | {VERSION}))


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        yield from inner_nodes(node)


def _refuse_training(model: Any, file: str) -> None:
    """ModelError for a node that behaves as in training: by chance, or by what is in the batch."""
    from onnx import TensorProto, numpy_helper

    false = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.BOOL and not numpy_helper.to_array(tensor).any()
    }
    false |= {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Constant" and not any(a.t.raw_data.strip(b"\0") for a in node.attribute)
    }
    for node in model.graph.node:
        flag = any(a.name == "training_mode" and a.i for a in node.attribute)
        given = (
            node.op_type == "Dropout" and len(node.input) > 2 and node.input[2] not in ("", *false)
        )
        if flag or given:
            raise ModelError(
                f"{file}: node {label(node)!r} ({node.op_type}) is in training mode, or may be; "
                "allowed: a model exported for inference"
            )


def _refuse(node: Any, file: str) -> None:
    supported = f"supported MAC operators: {', '.join((*MAC_TYPES, *WRITTEN))}"
    name = f"{file}: node {label(node)!r}"
    article = "an" if node.op_type[0] in "AEI" or node.op_type in ("LSTM", "RNN") else "a"
    if node.domain == "ai.onnx.ml" and (node.op_type in ML_HOST or node.op_type in _LINEAR):
        return
    if node.domain == "ai.onnx.ml":
        raise ModelError(
            f"{name} is an ai.onnx.ml.{node.op_type}, a step of a classical pipeline (skl2onnx "
            "writes them), which no target executes; allowed: neural networks, such as an "
            "MLPClassifier, whose output of numbers is chosen with output='probabilities'"
        )
    if node.domain == "com.microsoft" and node.op_type in _MICROSOFT:
        return
    if node.domain not in _DOMAINS:
        raise ModelError(
            f"{name} is {node.domain}.{node.op_type}, an operator outside the ONNX standard; "
            f"{supported}"
        )
    if node.op_type in RANDOM:
        raise ModelError(
            f"{name} is {article} {node.op_type}, which draws other numbers in every run; "
            "allowed: graphs whose answer follows from their inputs"
        )
    if node.op_type in REFUSED:
        raise ModelError(
            f"{name} is {article} {node.op_type}, which no target executes; {supported}"
        )
    for inner in inner_nodes(node):
        held = inner.op_type in (*MAC_TYPES, *WRITTEN) and node.op_type not in BODIES
        if held or inner.op_type in REFUSED or inner.domain not in _DOMAINS:
            raise ModelError(
                f"{name} is {article} {node.op_type} that holds the {inner.op_type} "
                f"{inner.name!r}, which no target "
                f"executes inside a branch or loop; {supported} outside of them"
            )


def inner_nodes(node: Any) -> Iterator[Any]:
    """All nodes in the graphs that a node holds (branches of an If, bodies of loops)."""
    for graph in subgraphs(node):
        for inner in graph.node:
            yield inner
            yield from inner_nodes(inner)


def reads(node: Any) -> list[str]:
    """Names of the tensors a node reads, with those its inner graphs take from outside (and some
    they make).
    """
    names = [name for name in node.input if name]
    for graph in subgraphs(node):
        names += [value.name for value in graph.output]
        for inner in graph.node:
            names += reads(inner)
    return names
