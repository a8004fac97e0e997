"""What was computed, and from which sources? `pimlab info | paper | reproduce | cite`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pimlab
from pimlab.cli import asking
from pimlab.studies import papers


def add(verbs: Any) -> None:
    """Add the verbs. No unit."""
    asking.verb(verbs, "info", _info, "version, threads, and which optional parts are installed")
    _reproduce_arguments(
        asking.verb(
            verbs,
            "reproduce",
            _reproduce,
            "the roadmap study: every workload on every stage; table, store and figures",
        )
    )
    _paper_arguments(
        asking.verb(
            verbs, "paper", _paper, "published figures, computed again; ours beside what is printed"
        )
    )
    cited = asking.verb(
        verbs, "cite", _cite, "BibTeX of every published number behind a result or a target"
    )
    cited.add_argument("what", help="a .zarr store, a .nc file, or the name of a target")


def _paper_arguments(one: argparse.ArgumentParser) -> None:
    one.add_argument("names", nargs="*", metavar="NAME", help="names from `pimlab papers`")
    one.add_argument("--all", action="store_true", help="every paper")
    one.add_argument(
        "--scores", action="store_true", help="compute nothing; print the table of the last time"
    )
    one.add_argument(
        "--again", action="store_true", help="also what is unchanged since the last time"
    )
    one.add_argument("--workers", type=int, default=None, help="Dask worker processes")
    one.add_argument("--csv", action="store_true", help="print the table of scores as CSV")


def _paper(options: argparse.Namespace) -> int:
    if bool(options.names) == options.all:
        raise ValueError("name papers, or write --all; `pimlab papers` lists them")
    names = options.names or None
    made = (
        ()
        if options.scores
        else papers.regenerate(names, workers=options.workers, again=options.again)
    )
    table = papers.scores(names)
    if options.csv:
        print(table.to_csv(index=False), end="")
    else:
        print(table.to_string(index=False, na_rep="-", max_colwidth=44))
        print(f"\n{papers.tally(table).to_string()}")
    failed = [one for one in made if one.state == "failed"]
    for one in failed:
        print(f"{one.paper} failed; its row is of the last time. Why: {one.log}")
    return 1 if failed else 0


def _reproduce_arguments(every: argparse.ArgumentParser) -> None:
    every.add_argument(
        "--quick", action="store_true", help="few samples and seeds, in about half a minute"
    )
    every.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        help="folder to write to (default: results)",
    )
    every.add_argument(
        "--workers", type=int, default=None, help="Dask worker processes (default: this process)"
    )
    every.add_argument(
        "--with",
        dest="extra",
        action="append",
        default=[],
        metavar="MODEL",
        help="a language model of an optional package that joins, such as smollm2-135m (minutes)",
    )


def _info(_: argparse.Namespace) -> None:
    from importlib.util import find_spec

    import numba

    from pimlab.studies import provenance

    parts = {"dask": "distributed", "lab": "jupyterlab", "llm": "gguf"}
    have = ", ".join(
        f"{extra}: {'yes' if find_spec(module) else 'no'}" for extra, module in parts.items()
    )
    for name, value in {
        **provenance.stamp(),
        "threads": numba.get_num_threads(),
        "optional parts": have,
    }.items():
        print(f"{name:15s} {value}")


def _reproduce(options: argparse.Namespace) -> None:
    from pimlab.roadmap.reproduce import reproduce

    reproduce(options.results, quick=options.quick, workers=options.workers, extra=options.extra)


def _cite(options: argparse.Namespace) -> None:
    import xarray as xr

    if options.what in pimlab.targets():
        print(pimlab.cite(pimlab.target(options.what)))
        return
    if not Path(options.what).exists():
        from pimlab.values import unknown

        raise ValueError(f"{unknown('target', options.what, pimlab.targets())}, and no such file")
    try:
        found = (
            xr.open_zarr(options.what, consolidated=False)
            if options.what.endswith(".zarr")
            else xr.load_dataset(options.what)
        )
    except (ValueError, OSError, KeyError, RuntimeError):  # h5py has several for a damaged file
        raise ValueError(f"{options.what} is no .nc file or .zarr store that can be read") from None
    print(pimlab.cite(found))
