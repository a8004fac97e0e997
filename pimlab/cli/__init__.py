"""What can be asked from a shell? `pimlab --help` lists the verbs; each verb has a `--help`."""

from __future__ import annotations

import argparse
import sys

import pimlab
from pimlab.cli import answers, asking, lists, records, services

_EPILOG = """examples:
  pimlab reproduce --quick                             the roadmap study, small, in half a minute
  pimlab run fashion-cnn pcm-hermes --at "1 day" --limit 200 --set adc.bits=6
  pimlab run model.onnx warboy --data mine.npz --csv
  pimlab compare fashion-cnn digits-mlp --on warboy hbm-pim pcm-hermes
  pimlab sweep fashion-cnn pcm-hermes --over adc.bits=4,6,8 --over seed=0,1,2 --out adc.csv
  pimlab explain fashion-cnn pcm-hermes --at "1 day" --limit 200
  pimlab serve llama2-70b rngd --chips 8 --rate "4 Hz" --ttft "1 s" --tpot "50 ms"
  pimlab targets                                             which machines there are
  pimlab provision farm.toml --manifests k8s           which cards, where, for which services
  pimlab paper ir-drop                                 a published figure, computed again
  pimlab cite results/roadmap.zarr                     BibTeX of every number behind a result
"""


def _parser() -> argparse.ArgumentParser:
    parser = asking.Parser(
        prog="pimlab",
        description=(pimlab.__doc__ or "").split("\n\n")[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pimlab {pimlab.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB (one of these)")
    for room in (answers, lists, services, records):
        room.add(verbs)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code (unit 1): 0 when it answered, 1 when a paper could not be
    computed, 2 when the input was wrong, 130 when it was stopped.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options) or 0)
    except KeyboardInterrupt as stopped:
        if "the same sweep goes on" in str(stopped):
            print(f"\n{stopped}", file=sys.stderr)
            return 130
        kept = (
            "; what was finished is kept, and the same command goes on from there"
            if options.verb in ("reproduce", "paper")
            else ""
        )
        print(f"\nstopped{kept}", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"pimlab {options.verb}: {_said(error)}", file=sys.stderr)
        return 2


def _said(error: Exception) -> str:
    """What an error says; of the disk, the path and the reason without the number of the error."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
