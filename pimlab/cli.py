"""What can be asked from a shell? `pimlab info | targets | run | serve | provision | reproduce |
cite`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pimlab

_EPILOG = """examples:
  pimlab reproduce --quick                             the roadmap study, small, in half a minute
  pimlab run fashion-cnn pcm-hermes --at "1 day" --limit 200
  pimlab run model.onnx warboy --data mine.npz
  pimlab serve llama2-70b rngd --chips 8 --rate "4 Hz" --ttft "1 s" --tpot "50 ms"
  pimlab targets                                             which machines there are
  pimlab provision farm.toml --manifests k8s           which cards, where, for which services
  pimlab cite results/roadmap.zarr                     BibTeX of every number behind a result
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pimlab",
        description=pimlab.__doc__.split("\n")[0] if pimlab.__doc__ else None,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pimlab {pimlab.__version__}")
    verbs = parser.add_subparsers(
        dest="verb",
        required=True,
        metavar="info | targets | run | serve | provision | reproduce | cite",
    )
    _verb(verbs, "info", _info, "version, threads, and which optional parts are installed")
    _verb(verbs, "targets", _targets, "the machines known by name, with stage, causes and host")
    _run_arguments(
        _verb(verbs, "run", _run, "accuracy, energy and latency of one model on one machine")
    )
    _serving(verbs)
    _provision_arguments(
        _verb(
            verbs, "provision", _provision, "the farm of least cost for services, offers and clouds"
        )
    )
    every = _verb(
        verbs,
        "reproduce",
        _reproduce,
        "the roadmap study: every workload on every stage; table, store and figures",
    )
    _reproduce_arguments(every)
    cited = _verb(
        verbs, "cite", _cite, "BibTeX of every published number behind a result or a target"
    )
    cited.add_argument("what", help="a .zarr store, a .nc file, or the name of a target")
    return parser


def _run_arguments(one: argparse.ArgumentParser) -> None:
    one.add_argument("model", help="a name such as fashion-cnn, or the path of an .onnx file")
    one.add_argument("target", help="a name from `pimlab targets`")
    one.add_argument(
        "--data",
        default=None,
        metavar="NAME|FILE.npz",
        help="a name such as fashion-mnist, or an .npz file with the arrays x and y (optionally "
        "calibration, metric); default: the model's usual data; without, energy and latency alone",
    )
    one.add_argument(
        "--metric", default=None, help="such as r2 or top-5 (default: what the data say)"
    )
    one.add_argument(
        "--at", default="0 s", help='time after programming, such as "1 day" (default: 0 s)'
    )
    one.add_argument("--seed", type=int, default=0, help="keys everything random (default: 0)")
    one.add_argument("--limit", type=int, default=None, help="test samples at most (default: all)")
    one.add_argument(
        "--chips",
        default=None,
        help='how many chips hold a model that one does not: a number, or "needed"',
    )
    one.add_argument(
        "--out", type=Path, default=None, help="write the Dataset to this netCDF file (.nc)"
    )


def _provision_arguments(farm: argparse.ArgumentParser) -> None:
    farm.add_argument("file", help="a TOML file: offers, [[service]], [[cloud]], rules")
    farm.add_argument(
        "--seconds", type=float, default=60.0, help="time of the integer program (default: 60)"
    )
    farm.add_argument("--out", type=Path, default=None, help="write the Dataset to this .nc file")
    farm.add_argument(
        "--manifests", type=Path, default=None, help="write Kubernetes objects into this folder"
    )


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


def _serving(verbs: Any) -> None:
    load = _verb(verbs, "serve", _serve, "what the users of a service see, and what it costs")
    load.add_argument("model", help="a language model such as llama2-70b, or one that answers once")
    load.add_argument("target", help="a name from `pimlab targets`")
    options: dict[str, dict[str, Any]] = {
        "requests": {"help": "a trace such as azure-conversation-2023, or a .csv or .jsonl file"},
        "rate": {"help": 'requests a second, such as "4 Hz": Poisson, or a trace at this rate'},
        "count": {"type": int, "default": 1000, "help": "requests at most (default: 1000)"},
        "input": {"type": int, "default": 512, "help": "tokens of a prompt (default: 512)"},
        "output": {"type": int, "default": 128, "help": "tokens of an answer (default: 128)"},
        "replicas": {"type": int, "help": "copies of the plan (default: as the plan says)"},
        "chips": {"type": int, "default": 1, "help": "chips of one copy (default: 1)"},
        "link": {"default": "pcie5-x16", "help": "what joins them (default: pcie5-x16)"},
        "batch": {"type": int, "default": 256, "help": "sequences of a step (default: 256)"},
        "ttft": {"help": 'bound on the time to the first token, such as "500 ms"'},
        "tpot": {"help": "bound on the time of each further token"},
        "out": {"type": Path, "help": "write the Dataset to this netCDF file (.nc)"},
    }
    for name, how in options.items():
        load.add_argument(f"--{name}", **{"default": None, **how})


def _verb(
    verbs: Any, name: str, act: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(act=act)
    return parser


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


def _targets(_: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("target", "stage", "non-idealities", "host", title="machines of the three stages")
    machines = [pimlab.target(name) for name in pimlab.targets()]
    for machine in sorted(machines, key=lambda m: (m.stage, m.name)):
        table.add_row(
            machine.name,
            str(machine.stage),
            ", ".join(machine.causes) or "none",
            machine.host.name if machine.host else "-",
        )
    Console().print(table)


def _run(options: argparse.Namespace) -> None:
    from pimlab.studies.store import replace

    _writable(options.out)
    target, model = pimlab.target(options.target), pimlab.load_model(options.model)
    data = _data(options.data, model.name, options.limit)
    if options.metric is not None:
        if data is None:
            raise ValueError(f"--metric {options.metric} judges no data; add --data")
        data = data.but(metric=options.metric)
    result = pimlab.run(
        model, target, data, at=options.at, seed=options.seed, chips=_chips(options.chips)
    )
    print(f"{result}\n\n{pimlab.summary(result).to_string()}")
    if options.out is not None:
        replace(options.out, bytes(result.to_netcdf(engine="h5netcdf")))


def _serve(options: argparse.Namespace) -> None:
    from pimlab import serving
    from pimlab.studies.store import replace
    from pimlab.workload.language.shape import DecoderShape

    _writable(options.out)
    model, target = pimlab.load_model(options.model), pimlab.target(options.target)
    policy = serving.Policy(batch=options.batch, tokens=max(2048, options.batch))
    shape = getattr(model, "shape", model)
    if isinstance(shape, DecoderShape):
        between = pimlab.link(options.link) if options.chips > 1 else None
        rack = pimlab.Cluster(chip=target, chips=options.chips, link=between)
        length = min(shape.context, options.input + options.output)
        machine: Any = pimlab.parallelise(model, rack, batch=1, context=length)
    else:
        machine = serving.of_model(model, target)
        options.input = options.output = 1
    slo = serving.Slo(ttft=options.ttft, tpot=options.tpot)
    answer = pimlab.serve(
        machine, _requests(options), slo=slo, policy=policy, replicas=options.replicas
    )
    print(f"{answer}\n\n{serving.percentile_table(answer).to_string()}")
    if options.out is not None:
        replace(options.out, bytes(answer.to_netcdf(engine="h5netcdf")))


def _requests(options: argparse.Namespace) -> Any:
    """The trace that is named, at the rate that is named; else a Poisson process of that rate."""
    from pimlab import serving

    if options.requests is not None:
        load = serving.load_requests(options.requests, limit=options.count)
        return load if options.rate is None else load.at_rate(options.rate)
    if options.rate is None:
        raise ValueError('no requests: add --requests NAME or --rate "4 Hz"')
    tokens = {"input": options.input, "output": options.output}
    return serving.poisson(rate=options.rate, count=options.count, **tokens)


def _chips(text: str | None) -> int | str | None:
    """`--chips` as `run` takes it: a number where it is one."""
    return int(text) if text is not None and text.isdigit() else text


def _writable(out: Path | None) -> None:
    """Before anything is computed: ValueError unless a netCDF file can be written there."""
    if out is not None and (out.suffix != ".nc" or not out.absolute().parent.is_dir()):
        raise ValueError(f"--out {out}; allowed: a path that ends in .nc, in a folder that exists")


def _data(name: str | None, model: str, limit: int | None) -> Any:
    from pimlab.workload.zoo.pairs import DATA

    name = DATA.get(model) if name is None else name
    return None if name is None else pimlab.load_data(name, split="test", limit=limit)


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


def _provision(options: argparse.Namespace) -> None:
    from pimlab.farm.files import provision_file
    from pimlab.studies.store import replace

    _writable(options.out)
    plan = provision_file(options.file, seconds=options.seconds)
    print(f"{plan.table.to_string(max_colwidth=90)}\n")
    print("\n".join(plan.why))
    if options.manifests is not None:
        files = pimlab.write_manifests(plan, options.manifests)
        print(f"wrote {len(files)} files to {options.manifests}")
    if options.out is not None:
        replace(options.out, bytes(plan.answer.to_netcdf(engine="h5netcdf")))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code (unit 1): 0 when it answered, 2 when the input was wrong, 130
    when it was stopped.
    """
    options = _parser().parse_args(arguments)
    try:
        options.act(options)
    except KeyboardInterrupt:
        kept = (
            "; what was finished is kept, and the same command goes on from there"
            if options.verb == "reproduce"
            else ""
        )
        print(f"\nstopped{kept}", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f"pimlab {options.verb}: {error}", file=sys.stderr)
        return 2
    return 0
