"""What should each measurement reach? Bounds the project set itself, by the name `python -m
benchmarks` prints.
"""

from __future__ import annotations

RATIO = {
    "int8.gemm": 1.5,
    "int8.gemm.fastest": 1.5,
    "fp16.matmul.sequential": 6.0,
    "accumulate.chunks fp16 by 32": 8.0,
    "accumulate.chunks bf16 by 32": 8.0,
    "noisy read, batch 1": 12.0,
    "noisy read, batch 64": 4.5,
    "read by bits, batch 1": 200.0,
    "read of 4 x 2-bit weights, 8 x 1-bit inputs, batch 1": 200.0,
    "noisy read, 256-row tiles": 3.0,
    "noisy read, one sigma": 2.5,
    "read of 4 x 2-bit weights, 8 x 1-bit inputs": 60.0,
}
"""At most this many times the sgemm of the same shape."""

STEPS = {"hardware-aware step": 3.0}
"""At most this many times a step in float32."""

RATE = {
    f"{kind} {name}": 300e6
    for kind, names in (
        ("cast.nearest", ("fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp4_e2m1")),
        (
            "blocks.microscale",
            ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8"),
        ),
    )
    for name in names
}
"""At least this many elements a second."""

SECONDS = {
    "wires 256 x 256": 1.0,
    "wires 512 x 512": 2.0,
    "wires 1024 x 1024": 20.0,
    "programming 4096 x 512": 84e-3,
    "first read at a new time, 4096 x 512": 0.5,
    "GEMV 4096 x 4096 timed": 5e-3,
    "decode step of a layer, batch 1": 1.0,
    "decode step of a layer, batch 64": 1.0,
    "SCALE-Sim's count of one product": 1e-3,
    "1000 inferences of ResNet-50 scheduled": 2.0,
    "import pimlab": 0.5,
    "first compile": 60.0,
}
"""At most this long."""

BYTES = {"memory of a noisy read": 200e6, "memory held by weights": 24 * 2**20}
"""At most this much beyond inputs and outputs."""
