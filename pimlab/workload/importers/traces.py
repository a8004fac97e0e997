"""Which tensors of a graph grow with the batch, and how? Found by running it on one sample, on
another, and on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pimlab.workload.importers import onnx_file
from pimlab.workload.model import ModelError

Values = dict[str, np.ndarray]
_NUMBERS = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"} | {
    f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
"""ONNX Runtime's name of a type -> NumPy's."""


class Traces:
    """Every tensor of three runs: a sample, another, and the two as a batch; of values in 0..1
    drawn once and for all.

    one, two : tensor name -> value for the first sample, and for both; `two` is None where the
    graph takes one alone.
    """

    def __init__(self, model: Any, shapes: Mapping[str, tuple[int, ...]], file: str):
        self.file, self._shapes = file, shapes
        self._runner, self._names = _exposed(model)
        self._kinds = {
            value.name: _dtype(value.name, value.type, file) for value in self._runner.get_inputs()
        }
        self.one = self._run([0])
        self.two = self._batch([0, 1])
        self._other = self._batch([1])

    def _run(self, samples: list[int]) -> Values:
        from onnxruntime.capi.onnxruntime_pybind11_state import (
            Fail,
            InvalidArgument,
            RuntimeException,
        )

        feeds = {
            name: np.stack([_drawn(shape, self._kinds[name], seed) for seed in samples])
            for name, shape in self._shapes.items()
        }
        try:
            return {
                **feeds,
                **dict(zip(self._names, self._runner.run(self._names, feeds), strict=True)),
            }
        except (
            Fail,
            InvalidArgument,
            RuntimeException,
            RuntimeError,
        ) as error:  # the last: a type NumPy lacks, such as bfloat16
            raise ModelError(
                f"{self.file}: ONNX Runtime cannot run the model ({onnx_file.first_line(error)})"
            ) from error

    def _batch(self, samples: list[int]) -> Values | None:
        """A run that need not be possible: a graph may insist on one sample, or on what its values
        are.
        """
        try:
            return self._run(samples)
        except ModelError:
            return None

    def axis(self, name: str) -> int | None:
        """The axis of a tensor that grows with the batch; None for a tensor that does not, or is
        not known.
        """
        if self.two is None or name not in self.one:
            return None
        one, two = self.one[name].shape, self.two[name].shape
        if len(one) != len(two):
            return None
        return next(
            (
                axis
                for axis, (a, b) in enumerate(zip(one, two, strict=True))
                if b == 2 * a and b != a
            ),
            None,
        )

    def stacked(self, name: str) -> bool:
        """Whether a batch of this tensor is one sample after the other along its axis, or the same
        for every batch.
        """
        if self.two is None or self._other is None:
            return False
        axis, one, other, two = self.axis(name), self.one[name], self._other[name], self.two[name]
        if axis is None:
            return one.shape == other.shape == two.shape
        if one.shape != other.shape:
            return False
        if two.dtype.kind not in "fiub":
            return False
        # Order is asked for, not precision: a wrong order differs as much as values differ among
        # themselves.
        both, two = (
            np.concatenate([one, other], axis=axis).astype(np.float64),
            two.astype(np.float64),
        )
        finite = np.isfinite(both) & np.isfinite(two)
        if not finite.any():
            return True
        apart = np.abs(both - two)[finite].mean()
        return bool(apart <= 0.05 * np.abs(two[finite] - two[finite].mean()).mean())

    def growth(self, name: str) -> int:
        """Elements of a tensor that each sample adds."""
        return (
            _elements(self.one[name])
            if self.two is None
            else _elements(self.two[name]) - _elements(self.one[name])
        )

    def each(self) -> list[Values]:
        """The runs on one sample and, where possible, on two."""
        return [self.one] if self.two is None else [self.one, self.two]

    def value_info(self, name: str) -> Any:
        """Type and shape of a tensor for ONNX, with the axes open that differ between the runs."""
        from onnx import helper

        shapes = [values[name].shape for values in self.each()]
        dims: list[Any] = [
            a if all(a == b for b in rest) else None for a, *rest in zip(*shapes, strict=True)
        ]
        return helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(self.one[name].dtype), dims
        )


def _exposed(model: Any) -> tuple[Any, list[str]]:
    """A session of the model, unchanged, that gives every tensor, and their names."""
    import onnx

    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    names = list(dict.fromkeys(name for node in model.graph.node for name in node.output if name))
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return onnx_file.session(exposed, "DISABLE"), names


def _drawn(shape: tuple[int, ...], kind: np.dtype, seed: int) -> np.ndarray:
    """Random numbers in 0..1, or zeros and ones for integers: constant samples would make
    normalisations divide by nothing.
    """
    rng = np.random.default_rng(seed)
    return (rng.random(shape) if kind.kind == "f" else rng.integers(0, 2, shape)).astype(kind)


def _dtype(name: str, text: str, file: str) -> np.dtype:
    """NumPy's type of ONNX Runtime's "tensor(float)" and the like; ModelError for what holds no
    numbers.
    """
    kind = text.removeprefix("tensor(").removesuffix(")")
    if kind not in _NUMBERS:
        raise ModelError(
            f"{file}: input {name!r} is a {text}; allowed: tensors of {', '.join(_NUMBERS)}"
        )
    return np.dtype(_NUMBERS[kind])


def _elements(value: Any) -> int:
    return int(value.size) if isinstance(value, np.ndarray) else 0
