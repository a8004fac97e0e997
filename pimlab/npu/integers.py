"""Which is the fastest exact integer product this CPU has, and what do integer codes of a tensor
look like?

ONNX Runtime multiplies unsigned by signed bytes with VNNI instructions about ten times faster than
float32 BLAS, but on CPUs without them the intermediate sums may saturate. So the path is taken only
after it gave the exact answer for the operands that saturate first; otherwise float32 BLAS in
blocks does the work, exactly too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np

from pimlab.kernels import int8 as kernels


def gemm(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """int32, shape (batch, n) of x int8, shape (batch, k) @ w int8, shape (k, n), exact modulo
    2^32, by the fastest path proven exact here.
    """
    if bytes_path_is_exact():
        return _by_bytes(x, w)
    return kernels.gemm(x, w)


@lru_cache(maxsize=1)
def bytes_path_is_exact() -> bool:
    """Whether ONNX Runtime's byte product is exact on this CPU, for extreme and random operands of
    every kernel shape.
    """
    rng = np.random.default_rng(0)
    for batch, k, n in ((1, 64, 16), (1, 1500, 40), (2, 33, 7), (7, 260, 65), (64, 515, 128)):
        x, w = (
            rng.integers(-128, 128, (batch, k)).astype(np.int8),
            rng.integers(-128, 128, (k, n)).astype(np.int8),
        )
        x[0], w[:, 0], w[:, -1] = 127, 127, -128
        if batch > 1:
            x[1] = -128
        if not np.array_equal(_by_bytes(x, w), kernels.gemm(x, w)):
            return False
    return True


def _by_bytes(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    # 128 more in the unsigned operand and in its zero point: the same product, in the byte order
    # VNNI takes.
    shifted = np.ascontiguousarray(x).view(np.uint8) ^ np.uint8(128)
    return _session().run(None, {"x": shifted, "w": np.ascontiguousarray(w)})[0]


@lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w", "zero"], ["y"])],
        "gemm",
        [
            helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", "k"]),
            helper.make_tensor_value_info("w", TensorProto.INT8, ["k", "n"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT32, ["batch", "n"])],
        [helper.make_tensor("zero", TensorProto.UINT8, [], [128])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = numba.get_num_threads()
    # Spinning workers would take the core that BLAS and Numba need next.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
