"""How many elementary operations does an operator that is no MAC cost? Counted by kind, never free.

One result of "relu" is one comparison; "softmax" is a maximum, a subtraction, an exponential (two: a table and an
interpolation), a sum and a division. Kinds that only rename or move data cost no operation (their traffic counts).
"""

from __future__ import annotations

from pimlab.protocol import VectorOp

MOVES = frozenset({"reshape", "flatten", "transpose", "squeeze", "unsqueeze", "identity", "concat", "slice", "gather", "split", "pad",
                   "expand", "cast", "shape", "constant", "dropout"})  # fmt: skip
PER_ELEMENT = {
    "sigmoid": 4, "tanh": 4, "exp": 2, "log": 2, "erf": 4, "gelu": 6, "silu": 5, "hardswish": 4, "hardsigmoid": 3, "softmax": 6,
    "logsoftmax": 7, "layernormalization": 7, "batchnormalization": 2, "instancenormalization": 7, "sqrt": 2, "div": 1, "pow": 4,
    "leakyrelu": 2, "clip": 2, "maxpool": 4, "averagepool": 4, "globalaveragepool": 1, "quantizelinear": 3, "dequantizelinear": 2,
}  # fmt: skip


def operations(op: VectorOp) -> int:
    """Elementary operations of one inference of `op`; a kind not listed counts one an element."""
    if op.kind in MOVES:
        return 0
    return op.elements * PER_ELEMENT.get(op.kind, 1)
