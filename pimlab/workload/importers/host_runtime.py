"""Which program computes what is no product? ONNX Runtime, and where it has no kernel, the
reference implementation in the package `onnx`, which is slow and covers the standard.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pimlab.workload.importers.limits import REFERENCE_ERRORS, SECONDS
from pimlab.workload.model import ModelError

Runner = Any
"""A `Session` or a `Reference`: run(outputs, feeds), get_inputs(), get_outputs()."""


class Named(NamedTuple):
    """A graph's input or output, as a runner lists it."""

    name: str


class HostError(ModelError):
    """No program here computes a graph, or computes it for the values it was given."""


class TypeNotHandedOver(HostError):
    """ONNX Runtime computes a tensor of a type that it does not give to Python."""


class Session:
    """A single-thread ONNX Runtime session that can be sent to another process, which makes its own
    of the same bytes.
    """

    def __init__(self, content: bytes, level: str):
        import onnxruntime

        levels = onnxruntime.GraphOptimizationLevel
        known = {
            "ALL": levels.ORT_ENABLE_ALL,
            "BASIC": levels.ORT_ENABLE_BASIC,
            "DISABLE": levels.ORT_DISABLE_ALL,
        }
        options = quiet_options(known[level])
        self._made_of = (content, level)
        self._runtime = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.run, self.get_inputs, self.get_outputs = (
            self._runtime.run,
            self._runtime.get_inputs,
            self._runtime.get_outputs,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (Session, self._made_of)


def quiet_options(level: Any) -> Any:
    """Options of a session: one thread, so that results do not depend on a count, and no log."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = level
    return options


class Reference:
    """onnx's own evaluator, for operators that ONNX Runtime lacks: Python, an operator at a
    time.
    """

    def __init__(self, content: bytes):
        from onnx import load_model_from_string
        from onnx.reference import ReferenceEvaluator

        self._made_of = (content,)
        model = load_model_from_string(content)
        self._graph = model.graph
        if loop := next((node for node in self._graph.node if _scans(node)), None):
            raise NotImplementedError(
                f"loop {loop.name or loop.output[-1]!r} stacks what its turns make, which it does "
                "along the wrong axis"
            )
        self._evaluator = ReferenceEvaluator(model)

    def run(self, names: list[str] | None, feeds: dict[str, np.ndarray]) -> list[Any]:
        """Values of the named outputs; HostError where an operator cannot be computed."""
        try:
            with np.errstate(all="ignore"):
                return list(self._evaluator.run(names, feeds))
        except REFERENCE_ERRORS as error:
            raise HostError(f"onnx's reference: {first_line(error)}") from error

    def get_inputs(self) -> list[Named]:
        """The graph's inputs that are no constants."""
        constants = {tensor.name for tensor in self._graph.initializer}
        return [Named(value.name) for value in self._graph.input if value.name not in constants]

    def get_outputs(self) -> list[Named]:
        """The graph's outputs."""
        return [Named(value.name) for value in self._graph.output]

    def __reduce__(self) -> tuple[Any, ...]:
        return (Reference, self._made_of)


def _scans(node: Any) -> bool:
    """Whether a Loop gives more than its carried values: one stack or more of a value a turn."""
    return bool(node.op_type == "Loop" and len(node.output) > len(node.input) - 2)


def session(model: Any, level: str = "ALL", *, reference: bool = False) -> Runner:
    """What runs a model on the host: ONNX Runtime, or the reference where ONNX Runtime lacks it.

    level : "ALL" for every rewrite, "BASIC" for those that keep the standard's arithmetic (the
    others may quantise the activations of products with integer weights), "DISABLE" for none.
    reference : whether to go to the reference at once, as for tensors of types that ONNX Runtime
    does not hand over (bfloat16, float8, int4).
    HostError where neither takes it.
    """
    content = serialised(model)
    if reference:
        return _reference(content)
    try:
        return Session(content, level)
    except runtime_errors() as error:
        if not lacking(error):
            raise HostError(first_line(error)) from error
        return _reference(content)


def _reference(content: bytes) -> Reference:
    try:
        return Reference(content)
    except REFERENCE_ERRORS as error:
        raise HostError(f"onnx's reference: {first_line(error)}") from error


def lacking(error: Exception) -> bool:
    """Whether ONNX Runtime refuses a model that may be right: it has no kernel, or not yet this
    version of the standard.
    """
    text = str(error)
    return any(
        part in text
        for part in (
            "NOT_IMPLEMENTED",
            "under development",
            "is not a registered function/op",
            "Batchwise recurrent operations",
        )
    )


def serialised(model: Any) -> bytes:
    """The bytes of a model; ModelError where it is larger than a message may be."""
    from google.protobuf.message import EncodeError

    try:
        return model.SerializeToString()  # type: ignore[no-any-return]
    except (EncodeError, ValueError) as error:
        raise ModelError(
            f"{model.graph.name}: too large or too deep to be handed to ONNX Runtime; allowed: "
            f"2 GiB in one file ({first_line(error)})"
        ) from error


def runtime_errors() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises where it refuses a model, or cannot run it."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,  # a type NumPy lacks, such as bfloat16
        ValueError,  # a feed of another name
    )


def timed(runner: Runner, names: list[str], feeds: dict[str, np.ndarray]) -> list[Any]:
    """`runner.run(names, feeds)`; HostError where that fails or takes longer than SECONDS."""
    if isinstance(runner, Reference):
        return runner.run(names, feeds)
    from onnxruntime import RunOptions

    options = RunOptions()
    options.log_severity_level = 4
    with _deadline(options):
        try:
            return list(runner.run(names, feeds, options))
        except runtime_errors() as error:
            if options.terminate:
                raise HostError(
                    f"one inference takes longer than {SECONDS:g} s, the most that is allowed when "
                    "a file is read"
                ) from error
            if any(part in str(error) for part in _NO_TYPE):
                raise TypeNotHandedOver(first_line(error)) from error
            raise HostError(first_line(error)) from error


_NO_TYPE = ("No corresponding Numpy type", "be converted to MLDataType", "Unable to handle object")


@contextlib.contextmanager
def _deadline(options: Any) -> Iterator[None]:
    timer = threading.Timer(SECONDS, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def first_line(error: Exception) -> str:
    """The first line of an error, or its type when it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
