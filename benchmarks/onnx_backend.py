"""Which of the standard's own test cases does the importer answer as the standard does? `python -m
benchmarks.onnx_backend [NAME ...]`.

The cases are those of the package `onnx`: its node tests, its small models, what PyTorch exported,
and its nine networks with generated weights. Each is tried as it stands and once more with every
input but the first turned into a constant, as a file ships weights. A case is equal when an
answer equals the published one, wrong when an answer does not, refused when a ModelError names the
reason, and crashed at any other error.
"""

from __future__ import annotations

import argparse
import collections
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pimlab.workload import ModelError, OnnxModel

RTOL, ATOL, OF_PEAK = 1e-3, 1e-5, 1e-6
"""Agreement asked of floats: rtol as the cases themselves say; sums of another order differ by a
part of the largest value.
"""
STEP = 1
"""Codes that a quantised output may differ by: where a value stands half-way between two."""


class Case(NamedTuple):
    """A model of the suite with inputs and published outputs, each None where it is no tensor."""

    name: str
    model: Any
    inputs: list[Any]
    outputs: list[Any]


class Verdict(NamedTuple):
    """What came of a case: "equal", "wrong", "refused" or "crashed", and why."""

    name: str
    way: str
    result: str
    reason: str = ""


def node_cases() -> Iterator[Case]:
    """The tests of single operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        found = collect_testcases(None)
    for case in found:
        for inputs, outputs in case.data_sets[:1]:
            yield Case(case.name, case.model, _arrays(inputs), _arrays(outputs))


def file_cases() -> Iterator[Case]:
    """The small models and PyTorch's exports, which lie in the package as files."""
    import onnx
    from onnx.backend.test.loader import load_model_tests

    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for case in load_model_tests(kind=kind):
            folder = Path(case.model_dir)
            model = onnx.load(folder / "model.onnx")
            inputs, outputs = (
                [_stored(path) for path in _numbered(folder / "test_data_set_0", side)]
                for side in ("input", "output")
            )
            yield Case(case.name, model, inputs, outputs)


def light_cases() -> Iterator[Case]:
    """Nine image networks whose weights their graphs generate."""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    for path in sorted(folder.glob("*.onnx")):
        model = onnx.load(path)
        constants = {tensor.name for tensor in model.graph.initializer}
        inputs = [
            np.ones([dim.dim_value for dim in value.type.tensor_type.shape.dim], np.float32)
            for value in model.graph.input
            if value.name not in constants
        ]
        output = _stored(path.with_name(f"{path.stem}_output_0.pb"))
        yield Case(path.stem, model, inputs, [output])


def _numbered(folder: Path, side: str) -> list[Path]:
    return sorted(folder.glob(f"{side}_*.pb"), key=lambda path: int(path.stem.split("_")[1]))


def _stored(path: Path) -> np.ndarray | None:
    """The tensor in a file; None where it holds a sequence or map."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))
    except (DecodeError, TypeError, ValueError, RuntimeError):
        return None


def _arrays(values: Any) -> list[Any]:
    from onnx import TensorProto, numpy_helper

    read = [numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for v in values]
    return [
        np.asarray(value) if isinstance(value, (np.ndarray, np.generic, float, int)) else None
        for value in read
    ]


def verdicts(case: Case) -> list[Verdict]:
    """The case as it stands, and with its weights as constants where that differs."""
    ways = [("as it stands", case)]
    if (other := _with_constants(case)) is not None:
        ways.append(("weights as constants", other))
    return [_verdict(one, way) for way, one in ways]


def _with_constants(case: Case) -> Case | None:
    """The case with all inputs but the first as initializers; None where there are none."""
    import onnx
    from onnx import numpy_helper

    held = {tensor.name for tensor in case.model.graph.initializer}
    free = [value.name for value in case.model.graph.input if value.name not in held]
    if len(free) < 2 or len(free) != len(case.inputs) or any(x is None for x in case.inputs):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name)
        for name, array in zip(free[1:], case.inputs[1:], strict=True)
    )
    return case._replace(model=model, inputs=case.inputs[:1])


def _verdict(case: Case, way: str) -> Verdict:
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for value, wanted in zip(case.model.graph.output, case.outputs, strict=True):
                if (fault := _fault(case, value.name, wanted)) is not None:
                    return Verdict(case.name, way, "wrong", fault)
        return Verdict(case.name, way, "equal")
    except ModelError as error:
        return Verdict(case.name, way, "refused", str(error))
    except Exception as error:  # what is counted here is that there are none
        return Verdict(case.name, way, "crashed", f"{type(error).__name__}: {error}")


def _fault(case: Case, output: str, wanted: Any) -> str | None:
    """How an output differs from the published one; None where it does not. ModelError where it is
    refused.
    """
    held = {tensor.name for tensor in case.model.graph.initializer}
    names = [value.name for value in case.model.graph.input if value.name not in held]
    if any(x is None for x in case.inputs[: len(names)]):
        OnnxModel(case.model, output=output)  # refuses what is no tensor
        raise ModelError("no tensor can be given to it")
    feeds = dict(zip(names, case.inputs, strict=False))
    model = _loaded(case.model, output, feeds)
    needed = {name: feeds[name] for name in model.shapes}
    return _difference(model.execute(needed, model.exact), wanted, model)


def _loaded(proto: Any, output: str, feeds: dict[str, np.ndarray]) -> OnnxModel:
    """The model of a case, with the sizes that a refusal asks for: first those behind the batch,
    then the batch.
    """
    held = {tensor.name for tensor in proto.graph.initializer}
    sizes: dict[str, int] = {}
    firsts: dict[str, int] = {}
    for value in proto.graph.input:
        if value.name in held or not value.type.tensor_type.HasField("shape"):
            continue
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.dim_value <= 0:
                name = dim.dim_param or f"{value.name}[{axis}]"
                (sizes if axis else firsts)[name] = feeds[value.name].shape[axis]
    try:
        return OnnxModel(proto, output=output, example=feeds, dims=sizes)
    except ModelError:
        if not firsts:
            raise
        return OnnxModel(proto, output=output, example=feeds, dims=sizes | firsts)


def _difference(answer: np.ndarray, wanted: np.ndarray, model: OnnxModel) -> str | None:
    if model.axis:  # a batch that the file has elsewhere comes first here
        wanted = np.moveaxis(wanted, model.axis, 0)
    if model.axis is None and answer.shape == (1, *wanted.shape):
        answer = answer[0]
    if answer.shape != wanted.shape:
        return f"shape {answer.shape}, published {wanted.shape}"
    if answer.dtype != wanted.dtype:
        return f"type {answer.dtype}, published {wanted.dtype}"
    if answer.dtype.kind in "iu" and answer.dtype.itemsize == 1:
        near = np.abs(answer.astype(np.int64) - wanted.astype(np.int64)) <= STEP
    else:
        finite = np.abs(wanted[np.isfinite(wanted)].astype(np.float64))
        near = np.isclose(
            answer.astype(np.float64),
            wanted.astype(np.float64),
            rtol=RTOL,
            atol=ATOL + OF_PEAK * finite.max(initial=0.0),
            equal_nan=True,
        )
    return None if near.all() else f"{np.count_nonzero(~near)} of {near.size} values differ"


def reason(text: str) -> str:
    """A refusal without the names and numbers of its case."""
    text = re.sub(r"^[^:]*: ", "", text)
    text = re.sub(r"'[^']*'", "'...'", text)
    return re.sub(r"\d+", "N", text)[:110]


def table(found: list[Verdict]) -> str:
    """Cases by result, and refusals by reason: a case counts by its best way, wrong and crashed by
    any.
    """
    order = ("crashed", "wrong", "equal", "refused")
    by_case: dict[str, Verdict] = {}
    for verdict in found:
        held = by_case.get(verdict.name)
        if held is None or order.index(verdict.result) < order.index(held.result):
            by_case[verdict.name] = verdict
    counts = collections.Counter(verdict.result for verdict in by_case.values())
    lines = [f"{len(by_case)} cases, {len(found)} ways to read them"]
    lines += [
        f"{counts[result]:6d} {result}" for result in ("equal", "refused", "wrong", "crashed")
    ]
    reasons = collections.Counter(
        reason(verdict.reason) for verdict in by_case.values() if verdict.result == "refused"
    )
    lines += ["", "refused:", *(f"{n:6d} {text}" for text, n in reasons.most_common())]
    bad = [v for v in by_case.values() if v.result in ("wrong", "crashed")]
    lines += [f"{v.result}: {v.name} ({v.way}): {v.reason}" for v in bad]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 where a case is wrong or crashed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_backend", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of case names (default: every case)")
    parser.add_argument("--light", action="store_true", help="the nine networks as well (minutes)")
    parser.add_argument("--each", action="store_true", help="a line a case, too")
    options = parser.parse_args(arguments)
    found = []
    for source in (node_cases, file_cases, *([light_cases] if options.light else [])):
        for case in source():
            if not options.names or any(part in case.name for part in options.names):
                found += verdicts(case)
    if options.each:
        for verdict in found:
            print(*verdict, sep="\t")
    print(table(found))
    return int(any(v.result in ("wrong", "crashed") for v in found))


if __name__ == "__main__":
    sys.exit(main())
