"""What does a model get on a machine? `pimlab run | compare | sweep | explain`."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

import xarray as xr

import pimlab
from pimlab.cli import asking
from pimlab.studies.compare import condensed
from pimlab.studies.sweep import Study
from pimlab.studies.variants import variant
from pimlab.values import unknown


def add(verbs: Any) -> None:
    """Add the verbs. No unit."""
    _add_run(verbs)
    _add_compare(verbs)
    _add_sweep(verbs)
    one = asking.verb(
        verbs, "explain", _explain, "which non-ideality of a machine costs how much accuracy"
    )
    asking.add_machine(one)
    asking.add_scoring(one)
    asking.add_output(one)


def _add_run(verbs: Any) -> None:
    one = asking.verb(
        verbs, "run", _run, "accuracy, energy and latency of one model on one machine"
    )
    asking.add_machine(one)
    asking.add_scoring(one)
    one.add_argument(
        "--chips",
        default=None,
        help='how many chips hold a model that one does not: a number, or "needed"',
    )
    asking.add_output(one)


def _add_compare(verbs: Any) -> None:
    one = asking.verb(
        verbs, "compare", _compare, "several models on several machines, side by side"
    )
    one.add_argument("models", nargs="+", help="names, or paths of .onnx files")
    one.add_argument("--on", nargs="+", required=True, metavar="TARGET", help="machines")
    asking.add_limits(one, limit=200)
    asking.add_output(one)


def _add_sweep(verbs: Any) -> None:
    one = asking.verb(
        verbs, "sweep", _sweep, "how the answer changes with fields of the machine, seed or time"
    )
    asking.add_machine(one)
    asking.add_scoring(one)
    one.add_argument(
        "--over",
        action="append",
        required=True,
        metavar="FIELD=A,B,C",
        help="a field of the machine, or seed, or at, and its values; may be repeated",
    )
    one.add_argument(
        "--store", default=None, help="keep every point in this .zarr, and go on there"
    )
    one.add_argument("--workers", type=int, default=None, help="Dask worker processes")
    asking.add_output(one)


def _run(options: argparse.Namespace) -> None:
    asking.checked(options)
    target, model = asking.machine(options), pimlab.load_model(options.model)
    data = asking.data(options, model.name)
    result = pimlab.run(
        model, target, data, at=options.at, seed=options.seed, chips=_chips(options.chips)
    )
    asking.give(result, options, lambda: f"{result}\n\n{pimlab.summary(result).to_string()}")


def _chips(text: str | None) -> int | str | None:
    """`--chips` as `run` takes it: a number where it is one."""
    return int(text) if text is not None and text.isdigit() else text


def _compare(options: argparse.Namespace) -> None:
    asking.checked(options)
    answer = pimlab.compare(
        options.models, options.on, at=options.at, seed=options.seed, limit=options.limit
    )
    asking.give(answer, options, lambda: pimlab.summary(answer).to_string())


def _explain(options: argparse.Namespace) -> None:
    asking.checked(options)
    target, model = asking.machine(options), pimlab.load_model(options.model)
    data = asking.data(options, model.name)
    if data is None:
        raise ValueError(f"{model.name} has no usual data; add --data")
    story = pimlab.explain(model, target, data, at=options.at, seed=options.seed)
    asking.give(story, options, lambda: _story(story, data.metric.name))


def _story(story: xr.Dataset, metric: str) -> str:
    """The steps, and each cause alone and taken away, as tables."""
    parts = [
        story[[name for name in story.data_vars if story[name].dims == (dim,)]]
        .reset_coords(drop=True)
        .to_dataframe()
        .to_string(float_format="{:.4g}".format)
        for dim in ("step", "cause")
        if dim in story.dims
    ]
    return "\n\n".join(parts)


def _sweep(options: argparse.Namespace) -> None:
    asking.checked(options)
    target, model = asking.machine(options), pimlab.load_model(options.model)
    axes = [_axis(text) for text in options.over]
    paths = [path for path, _ in axes]
    study = _study(model, target, asking.data(options, model.name), options, paths)
    answer = pimlab.sweep(
        study,
        store=options.store,
        workers=options.workers,
        progress=not (options.json or options.csv),
        **{_coordinate(path): values for path, values in axes},  # type: ignore[arg-type]
    )
    asking.give(answer, options, lambda: pimlab.summary(answer).to_string())


def _axis(text: str) -> tuple[str, list[Any]]:
    """The field and the values of `--over`: numbers where all are numbers."""
    path, equals, listed = text.partition("=")
    values: list[Any] = [one.strip() for one in listed.split(",") if one.strip()]
    if not (path and equals and values):
        raise ValueError(f"--over {text}; write FIELD=A,B,C, such as adc.bits=4,6,8")
    for kind in (int, float):
        try:
            return path, [kind(one) for one in values]
        except ValueError:
            continue
    return path, values


def _coordinate(path: str) -> str:
    return path.replace(".", "_")


def _study(
    model: Any, target: Any, data: Any, options: argparse.Namespace, paths: list[str]
) -> Study:
    """A function of the swept coordinates -> what `run` answers, summed over layers."""
    by_name = {_coordinate(path): path for path in paths}
    if len(by_name) < len(paths):
        raise ValueError(f"--over names a field twice: {', '.join(paths)}")
    fields = [path.split(".")[0] for path in paths if path not in ("seed", "at")]
    for first in fields:
        if first not in target.fields():
            allowed = ("seed", "at", *target.fields())
            raise ValueError(f"--over: {unknown('field', first, allowed)}")
    seed, at, metrics = options.seed, options.at, [] if data is None else [data.metric.name]

    def point(**coordinates: Any) -> xr.Dataset:
        given = {by_name[name]: value for name, value in coordinates.items()}
        now = {"seed": given.pop("seed", seed), "at": given.pop("at", at)}
        text = {path: str(value) for path, value in given.items()}
        answer = pimlab.run(model, variant(target, text), data, **now)
        return condensed(answer, metrics, now["at"])

    point.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in by_name]
    )
    return pimlab.study(point)
