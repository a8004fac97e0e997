"""What do users of a service see, and which farm carries it? `pimlab serve | provision`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pimlab
from pimlab import interchange
from pimlab.cli import asking


def add(verbs: Any) -> None:
    """Add the verbs. No unit."""
    _add_serve(verbs)
    _provision_arguments(
        asking.verb(
            verbs, "provision", _provision, "the farm of least cost for services, offers and clouds"
        )
    )


def _add_serve(verbs: Any) -> None:
    load = asking.verb(verbs, "serve", _serve, "what the users of a service see, and what it costs")
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


def _provision_arguments(farm: argparse.ArgumentParser) -> None:
    farm.add_argument("file", help="a TOML file: offers, [[service]], [[cloud]], rules")
    farm.add_argument(
        "--seconds", type=float, default=60.0, help="time of the integer program (default: 60)"
    )
    farm.add_argument("--out", type=Path, default=None, help="write the Dataset to this .nc file")
    farm.add_argument(
        "--manifests", type=Path, default=None, help="write Kubernetes objects into this folder"
    )


def _serve(options: argparse.Namespace) -> None:
    from pimlab import serving
    from pimlab.workload.language.shape import DecoderShape

    asking.checked(options)
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
        interchange.write_answer(answer, options.out)


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


def _provision(options: argparse.Namespace) -> None:
    from pimlab.farm.files import provision_file

    asking.checked(options)
    plan = provision_file(options.file, seconds=options.seconds)
    print(f"{plan.table.to_string(max_colwidth=90)}\n")
    print("\n".join(plan.why))
    if options.manifests is not None:
        files = pimlab.write_manifests(plan, options.manifests)
        print(f"wrote {len(files)} files to {options.manifests}")
    if options.out is not None:
        interchange.write_answer(plan.answer, options.out)
