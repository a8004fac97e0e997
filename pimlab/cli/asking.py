"""Which words do several verbs share? Model, machine with its variants, data, seed, and how the
answer is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import xarray as xr

import pimlab
from pimlab import interchange
from pimlab.machine.protocol import Target
from pimlab.studies.variants import variant
from pimlab.values import nearest


class Parser(argparse.ArgumentParser):
    """A parser that answers a misspelt verb or option with the nearest one."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As `argparse` does; remembers the words for `error`."""
        self.words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and what may have been meant; exit code 2 (unit 1)."""
        words, known = getattr(self, "words", []), _options(self)
        verbs = [one for action in self._actions for one in action.choices or ()]
        for action in self._actions:  # argparse leaves a verb's unknown options to this parser
            parts = action.choices if isinstance(action.choices, dict) else {}
            known += [option for word in words if word in parts for option in _options(parts[word])]
        hints = [
            f"{word} is no option{nearest(word, known)}"
            for word in (one.partition("=")[0] for one in words)
            if word.startswith("--") and len(word) > 2 and not _begins(word, known)
        ]
        if "invalid choice" in message:
            wrong = message.partition("invalid choice: ")[2].partition(" ")[0].strip("'")
            hints.append(f"{wrong!r} is not known{nearest(wrong, [str(v) for v in verbs])}")
        super().error("\n".join([message, *(f"  {hint}" for hint in hints)]))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _begins(word: str, known: list[str]) -> bool:
    """Whether a word is an option, or what is left of one that is shortened."""
    return any(option.startswith(word) for option in known)


def verb(
    verbs: Any, name: str, act: Callable[[argparse.Namespace], int | None], text: str
) -> argparse.ArgumentParser:
    """A new verb, which `act` answers. No unit."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(act=act)
    return parser


def add_machine(parser: argparse.ArgumentParser) -> None:
    """The words of a model on a machine. No unit."""
    parser.add_argument("model", help="a name such as fashion-cnn, or the path of an .onnx file")
    parser.add_argument("target", help="a name from `pimlab targets`")
    add_changes(parser)


def add_changes(parser: argparse.ArgumentParser) -> None:
    """`--set FIELD=VALUE`. No unit."""
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a field of the machine that is changed, such as adc.bits=6, host=rngd, wires=none or "
        'array.clock="1 GHz"; may be repeated',
    )


def add_scoring(parser: argparse.ArgumentParser) -> None:
    """The words of data, time, seed. Units: at in s."""
    parser.add_argument(
        "--data",
        default=None,
        metavar="NAME|FILE",
        help="a name such as fashion-mnist, an .npz file with the arrays x and y (optionally "
        "calibration, metric), or a .csv file with a column called label; default: the model's "
        "usual data; without, energy and latency alone",
    )
    parser.add_argument(
        "--metric", default=None, help="such as r2 or top-5 (default: what the data say)"
    )
    add_limits(parser, limit=None)


def add_limits(parser: argparse.ArgumentParser, limit: int | None) -> None:
    """The words of time, seed and number of samples. Units: at in s."""
    parser.add_argument(
        "--at", default="0 s", help='time after programming, such as "1 day" (default: 0 s)'
    )
    parser.add_argument("--seed", type=int, default=0, help="keys everything random (default: 0)")
    usual = "all" if limit is None else limit
    parser.add_argument(
        "--limit", type=int, default=limit, help=f"test samples at most (default: {usual})"
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """The words of how the answer is given. No unit."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the answer as JSON, in SI units")
    form.add_argument("--csv", action="store_true", help="print the answer as CSV, in SI units")
    parser.add_argument(
        "--out",
        type=Path,
        default=None,
        help="write all of the answer to this file: .nc, .csv, .parquet or .json",
    )


def checked(options: argparse.Namespace) -> None:
    """Before anything is computed: ValueError unless the answer can be written to `--out`."""
    if options.out is not None:
        try:
            interchange.writable(options.out)
        except ValueError as error:
            raise ValueError(f"--out {error}") from None


def give(answer: xr.Dataset, options: argparse.Namespace, text: Callable[[], str]) -> None:
    """Print the answer as it was asked for, and write it where it was asked. Units: SI.

    text : what a reader sees where neither JSON nor CSV is asked.
    """
    if options.json:
        print(interchange.as_json(answer))
    elif options.csv:
        print(interchange.numbers(answer).to_csv(index=False), end="")
    else:
        print(text())
    if options.out is not None:
        interchange.write_answer(answer, options.out)


def machine(options: argparse.Namespace) -> Target:
    """The named machine with its changes. No unit."""
    changes = {}
    for text in options.changes:
        path, equals, value = text.partition("=")
        if not (path and equals):
            raise ValueError(f"--set {text}; write FIELD=VALUE, such as adc.bits=6")
        changes[path] = value
    return variant(pimlab.target(options.target), changes)


def data(options: argparse.Namespace, model: str) -> Any:
    """The named data, or those the model is usually judged on; None where there are none."""
    from pimlab.workload.zoo.pairs import DATA

    name = DATA.get(model) if options.data is None else options.data
    found = None if name is None else pimlab.load_data(name, split="test", limit=options.limit)
    if options.metric is None:
        return found
    if found is None:
        raise ValueError(f"--metric {options.metric} judges no data; add --data")
    return found.but(metric=options.metric)
