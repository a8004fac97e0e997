"""How long do whole answers take: a timing, a solved array, a count, an import, a first compile?
And how much memory a read?

What must start from nothing (import, compilation, memory) runs in a process of its own.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import best

_ROOT = Path(__file__).parents[1]
_LLAMA = {"width": 4096, "hidden": 11008, "heads": 32, "context": 2048}


def _wires(size: int) -> Callable[[], Any]:
    from pimlab.analog.circuit.wires import effective_conductance

    g = np.random.default_rng(0).uniform(1e-6, 1e-4, (size, size))
    return lambda: effective_conductance(g, 1.0, 1.0)


def _gemv() -> Callable[[], Any]:
    from pimlab import dram_pim

    return lambda: dram_pim.gemv("hbm-pim", 4096, 4096)


def _decode(batch: int) -> Callable[[], Any]:
    from pimlab import dram_pim

    return lambda: dram_pim.decode_layer("hbm-pim", **_LLAMA, batch=batch)


def _count() -> Callable[[], Any]:
    from pimlab.npu.systolic import gemm_cycles

    return lambda: gemm_cycles(1000, 4096, 2048, rows=128, cols=128, compat="scalesim")


def _schedule() -> Callable[[], Any]:
    import pimlab
    from benchmarks.resnet import resnet50

    with tempfile.TemporaryDirectory() as folder:
        model = pimlab.load_model(str(resnet50(Path(folder) / "resnet50.onnx")))
    npu = pimlab.target("warboy")
    return lambda: pimlab.schedule(model, npu, inferences=1000)


def _weights() -> Any:
    """HERMES cells, and the shape of the weights of a layer."""
    import pimlab

    w = np.random.default_rng(0).standard_normal((4096, 512)).astype(np.float32)
    return pimlab.target("pcm-hermes"), w


def _programming() -> Callable[[], Any]:
    machine, w = _weights()
    return lambda: machine.program(w, 0)


def _new_time() -> Callable[[], Any]:
    """A read at a time at which these weights have not been read before."""
    machine, w = _weights()
    programmed, x = machine.but(compensation=None).program(w, 0), np.ones((1, len(w)), np.float32)
    times = itertools.count(3600)
    return lambda: programmed.matmul(x, 0, at=float(next(times)))


def held(_: int = 1) -> dict[str, Any]:
    """Bytes that 1024 x 1024 HERMES weights hold after reads one by one and a batch."""
    machine, rng = _weights()[0], np.random.default_rng(0)
    w, x = (rng.standard_normal((rows, 1024), np.float32) for rows in (1024, 100))
    machine.program(w, 0).matmul(x, 0)
    tracemalloc.start()
    programmed = machine.program(w, 0)
    for rows in (1, 100):
        programmed.matmul(x[:rows], 0)
    taken, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"kernel": "memory held by weights", "shape": "1024 x 1024", "bytes": taken}


def _service() -> Callable[[], Any]:
    """2,000 s of an LLM service, answer included: at most 2 s are 1,000 times real time."""
    import pimlab

    rack = pimlab.Cluster(chip=pimlab.target("rngd"), chips=1)
    plan = pimlab.parallelise(pimlab.load_model("llama2-7b"), rack, batch=16, context=1024)
    load = pimlab.poisson(rate="10 Hz", count=20_000, input=256, output=128)
    return lambda: pimlab.serve(plan, load, replicas=8)


TIMED: dict[str, Callable[[], Callable[[], Any]]] = {
    "wires 256 x 256": lambda: _wires(256),
    "wires 512 x 512": lambda: _wires(512),
    "wires 1024 x 1024": lambda: _wires(1024),
    "programming 4096 x 512": _programming,
    "first read at a new time, 4096 x 512": _new_time,
    "GEMV 4096 x 4096 timed": _gemv,
    "decode step of a layer, batch 1": lambda: _decode(1),
    "decode step of a layer, batch 64": lambda: _decode(64),
    "SCALE-Sim's count of one product": _count,
    "1000 inferences of ResNet-50 scheduled": _schedule,
    "2000 s of 8 replicas at 10 requests a second": _service,
}
"""name -> a maker of what is timed; arrays and imports are ready before."""


def timed(name: str, repeat: int) -> dict[str, Any]:
    """One row: best seconds of a scenario of `TIMED`."""
    (seconds,) = best(repeat, TIMED[name]())
    return {"kernel": name, "seconds": seconds}


def _alone(code: str, **environment: str) -> float:
    """The number that `code` prints last, run by a Python of its own."""
    return _printed(code, **environment)[-1]


def _printed(code: str, **environment: str) -> list[float]:
    """The numbers that `code` prints, run by a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=_ROOT,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return [float(word) for word in done.stdout.split()]


def imported(repeat: int) -> dict[str, Any]:
    """Seconds of `import pimlab`, the best of several processes."""
    code = (
        "import time; start = time.perf_counter(); import pimlab; print(time.perf_counter() - "
        "start)"
    )
    return {"kernel": "import pimlab", "seconds": min(_alone(code) for _ in range(max(repeat, 2)))}


_COMPILE = """
import time
from pathlib import Path
from numba.core import event
from pimlab.roadmap.reproduce import reproduce

class Listener(event.Listener):
    depth, started, taken = 0, 0.0, 0.0
    def on_start(self, _):
        self.started = self.started if self.depth else time.thread_time()
        self.depth += 1
    def on_end(self, _):
        self.depth -= 1
        self.taken += 0.0 if self.depth else time.thread_time() - self.started

listener = Listener()
with event.install_listener("numba:compile", listener):
    reproduce(Path({folder!r}), quick=True)
print(listener.taken)
"""


def compiled(_: int = 1) -> dict[str, Any]:
    """Processor seconds (others at work do not stretch them) of compiling in a first `pimlab
    reproduce --quick`: an empty cache.
    """
    with tempfile.TemporaryDirectory() as folder:
        return {
            "kernel": "first compile",
            "seconds": _alone(_COMPILE.format(folder=folder), NUMBA_CACHE_DIR=f"{folder}/cache"),
        }


# VmHWM, not getrusage: the latter's peak starts with that of the process that started this one.
_MEMORY = """
import numpy as np
import pimlab

def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

machine, rng = pimlab.target("pcm-hermes"), np.random.default_rng(0)
held = machine.program(rng.standard_normal((300, 8), np.float32), 0)
held.matmul(rng.standard_normal((64, 300), np.float32), 0)
w, x = rng.standard_normal((1024, 1024), np.float32), rng.standard_normal((1024, 1024), np.float32)
before = kilobytes("VmRSS")
y = machine.program(w, 0).matmul(x, 0)
print(1024 * (kilobytes("VmHWM") - before) - y.nbytes)
"""


def remembered(_: int = 1) -> dict[str, Any]:
    """Peak resident bytes while 1024 x 1024 weights are programmed and read for a batch of 1024,
    beyond inputs and outputs.

    The programmed cells count; the interpreter, its libraries and the compiled kernels do not.
    Linux only.
    """
    return {
        "kernel": "memory of a noisy read",
        "shape": "1024 x 1024 x 1024",
        "bytes": _alone(_MEMORY),
    }


_SHOTS = """
import time
import pimlab

def peak():
    return next(int(s.split()[1]) for s in open("/proc/self/status") if s.startswith("VmHWM"))

times = pimlab.serving.single_shot({{1: 1e-3, 8: 2e-3}})
pimlab.serve(times, pimlab.serving.single_shots(rate="3 kHz", count=1000))
load = pimlab.serving.single_shots(rate="3 kHz", count={count})
start = time.perf_counter()
pimlab.serve(times, load)
print(time.perf_counter() - start, 1024 * peak())
"""


def shots(_: int = 1, count: int = 10_000_000) -> dict[str, Any]:
    """Seconds of serving single-shot requests, and the peak of the whole process. Linux only."""
    seconds, most = _printed(_SHOTS.format(count=count))
    return {
        "kernel": "single-shot requests", "shape": f"{count:,}", "seconds": seconds, "bytes": most
    }  # fmt: skip


def training_step(repeat: int = 3, windows: int = 8) -> dict[str, Any]:
    """Seconds of CPU of a step of the small language model (outputs and all gradients) through the
    cells of HERMES a year after programming, and its ratio to a step in float32.
    """
    import pimlab
    from pimlab.keys import as_key
    from pimlab.plan import planned
    from pimlab.studies.training_machines import Machines
    from pimlab.workload.training import Graph, Objective, Recipe

    model, data = pimlab.load_model("small-lm"), pimlab.load_data("kjv", split="train")
    graph, recipe, inputs = Graph(model), Recipe(), data.inputs[:windows, :-1]
    plan = planned(model, pimlab.target("pcm-hermes"))
    machines = Machines(plan, graph, Objective(data, recipe), recipe, "minmax", [3.15e7], None)
    machines.calibrate()

    def seconds(multiply: Any) -> float:
        start = time.process_time()
        outputs = graph.outputs(inputs, multiply)
        for one in graph.operands(np.ones_like(outputs) / outputs.size).values():
            _ = one.weights
        return time.process_time() - start

    # in turns, so that both see the same machine; the first of each compiles
    pairs = [
        (seconds(graph.exact), seconds(machines.multiply(turn, as_key(0))))
        for turn in range(repeat + 1)
    ]
    plain, noisy = (min(times) for times in zip(*pairs[1:], strict=True))
    shape = f"{windows} x {inputs.shape[1]} tokens"
    return {
        "kernel": "hardware-aware step", "shape": shape, "seconds": noisy, "ratio": noisy / plain
    }  # fmt: skip


PROCESSES: dict[str, Callable[[int], dict[str, Any]]] = {
    "import pimlab": imported, "memory of a noisy read": remembered,
    "memory held by weights": held, "first compile": compiled, "single-shot requests": shots,
    "hardware-aware step": training_step,
}  # fmt: skip
"""name -> what measures it, most in a process of its own, given the number of repeats."""
