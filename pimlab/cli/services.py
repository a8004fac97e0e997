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
        "users": {
            "type": int,
            "help": "a closed loop of so many users, each of whom sends the next request when the "
            "last is answered (in place of --rate)",
        },
        "replicas": {"type": int, "help": "copies of the plan (default: as the plan says)"},
        "chips": {"type": int, "default": 1, "help": "chips of one copy (default: 1)"},
        "link": {"default": "pcie5-x16", "help": "what joins them (default: pcie5-x16)"},
        "batch": {"type": int, "default": 256, "help": "sequences of a step (default: 256)"},
        "ttft": {"help": 'bound on the time to the first token, such as "500 ms"'},
        "tpot": {"help": "bound on the time of each further token"},
        "draft": {"help": "a smaller language model that guesses tokens ahead"},
        "ahead": {"type": int, "default": 4, "help": "tokens it guesses in a round (default: 4)"},
        "acceptance": {"type": float, "help": "probability that a guess holds, with --draft"},
        "store": {"type": Path, "help": "a file that keeps the run; after a stop it goes on there"},
        "out": {"type": Path, "help": "write the Dataset to this netCDF file (.nc)"},
    }
    for name, how in options.items():
        load.add_argument(f"--{name}", **{"default": None, **how})


def _provision_arguments(farm: argparse.ArgumentParser) -> None:
    farm.add_argument("file", help="a TOML file: offers, [[service]], [[cloud]], rules")
    farm.add_argument(
        "--seconds", type=float, default=60.0, help="time of the integer program (default: 60)"
    )
    farm.add_argument(
        "--gap", type=float, default=0.01, help="how near to the optimum is enough (default: 0.01)"
    )
    farm.add_argument(
        "--store", type=Path, default=None, help="a file that keeps the search; it goes on there"
    )
    farm.add_argument(
        "--samples",
        type=int,
        default=200,
        help="test samples on which models of services with a floor are run (default: 200)",
    )
    farm.add_argument("--out", type=Path, default=None, help="write the Dataset to this .nc file")
    farm.add_argument(
        "--manifests", type=Path, default=None, help="write Kubernetes objects into this folder"
    )


def _serve(options: argparse.Namespace) -> None:
    from pimlab import serving

    asking.checked(options)
    machine, guesses = _served(options), _speculation(options)
    each = 1 + (guesses.ahead if guesses else 0)
    policy = serving.Policy(
        batch=options.batch, tokens=max(2048, options.batch * each), speculation=guesses
    )
    slo = serving.Slo(ttft=options.ttft, tpot=options.tpot)
    answer = pimlab.serve(
        machine,
        _requests(options),
        slo=slo,
        policy=policy,
        replicas=options.replicas,
        store=options.store,
    )
    print(f"{answer}\n\n{serving.percentile_table(answer).to_string()}")
    if options.out is not None:
        interchange.write_answer(answer, options.out)


def _served(options: argparse.Namespace) -> Any:
    """The plan of a language model, or the step times of a model that answers once."""
    from pimlab import serving
    from pimlab.workload.language.shape import DecoderShape

    model, target = pimlab.load_model(options.model), pimlab.target(options.target)
    if isinstance(getattr(model, "shape", model), DecoderShape):
        return _plan(options, model)
    options.input = options.output = 1
    return serving.of_model(model, target)


def _plan(options: argparse.Namespace, model: Any) -> Any:
    between = pimlab.link(options.link) if options.chips > 1 else None
    target = pimlab.target(options.target)
    rack = pimlab.Cluster(chip=target, chips=options.chips, link=between)
    length = min(getattr(model, "shape", model).context, options.input + options.output)
    return pimlab.parallelise(model, rack, batch=1, context=length)


def _speculation(options: argparse.Namespace) -> Any:
    """Speculative decoding by the draft that is named; None without one."""
    from pimlab import serving

    if options.draft is None:
        if options.acceptance is not None:
            raise ValueError(f"--acceptance {options.acceptance} of which model? add --draft MODEL")
        return None
    if options.acceptance is None:
        raise ValueError(
            f"--draft {options.draft} needs --acceptance, the probability that a guess holds, such "
            "as 0.7"
        )
    draft = pimlab.load_model(options.draft)
    if not hasattr(draft, "shape"):
        raise ValueError(f"--draft {options.draft} is no language model of a known shape")
    return serving.Speculation(
        draft=_plan(options, draft), ahead=options.ahead, acceptance=options.acceptance
    )


def _requests(options: argparse.Namespace) -> Any:
    """The trace that is named, at the rate that is named; else a Poisson process of that rate."""
    from pimlab import serving

    if options.requests is not None:
        load = serving.load_requests(options.requests, limit=options.count)
        return load if options.rate is None else load.at_rate(options.rate)
    tokens = {"input": options.input, "output": options.output}
    if options.users is not None:
        if options.rate is not None:
            raise ValueError("--users and --rate: a closed loop has the rate of its answers")
        return serving.closed(users=options.users, count=options.count, **tokens)
    if options.rate is None:
        raise ValueError('no requests: add --requests NAME, --rate "4 Hz" or --users 8')
    return serving.poisson(rate=options.rate, count=options.count, **tokens)


def _provision(options: argparse.Namespace) -> None:
    from pimlab.farm.files import read_farm

    asking.checked(options)
    asked = read_farm(options.file)
    plan = pimlab.provision(
        *asked,
        quality=_quality(asked.services, asked.offers, options.samples),
        seconds=options.seconds,
        gap=options.gap,
        store=options.store,
    )
    print(f"{plan.table.to_string(max_colwidth=90)}\n")
    print("\n".join(plan.why))
    if options.manifests is not None:
        files = pimlab.write_manifests(plan, options.manifests)
        print(f"wrote {len(files)} files to {options.manifests}")
    if options.out is not None:
        interchange.write_answer(plan.answer, options.out)


def _quality(services: list[Any], offers: list[str], samples: int) -> Any:
    """What the models of services with a floor score on the machines of the offers; None where no
    service has a floor.
    """
    models = list(dict.fromkeys(s.model for s in services if s.floor is not None))
    targets = {one.target.name: one.target for one in map(pimlab.offer, offers)}
    if not (models and targets):
        return None
    return pimlab.compare(models, list(targets.values()), limit=samples)
