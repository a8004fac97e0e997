"""How fast is each kernel, as a ratio to NumPy's sgemm of the same shape? `python -m benchmarks
[NAME ...]`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numba

from benchmarks import bounds, scenarios, timing
from benchmarks.cases import cases
from pimlab.units import si

_EPILOG = """examples:
  python -m benchmarks                         everything (minutes: it compiles first)
  python -m benchmarks int8 fp16 --repeat 9    what has int8 or fp16 in its name
  python -m benchmarks "noisy read" --threads 1 --json
"""
_COLUMNS = "{:58.58s} {:>18s} {:>11s} {:>11s} {:>9s} {:>13s}  {}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="parts of names (default: everything)")
    parser.add_argument("--repeat", type=int, default=7, help="turns; the best counts (default: 7)")
    parser.add_argument(
        "--threads",
        type=int,
        default=numba.get_num_threads(),
        help="of BLAS and Numba alike (default: all)",
    )
    parser.add_argument(
        "--size",
        choices=("tiny", "small", "large"),
        default="large",
        help="of inputs; sgemm stands beside large ones",
    )
    parser.add_argument("--json", action="store_true", help="a JSON row a line instead of a table")
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error(f"--repeat {options.repeat} is outside 1..")
    if not 1 <= options.threads <= numba.config.NUMBA_NUM_THREADS:
        parser.error(f"--threads {options.threads} is outside 1..{numba.config.NUMBA_NUM_THREADS}")
    return options


def _work(size: str) -> dict[str, Callable[[int], dict[str, Any]]]:
    """name -> what measures it, given the number of repeats."""
    kernels = {
        name: (lambda repeat, n=name, c=case: timing.measured(n, c, repeat, size))
        for name, case in cases().items()
    }
    answers = {
        name: (lambda repeat, n=name: scenarios.timed(n, repeat)) for name in scenarios.TIMED
    }
    return {**kernels, **answers, **scenarios.PROCESSES}


def bound(row: dict[str, Any]) -> tuple[str, bool]:
    """What `row` should reach, as text ("" where nothing is set), and whether it does."""
    name = row["kernel"]
    ratios = {**bounds.RATIO, **bounds.STEPS}
    if name in ratios and "ratio" in row:
        return f"at most {ratios[name]:g}x", row["ratio"] <= ratios[name]
    if name in bounds.RATE and "elements_per_second" in row:
        return f"at least {bounds.RATE[name] / 1e6:g} M/s", row[
            "elements_per_second"
        ] >= bounds.RATE[name]
    if name in bounds.SECONDS:
        return f"at most {si(bounds.SECONDS[name], 's')}", row["seconds"] <= bounds.SECONDS[name]
    if name in bounds.BYTES:
        return f"at most {bounds.BYTES[name] / 1e6:g} MB", row["bytes"] <= bounds.BYTES[name]
    return "", True


def _line(row: dict[str, Any]) -> str:
    text, reached = bound(row)
    rate = f"{row['elements_per_second'] / 1e6:.0f} M/s" if "elements_per_second" in row else ""
    amount = si(row["seconds"], "s") if "seconds" in row else f"{row['bytes'] / 1e6:.0f} MB"
    beside = si(row["sgemm_seconds"], "s") if "sgemm_seconds" in row else ""
    ratio = f"{row['ratio']:.2f}x" if "ratio" in row else ""
    return _COLUMNS.format(
        row["kernel"],
        row.get("shape", ""),
        amount,
        beside,
        ratio,
        rate,
        text + ("" if reached else "  MISSED"),
    ).rstrip()


def rows(names: list[str], repeat: int, size: str) -> Iterator[dict[str, Any]]:
    """Measurements whose name holds one of `names` (all, if none is given), one by one."""
    for name, measure in _work(size).items():
        if not names or any(part in name for part in names):
            yield measure(repeat)


def main(arguments: list[str] | None = None) -> int:
    """0 when something was measured, 2 when no name matched."""
    options, found = _options(arguments), False
    if not options.json:
        print(f"best of {options.repeat}, {options.threads} threads, inputs {options.size}")
        print(_COLUMNS.format("kernel", "shape", "time", "sgemm", "ratio", "elements", "bound"))
    with timing.threads(options.threads):
        for row in rows(options.names, options.repeat, options.size):
            found = True
            print(
                json.dumps({**row, "threads": options.threads, "bound": bound(row)[0]})
                if options.json
                else _line(row),
                flush=True,
            )
    if not found:
        from pimlab.values import nearest

        name = options.names[0]
        print(
            f"no benchmark has {name!r} in its name{nearest(name, _work(options.size))}",
            file=sys.stderr,
        )
    return 0 if found else 2


if __name__ == "__main__":
    sys.exit(main())
