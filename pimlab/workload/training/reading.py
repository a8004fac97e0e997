"""Which layers does a model consist of, in the order in which a loss can pass them? What is
trained in each, and what stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from pimlab.workload.model import ModelError
from pimlab.workload.training.layers import Layer


class Reading(NamedTuple):
    """A model as layers.

    layers : in order;  source : name of the input;  result : name of the output that the loss
    judges;  constants : arrays by name;  parameters : names of those constants that training may
    move (gains, biases, embeddings).
    """

    layers: list[Layer]
    source: str
    result: str
    constants: Mapping[str, np.ndarray]
    parameters: tuple[str, ...] = ()


class Fixed(Layer):
    """An operator that no gradient passes: its inputs do not depend on what is trained, or its
    outputs are no real numbers (sizes, comparisons). The whole node is computed by ONNX's own
    reference.
    """

    def __init__(
        self,
        name: str,
        inputs: tuple[str, ...],
        output: str,
        kind: str,
        compute: object,
        index: int = 0,
    ):
        super().__init__(name, inputs, output)
        self.kind, self.compute, self.index = kind, compute, index

    def forward(self, *values: np.ndarray) -> np.ndarray:
        feeds = dict(zip(self.inputs, values, strict=True))
        return np.asarray(self.compute.run(None, feeds)[self.index])  # type: ignore[attr-defined]

    def backward(self, dy: np.ndarray) -> list[np.ndarray | None]:
        return [None] * len(self.inputs)


NO_NUMBERS = frozenset(
    {
        "And",
        "ArgMax",
        "ArgMin",
        "Ceil",
        "ConstantOfShape",
        "Equal",
        "EyeLike",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "IsInf",
        "IsNaN",
        "Less",
        "LessOrEqual",
        "NonZero",
        "Not",
        "Or",
        "Round",
        "Shape",
        "Sign",
        "Size",
        "Xor",
    }
)
"""Operators whose outputs do not follow small changes of their inputs: their slope is 0."""


def ordered(
    layers: Iterable[Layer], source: str, constants: Mapping[str, np.ndarray], file: str
) -> list[Layer]:
    """Each layer after those whose outputs it reads; ModelError where one reads what nobody
    makes.
    """
    known, found, waiting = {source, *constants}, list[Layer](), list(layers)
    while waiting:
        ready = [layer for layer in waiting if set(layer.inputs) <= known]
        if not ready:
            raise ModelError(
                f"{file}: node {waiting[0].name!r} reads {waiting[0].inputs}, which "
                "nothing before it makes"
            )
        found += ready
        known |= {layer.output for layer in ready}
        chosen = {id(layer) for layer in ready}
        waiting = [layer for layer in waiting if id(layer) not in chosen]
    return found
