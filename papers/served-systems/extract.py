"""Which of AIConfigurator's measured operators and served points does this paper use? Tables of one
model's shapes, taken from the package `aiconfigurator-core`.

`python papers/served-systems/extract.py FOLDER` reads the unpacked wheel in FOLDER (pyarrow is
needed) and writes the two files in datasets/reference/system. Shapes that the package did not
measure are read between its points: matrices linearly in n and k, attention in its batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

OUT = Path(__file__).parents[2] / "datasets" / "reference" / "system"
LAYERS, WIDTH, HEADS, KV, HEAD, HIDDEN, VOCABULARY = 80, 8192, 64, 8, 128, 28672, 128256
SYSTEMS = {
    ("h100_sxm", "vllm"): "0.24.0",
    ("h200_sxm", "trtllm"): "1.3.0rc20",
    ("h200_sxm", "vllm"): "0.24.0",
    ("b200_sxm", "trtllm"): "1.3.0rc20",
    ("b200_sxm", "vllm"): "0.24.0",
}
TENSOR = (1, 2, 4, 8)
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
CONTEXTS = (1, 128, 512, 1024, 2048, 4096, 8192, 10240)


def between(points: np.ndarray, x: float) -> list[tuple[float, float]]:
    """(point, weight) of the neighbours of x, linear; the two last ones beyond the end."""
    high = int(np.clip(np.searchsorted(points, x), 1, len(points) - 1))
    share = (x - points[high - 1]) / (points[high] - points[high - 1])
    return [(points[high - 1], 1 - share), (points[high], share)]


def product(table: pd.DataFrame, n: int, k: int, tokens: np.ndarray) -> np.ndarray:
    """ms of a product of (tokens, k) with (k, n), float64, shape (tokens,)."""
    total = np.zeros(len(tokens))
    for at_n, one in between(np.sort(table.n.unique()), n):
        for at_k, other in between(np.sort(table.k.unique()), k):
            if one * other:
                some = table[(table.n == at_n) & (table.k == at_k)].sort_values("m")
                total += one * other * np.interp(tokens, some.m, some.latency)
    return total


def grid(table: pd.DataFrame, rows: str, columns: str, at: tuple, to: tuple) -> np.ndarray:
    """`latency` at points (rows, columns), linear between what was measured along each."""
    known = table.groupby(rows)
    lines = {
        r: np.interp(to, *some.sort_values(columns)[[columns, "latency"]].to_numpy().T)
        for r, some in known
    }
    marks = np.array(sorted(lines))
    values = np.stack([lines[r] for r in marks])
    return np.stack([np.interp(at, marks, values[:, j]) for j in range(len(to))], axis=1)


def medians(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The median `latency` of each point that was measured more than once."""
    return table.groupby(by, as_index=False).latency.median()


def products(gemm: pd.DataFrame, tensor: int) -> dict[str, np.ndarray]:
    """Operator -> ms by TOKENS: FP8 matrices of a layer, the head in 16 bits."""
    points = ["m", "n", "k"]
    eight, sixteen = (medians(gemm[gemm.gemm_dtype == d], points) for d in ("fp8", "bfloat16"))
    shapes = {
        "qkv": (eight, (HEADS + 2 * KV) * HEAD // tensor, WIDTH),
        "out": (eight, WIDTH, HEADS * HEAD // tensor),
        "gate_up": (eight, 2 * HIDDEN // tensor, WIDTH),
        "down": (eight, WIDTH, HIDDEN // tensor),
        "head": (sixteen, VOCABULARY // tensor, WIDTH),
    }
    tokens = np.array(TOKENS, float)
    return {name: product(table, n, k, tokens) for name, (table, n, k) in shapes.items()}


def reduced(table: pd.DataFrame, tensor: int) -> np.ndarray:
    """ms of an all-reduce by TOKENS, whose table counts values; in proportion beyond its end."""
    some = medians(table[table.num_gpus == tensor], ["message_size"])
    sizes, most = np.array(TOKENS) * WIDTH, some.message_size.max()
    return np.interp(sizes, some.message_size, some.latency) * np.maximum(sizes / most, 1)


def attention(table: pd.DataFrame, tensor: int) -> pd.DataFrame:
    """The rows of one chip's heads, keys and values in FP8, without a window."""
    mine = table[(table.num_heads == HEADS // tensor) & (table.head_dim == HEAD)]
    mine = mine[mine.num_key_value_heads == max(1, KV // tensor)]
    return mine[(mine.window_size == 0) & (mine.kv_cache_dtype == "fp8")]


def operators(folder: Path, system: str, backend: str, version: str) -> list[tuple]:
    """Rows (system, backend, tensor parallelism, operator, tokens or batch, context, ms)."""
    data = folder / "aiconfigurator_core" / "systems" / "data" / system

    def read(kind: str, name: str) -> pd.DataFrame:
        return pd.read_parquet(data / kind / backend / version / f"{name}_perf.parquet")

    rows = []
    for t in TENSOR:
        lines = products(read("gemm", "gemm"), t)
        if t > 1:
            lines["all_reduce"] = reduced(read("comm", "custom_allreduce"), t)
        for name, line in lines.items():
            rows += [(t, name, m, 0, ms) for m, ms in zip(TOKENS, line, strict=True)]
        some = attention(read("attention", "generation_attention"), t)
        some = some.assign(context=some.isl + some.step - 1)
        some = medians(some, ["batch_size", "context"])
        looks = grid(some, "batch_size", "context", BATCHES, CONTEXTS)
        for b, line in zip(BATCHES, looks, strict=True):
            rows += [(t, "decode", b, c, ms) for c, ms in zip(CONTEXTS, line, strict=True)]
        some = attention(read("attention", "context_attention"), t)
        some = medians(some[(some.batch_size == 1) & (some.step == 0)], ["isl"])
        rows += [(t, "prompt", m, m, np.interp(m, some.isl, some.latency)) for m in TOKENS]
    return [(system, backend, *row) for row in rows]


def served(folder: Path) -> pd.DataFrame:
    """Measured services of the model in FP8 without replicas."""
    file = folder / "aiconfigurator_core" / "systems" / "silicon_sample.csv"
    points = pd.read_csv(file, keep_default_na=False)
    points = points[points.model_path == "meta-llama/Llama-3.1-70B"]
    points = points[(points["mode"] == "agg") & (points.precision == "fp8")]
    names = {
        "system": "system",
        "backend": "backend",
        "tp_size": "tensor_parallel",
        "isl": "input",
        "osl": "output",
        "batch_size": "users",
        "silicon_ttft_ms": "ttft_ms",
        "silicon_tpot_ms": "tpot_ms",
    }
    points = points[list(names)].rename(columns=names).sort_values(list(names.values()))
    for name in ("ttft_ms", "tpot_ms"):
        points[name] = points[name].map(lambda ms: float(f"{float(ms):.5g}"))
    return points


def main(folder: str) -> None:
    """Write both files."""
    rows = [row for (s, b), v in SYSTEMS.items() for row in operators(Path(folder), s, b, v)]
    heads = ["system", "backend", "tensor_parallel", "operator", "tokens", "context", "ms"]
    table = pd.DataFrame(rows, columns=heads)
    table["ms"] = table.ms.map(lambda ms: float(f"{ms:.4g}"))
    table.to_csv(OUT / "aiconfigurator_operators.csv.gz", index=False)
    served(Path(folder)).to_csv(OUT / "aiconfigurator_llama31_70b.csv", index=False)


if __name__ == "__main__":
    main(sys.argv[1])
